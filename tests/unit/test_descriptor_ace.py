"""The basis of the atomic cluster expansion: its length, its symmetries and its derivatives.

Lengths are counted without ace-jax; the rest needs it, in an environment of its own: see docs/features.md.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from finite_differences import check_sums
from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.ace import ATOMS, FEWEST_NEIGHBOURS, AceDescriptor, AceOptions
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.structures import pack
from same_crystal import CHANGES, alloy

SMALL = AceOptions(degree=7)
SPECIES = [29, 40]


@pytest.mark.parametrize(("degree", "length"), [(12, 211), (16, 668), (19, 1429)])
def test_lengths_are_those_of_rocke_and_kermode(degree, length):
    assert AceDescriptor.dimension(AceOptions(degree=degree), 1) == length


BASES = [(1, 3, 12), (1, 4, 12), (1, 1, 9), (1, 2, 20), (2, 3, 7), (3, 3, 6), (2, 4, 7)]
"""Numbers of elements, orders and degrees: those of order 4 have several invariants of one product, some none."""


@pytest.mark.parametrize(("elements", "order", "degree"), BASES)
def test_lengths_are_counted_as_ace_jax_builds_them(elements, order, degree):
    model = pytest.importorskip("ace_jax.basis.model", reason="ace-jax is not installed")
    import jax

    with jax.enable_x64(True):
        built = model.build_model([14, 8, 6][:elements], order, degree, rcut=5.0)
    assert AceDescriptor.dimension(AceOptions(order=order, degree=degree), elements) == built.meta["n_B"]


def test_a_missing_package_says_how_it_comes(monkeypatch):
    monkeypatch.setitem(sys.modules, "ace_jax", None)
    monkeypatch.setitem(sys.modules, "ace_jax.basis.model", None)
    with pytest.raises(InputError, match=r"^descriptor\.backend: ace-jax is not installed; run `pip install ace-jax=="):
        AceDescriptor(SMALL.model_copy(update={"r_cut": 4.9}), SPECIES)


def test_an_element_that_is_not_known_is_found_before_any_job():
    with pytest.raises(InputError, match=r"^descriptor\.backend: 'ace' knows no Am; choose another one\.$"):
        AceDescriptor.check(SMALL, [95])


@pytest.fixture(scope="module")
def ace() -> AceDescriptor:
    pytest.importorskip("ace_jax", reason="ace-jax is not installed")
    return AceDescriptor(SMALL, SPECIES)


def described(ace: AceDescriptor, atoms: Atoms) -> np.ndarray:
    """The vectors (n, dimension) of all atoms of a structure."""
    return ace(pack([atoms]), 0, np.arange(len(atoms)))


def units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


@pytest.mark.parametrize("z", [1, 2, 54, 94])
def test_elements_without_a_bond_in_the_table_of_ace_jax_have_vectors(ace, z):
    atoms = bulk("Cu", "fcc", a=4.5)
    atoms.numbers[:] = z
    assert np.isfinite(described(AceDescriptor(AceOptions(degree=4), [z]), atoms)).all()


def test_a_cutoff_within_a_bond_is_refused(ace):
    with pytest.raises(InputError, match=r"^descriptor\.ace\.r_cut: 2 does not reach beyond a bond of Zr, .* angstrom"):
        AceDescriptor(AceOptions(r_cut=2.0), SPECIES)


def test_vectors_are_those_of_ace_jax_without_its_pairs(ace):
    """Its `site_descriptors` have a block for each central element, then as many pair functions as the degree."""
    import jax
    from ace_jax import site_descriptors
    from ace_jax.basis.model import build_model

    atoms = alloy()
    with jax.enable_x64(True):
        model, meta = build_model(SPECIES, 3, 7, rcut=5.0).eval_pair()
        theirs = site_descriptors(model, atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, meta=meta)
    vectors = described(ace, atoms)
    width = AceDescriptor.dimension(SMALL, 2)
    assert vectors.shape == (4, width)
    assert theirs.shape == (4, 2 * (width + 7))
    for atom, z in enumerate(atoms.numbers):
        start = width * SPECIES.index(z)
        np.testing.assert_allclose(vectors[atom], theirs[atom, start : start + width], atol=1e-13 * abs(theirs).max())


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_crystal_has_the_same_vectors(ace, change):
    expected = units(described(ace, alloy()))
    np.testing.assert_allclose(units(described(ace, change(alloy())))[:4], expected, atol=1e-13)


def test_order_changes_nothing_and_another_crystal_something(ace):
    order = [2, 0, 3, 1]
    vectors = units(described(ace, alloy()))
    np.testing.assert_allclose(units(described(ace, alloy()[order])), vectors[order], atol=1e-13)
    moved = alloy()
    moved.positions[0] += [0.02, 0, 0]
    assert np.abs(units(described(ace, moved)) - vectors).max() > 1e-4


def test_batches_and_shards_change_no_bit(ace):
    """Structures of less and of more than a block of atoms, with few and with many neighbours."""
    dense = alloy()
    dense.set_cell(dense.cell[:] * 0.66, scale_atoms=True)
    frames = [alloy(), alloy() * (1, 1, 3), dense, alloy() * (2, 1, 1)]
    counts = [max(np.bincount(neighbours(atoms))) for atoms in frames]
    assert min(counts) <= FEWEST_NEIGHBOURS < max(counts)
    assert len(frames[0]) < ATOMS < len(frames[1])
    options = DescriptorOptions(backend="ace", ace=SMALL)
    describe = Descriptor(options, PairKernelOptions(), SPECIES)
    batch = pack(frames)
    together = describe.features(batch)
    alone = np.concatenate([describe.features(batch.take([k])) for k in range(4)])
    backwards = describe.features(batch.take([3, 2, 1, 0]))[::-1]
    assert together.tobytes() == alone.tobytes() == backwards.tobytes()


def neighbours(atoms: Atoms) -> np.ndarray:
    from matscipy.neighbours import neighbour_list

    return neighbour_list("i", atoms, SMALL.r_cut)


def test_a_slab_has_no_images(ace):
    tight, wide = alloy(), alloy()
    for atoms, length in ((tight, 1), (wide, 6)):
        atoms.pbc = [True, True, False]
        atoms.set_cell(atoms.cell[:] * np.array([1, 1, length])[:, None])
    np.testing.assert_allclose(units(described(ace, tight)), units(described(ace, wide)), atol=1e-13)


def test_a_lone_atom_is_refused_by_its_index(ace):
    lonely = Atoms("Zr", cell=[30, 30, 30], pbc=True, info={"candidate": 4711})
    describe = Descriptor(DescriptorOptions(backend="ace", ace=SMALL), PairKernelOptions(), SPECIES)
    with pytest.raises(InputError, match=r"^candidate 4711: .*descriptor\.ace\.r_cut"):
        describe.features(pack([lonely]))


def test_derivatives_are_finite_differences(ace):
    check_sums(ace, alloy(), tolerance=1e-8)
