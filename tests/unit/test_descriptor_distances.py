"""Distances to nearest neighbours: against closed forms, all images, and average-minimum-distance where it is here."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.distances import DistancesDescriptor, DistancesOptions
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.structures import pack


def vectors(atoms: Atoms, species: list[int], **options) -> np.ndarray:
    """The distances (atoms, species, neighbours) in angstrom, without the constant."""
    chosen = DistancesOptions(**options)
    found = DistancesDescriptor(chosen, species)(pack([atoms]), 0, np.arange(len(atoms)))
    assert found.shape[1] == DistancesDescriptor.dimension(chosen, len(species))
    assert (found[:, -1] == 0.5 * np.sqrt(found.shape[1] - 1)).all()
    return chosen.reach * found[:, :-1].reshape(len(atoms), len(species), -1)


def test_shells_of_a_crystal():
    """Fcc: 12 at a / sqrt(2), 6 at a, 24 at a sqrt(3/2)."""
    found = vectors(bulk("Cu", "fcc", a=3.6), [29], neighbours=42)
    shells = np.repeat([3.6 / np.sqrt(2), 3.6, 3.6 * np.sqrt(1.5)], [12, 6, 24])
    np.testing.assert_allclose(found[0, 0], shells, rtol=1e-12)


def alloy() -> Atoms:
    atoms = bulk("CuZr", "cesiumchloride", a=3.26) * (1, 1, 2)
    atoms.rattle(0.2, seed=2)
    return atoms


def test_distances_are_those_to_all_images():
    atoms = alloy()
    found = vectors(atoms, [29, 40], neighbours=9)
    images = (atoms * (7, 7, 7)).positions - 3 * atoms.cell.array.sum(axis=0)
    numbers = np.tile(atoms.numbers, 343)
    for i, position in enumerate(atoms.positions):
        lengths = np.linalg.norm(images - position, axis=1)
        for column, z in enumerate([29, 40]):
            expected = np.sort(lengths[(numbers == z) & (lengths > 1e-9)])[:9]
            np.testing.assert_allclose(found[i, column], expected, rtol=1e-12)


def test_distances_are_those_of_the_authors_program():
    """Rows of the pointwise distance distribution, which come in another order, and their mean."""
    amd = pytest.importorskip("amd", reason="average-minimum-distance is not installed")
    atoms = bulk("Zr", "hcp", a=3.23, c=5.15) * (2, 1, 1)
    atoms.rattle(0.1, seed=1)
    crystal = amd.PeriodicSet(motif=atoms.positions, cell=atoms.cell.array)
    mine = vectors(atoms, [40], neighbours=20)[:, 0]
    np.testing.assert_allclose(mine.mean(axis=0), amd.AMD(crystal, 20), rtol=1e-12)
    theirs = amd.PDD(crystal, 20, collapse=False)[:, 1:]
    mine, theirs = (rows[np.lexsort(rows.round(9).T[::-1])] for rows in (mine, theirs))  # neighbours share the first
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_a_slab_has_neighbours_in_its_plane_alone():
    slab = bulk("Cu", "fcc", a=3.6, cubic=True) * (1, 1, 2)
    slab.pbc = [True, True, False]
    found = vectors(slab, [29], neighbours=30, reach=6.0)[:, 0]
    images = (slab * (5, 5, 1)).positions - 2 * slab.cell.array[:2].sum(axis=0)
    for row, position in zip(found, slab.positions, strict=True):
        lengths = np.sort(np.linalg.norm(images - position, axis=1))[1:31]
        np.testing.assert_allclose(row, np.minimum(lengths, 6), rtol=1e-12)


def test_a_molecule_has_neighbours_at_the_reach_where_it_has_no_more():
    water = molecule("H2O", vacuum=1.0)
    found = vectors(water, [1, 8], neighbours=3, reach=5.0)
    oxygen = found[water.symbols == "O"][0]
    bond = water.get_distance(0, 1)
    np.testing.assert_allclose(oxygen, [[bond, bond, 5], [5, 5, 5]], rtol=1e-9)


def turned(atoms: Atoms) -> Atoms:
    atoms.rotate(37, (1, 2, -0.5), rotate_cell=True)
    atoms.positions += [7.3, -30.1, 4.4]
    return atoms


@pytest.mark.parametrize("change", [turned, lambda atoms: atoms * (2, 1, 3), lambda atoms: atoms[[2, 0, 3, 1]]])
def test_the_same_crystal_has_the_same_features_and_an_expanded_one_others(change):
    describe = Descriptor(DescriptorOptions(backend="distances"), PairKernelOptions(), [29, 40])
    expanded = alloy()
    expanded.set_cell(1.01 * expanded.cell[:], scale_atoms=True)
    features = describe.features(pack([alloy(), change(alloy()), expanded]))
    np.testing.assert_allclose(features[1], features[0], atol=1e-7)
    assert np.abs(features[2] - features[0])[: describe.layout.pair.start].max() > 1e-4
    alone = np.concatenate([describe.features(pack([atoms])) for atoms in (alloy(), change(alloy()), expanded)])
    assert features.tobytes() == alone.tobytes()
