"""Compiled power spectra against dscribe's own."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from dscribe.descriptors import SOAP

from gapdesign.descriptors import DESCRIPTORS, EnvironmentDescriptor
from gapdesign.descriptors.base import Centers
from gapdesign.descriptors.dscribe import radial_basis
from gapdesign.errors import InputError
from gapdesign.structures import pack

MODES = {"none": "off", "one_element": "mu1nu1", "no_elements": "mu2"}


def alloy(size: int, seed: int = 5) -> Atoms:
    """A rattled cubic alloy of three elements."""
    atoms = bulk("Mo", "bcc", 3.2, cubic=True).repeat(size)
    generator = np.random.default_rng(seed)
    atoms.numbers = generator.choice([41, 42, 73], len(atoms))
    atoms.positions += generator.normal(scale=0.1, size=atoms.positions.shape)
    return atoms


def sheared() -> Atoms:
    """A strained hcp crystal, two atoms in a cell without a right angle."""
    atoms = bulk("Mo", "hcp", 2.8, 4.4)
    atoms.set_cell(atoms.cell[:] @ np.array([[1.1, 0.08, 0], [0.08, 0.9, 0.05], [0, 0.05, 1.02]]), scale_atoms=True)
    return atoms


def surface() -> Atoms:
    """A slab that repeats in two directions, with a cell that has a third."""
    return fcc111("Mo", (2, 2, 3), a=4.0, vacuum=4.0)


STRUCTURES = {
    "a strained crystal": sheared(),
    "54 atoms of three elements": alloy(3),
    "a slab": surface(),
    "a molecule without a cell": Atoms("MoNb3", molecule("NH3").positions * 2.4),
}


def spectra(atoms: Atoms, **options) -> np.ndarray:
    """Spectra of all atoms, by the member of the family."""
    member = DESCRIPTORS["dscribe"]
    made = member(member.Options(**options), [41, 42, 73])
    return made(pack([atoms]), 0, np.arange(len(atoms)))


def by_dscribe(atoms: Atoms, compression: str = "none", **options) -> np.ndarray:
    """The same by the library."""
    soap = SOAP(
        species=[41, 42, 73],
        rbf="gto",
        periodic=bool(atoms.pbc.any()),
        compression={"mode": MODES[compression]},
        **{"r_cut": 6.8, "n_max": 10, "l_max": 10, "sigma": 0.5, **options},
    )
    return soap.create(atoms)


def agree(atoms: Atoms, **options) -> bool:
    ours, theirs = spectra(atoms, **options), by_dscribe(atoms, **options)
    return ours.shape == theirs.shape and np.abs(ours - theirs).max() < 1e-10 * np.abs(theirs).max()


@pytest.mark.parametrize("compression", MODES)
@pytest.mark.parametrize("name", STRUCTURES)
def test_spectra_are_those_of_dscribe(name, compression):
    assert agree(STRUCTURES[name], compression=compression, n_max=6, l_max=5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"r_cut": 5.0, "n_max": 1, "l_max": 0, "sigma": 0.3},
        {"r_cut": 4.0, "n_max": 7, "l_max": 9, "sigma": 0.15},
        {"r_cut": 4.5, "n_max": 3, "l_max": 20, "sigma": 1.0},
        {"r_cut": 12.0, "n_max": 4, "l_max": 3, "sigma": 2.0},  # more neighbours than there is room for at first
    ],
)
def test_spectra_are_those_of_dscribe_at_every_size(options):
    assert agree(sheared(), **options)


def test_a_layer_needs_no_third_vector_of_its_cell():
    """The library refuses it, unless it has one."""
    layer = Atoms("Mo2", [[0, 0, 0], [1.6, 1.6, 0.3]], cell=[3.2, 3.2, 0], pbc=(True, True, False))
    boxed = layer.copy()
    boxed.cell[2] = [0, 0, 40]
    theirs = by_dscribe(boxed, n_max=6, l_max=5)
    np.testing.assert_allclose(spectra(layer, n_max=6, l_max=5), theirs, atol=1e-10 * theirs.max())


def test_an_atom_far_outside_its_cell_has_the_environment_of_its_image():
    """Dscribe itself misses neighbours of atoms outside."""
    atoms = sheared()
    moved = atoms.copy()
    moved.positions[1] += 7 * atoms.cell[0] - 4 * atoms.cell[2]
    there, here = spectra(moved, n_max=6, l_max=5), spectra(atoms, n_max=6, l_max=5)
    np.testing.assert_allclose(there, here, atol=1e-10 * here.max())


def test_many_structures_at_once_are_each_as_if_alone():
    """To the bit, and in the order of their atoms, whatever structures are described before."""
    member = DESCRIPTORS["dscribe"]
    made = member(member.Options(n_max=4, l_max=4), [41, 42, 73])
    batch = pack(list(STRUCTURES.values()))
    centers = Centers.of(batch)
    together = made.describe(batch, centers)
    assert together.tobytes() == EnvironmentDescriptor.describe(made, batch, centers).tobytes()
    backwards = pack(list(STRUCTURES.values())[::-1])
    sizes = [len(atoms) for atoms in STRUCTURES.values()]
    parts = np.split(made.describe(backwards, Centers.of(backwards)), np.cumsum(sizes[::-1])[:-1])
    assert np.concatenate(parts[::-1]).tobytes() == together.tobytes()


def test_elements_that_a_study_does_not_have_are_refused():
    member = DESCRIPTORS["dscribe"]
    with pytest.raises(InputError, match=r"structures hold Nb and Ta, which the study does not name"):
        member(member.Options(n_max=2, l_max=1), [42])(pack([alloy(1), alloy(2)]), 1, np.arange(2))


@pytest.mark.parametrize(("r_cut", "n_max"), [(6.8, 20), (2.0, 12)])
def test_a_basis_that_dscribe_does_not_have_is_refused_before_any_job(r_cut, n_max):
    member = DESCRIPTORS["dscribe"]
    with pytest.raises(InputError, match=rf"no basis of {n_max} radial functions within {r_cut:g} angstrom"):
        member.check(member.Options(r_cut=r_cut, n_max=n_max), [40])
    with pytest.raises(InputError, match=r"no basis of 4 radial functions within 0\.9 angstrom"):
        member(member.Options(r_cut=0.9, n_max=4), [40])


@pytest.mark.filterwarnings("ignore")  # of ill-conditioned matrices
@pytest.mark.parametrize("r_cut", [1.0, 1.2, 3.0, 5.0, 6.8, 12.0])
def test_radial_functions_are_those_of_dscribe_to_the_bit(r_cut):
    """Or neither has them."""
    for n_max, l_max in [(1, 0), (2, 3), (4, 4), (8, 6), (10, 10), (12, 3), (16, 12), (20, 2)]:
        try:
            theirs = SOAP(species=["H"], r_cut=r_cut, n_max=n_max, l_max=l_max).get_basis_gto(r_cut, n_max, l_max)
        except ValueError:
            with pytest.raises(InputError, match="dscribe has no basis"):
                radial_basis(r_cut, n_max, l_max)
        else:
            for mine, its in zip(radial_basis(r_cut, n_max, l_max), theirs, strict=True):
                np.testing.assert_array_equal(mine, its)
