"""The gate: brute force over images, the closest packing, and labels of every wrong kind."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import covalent_radii

from gapdesign.engines import Label
from gapdesign.labels.gate import refuse_label, refuse_structure, refuse_vacuum


def smallest_fraction(atoms: Atoms, reach: int = 3) -> float:
    """Go through all pairs and all images near by."""
    radii = covalent_radii[atoms.numbers]
    images = [range(-reach, reach + 1) if periodic else (0,) for periodic in atoms.pbc]
    smallest = np.inf
    for image in itertools.product(*images):
        for i, j in itertools.product(range(len(atoms)), repeat=2):
            if i == j and image == (0, 0, 0):
                continue
            distance = np.linalg.norm(atoms.positions[j] + image @ atoms.cell.array - atoms.positions[i])
            smallest = min(smallest, distance / (radii[i] + radii[j]))
    return smallest


@pytest.mark.parametrize("seed", range(12))
def test_the_closest_pair_decides_images_among_them(seed):
    rng = np.random.default_rng(seed)
    cell = 3.5 * np.eye(3) + rng.uniform(-0.8, 0.8, (3, 3))
    atoms = Atoms(
        rng.choice(["Zr", "Cu", "O"], 4),
        scaled_positions=rng.random((4, 3)),
        cell=cell,
        pbc=[True, True, bool(seed % 3)],
    )
    fraction = smallest_fraction(atoms)
    assert refuse_structure(atoms, fraction - 1e-6) is None
    assert refuse_structure(atoms, fraction + 1e-6) is not None


@pytest.mark.parametrize(("lattice", "neighbour"), [("fcc", 2**-0.5), ("bcc", 3**0.5 / 2), ("sc", 1)])
def test_a_crystal_is_refused_by_the_distance_of_its_neighbours(lattice, neighbour):
    """Among them the closest packing, where the bound by volume is an equality."""
    spacing = 0.6 * 2 * covalent_radii[40] / neighbour
    assert refuse_structure(bulk("Zr", lattice, a=spacing * (1 + 1e-9)), 0.6) is None
    assert refuse_structure(bulk("Zr", lattice, a=spacing * (1 - 1e-6)), 0.6) is not None


def test_the_reason_names_the_pair_and_the_bound():
    atoms = Atoms("ZrOZr", positions=[[0, 0, 0], [0, 0, 1.2], [4, 4, 4]], cell=[8, 8, 8], pbc=True)
    assert refuse_structure(atoms, 0.8) == (
        "Two atoms (O-Zr) are 1.200 angstrom apart, 0.498 of the sum of their covalent radii; the least allowed is 0.8."
    )


def test_atoms_in_one_place_are_refused():
    atoms = Atoms("Zr2", positions=[[1, 1, 1], [1, 1, 1]], cell=[8, 8, 8], pbc=True)
    assert "0.000 angstrom apart" in refuse_structure(atoms, 0.5)


@pytest.mark.parametrize("min_fraction", [0, 1e-9, 0.01])
def test_a_small_bound_refuses_next_to_nothing_and_costs_no_memory(min_fraction):
    assert refuse_structure(bulk("Zr", "fcc", a=0.5), min_fraction) is None
    assert refuse_structure(Atoms("Zr", cell=[20] * 3, pbc=True), min_fraction) is None


def test_a_collapsed_cell_is_refused_without_listing_its_images():
    assert "is too small for 1 atoms" in refuse_structure(bulk("Zr", "fcc", a=1e-4), 0.6)


def test_surfaces_and_molecules_in_a_box_pass_however_small_the_box_is_where_it_does_not_repeat():
    layer = Atoms("Zr", cell=[3.2, 3.2, 0.1], pbc=[True, True, False])
    assert refuse_structure(layer, 0.6) is None
    water = molecule("H2O", cell=[0.1, 0.1, 0.1])
    assert refuse_structure(water, 0.6) is None


@pytest.mark.parametrize(("height", "refused"), [(14.0, False), (9.0, True), (3.0, True)])
def test_a_slab_needs_vacuum_where_an_engine_repeats_everything(height, refused):
    slab = Atoms("Zr2", positions=[[0, 0, 0], [1.6, 1.6, 2.6]], cell=[[3.2, 0, 0], [0, 3.2, 0], [1, 0, height]])
    slab.pbc = [True, True, False]
    reason = refuse_vacuum(slab, "vasp")
    assert (reason is not None) == refused
    if refused:
        assert reason.startswith("The engine vasp repeats every structure, and this one (pbc T T F) is ")
        assert "set pbc to T T T" in reason
    slab.pbc = True
    assert refuse_vacuum(slab, "vasp") is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value):
    for field in ("positions", "cell"):
        atoms = bulk("Zr")
        getattr(atoms, field)[0, 1] = value
        assert refuse_structure(atoms, 0.6) == "A position or a cell vector is not finite."


def test_no_volume_and_no_atoms_are_refused():
    flat = Atoms("Zr", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True)
    assert refuse_structure(flat, 0.6) == "The volume of the cell is 0 cubic angstrom and must be positive."
    assert refuse_structure(molecule("H2O"), 0.6) is not None
    assert refuse_structure(Atoms(cell=[3, 3, 3], pbc=True), 0.6) == "The structure has no atoms."


def test_a_left_handed_cell_has_a_volume():
    atoms = bulk("Zr", "hcp")
    atoms.set_cell(atoms.cell.array * [1, 1, -1], scale_atoms=True)
    assert np.linalg.det(atoms.cell.array) < 0
    assert refuse_structure(atoms, 0.6) is None


def test_a_good_label_passes():
    assert refuse_label(bulk("Zr", "hcp"), Label(-13.2, np.zeros((2, 3)), np.eye(3))) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["energy", "forces", "virial"])
def test_a_label_that_is_not_finite_is_refused(field, value):
    values = {"energy": np.array(-13.2), "forces": np.zeros((2, 3)), "virial": np.eye(3)}
    values[field].flat[-1] = value
    reason = refuse_label(bulk("Zr", "hcp"), Label(**values))
    assert reason == f"The engine returned a value of {field} that is not finite."


@pytest.mark.parametrize(
    ("field", "shape"),
    [("energy", (1,)), ("forces", (1, 3)), ("forces", (6,)), ("virial", (9,)), ("virial", (6,))],
)
def test_a_label_of_the_wrong_shape_is_refused(field, shape):
    values = {"energy": -13.2, "forces": np.zeros((2, 3)), "virial": np.eye(3), field: np.zeros(shape)}
    assert f"returned {field} of shape" in refuse_label(bulk("Zr", "hcp"), Label(**values))
