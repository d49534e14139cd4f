"""Finding structures among many: the same answers as one comparison after another."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.labels.identity import TOLERANCE, order_in
from gapdesign.labels.matching import Index


def structures(count: int, *, sheared: bool, pbc=True) -> list[Atoms]:
    """Cells of four atoms, all in one cell or each in its own."""
    found = []
    for seed in range(count):
        atoms = bulk("CuZr", "cesiumchloride", a=3.26).repeat((2, 1, 1))
        if sheared:
            rng = np.random.default_rng(seed)
            atoms.set_cell(atoms.cell.array + rng.uniform(-0.2, 0.2, (3, 3)), scale_atoms=True)
        atoms.rattle(0.1, seed=seed)
        atoms.pbc = pbc
        found.append(atoms)
    return found


def another_account(atoms: Atoms, seed: int) -> Atoms:
    """The structure as another program may print it."""
    rng = np.random.default_rng(seed)
    other = atoms[rng.permutation(len(atoms))]
    images = rng.integers(-1, 2, (len(atoms), 3)) * atoms.pbc
    shifts = rng.uniform(-1, 1, (len(atoms), 3))
    other.positions += images @ atoms.cell.array + 0.4 * TOLERANCE * shifts / np.linalg.norm(shifts, axis=1)[:, None]
    other.set_cell(atoms.cell.array + rng.uniform(-0.1, 0.1, (3, 3)) * TOLERANCE)
    return other


@pytest.mark.parametrize("pbc", [True, [True, True, False], False])
@pytest.mark.parametrize("sheared", [True, False])
def test_every_structure_is_found_and_no_other(sheared, pbc):
    known = structures(30, sheared=sheared, pbc=pbc)
    index = Index(known)
    for place, atoms in enumerate(known):
        other = another_account(atoms, place)
        (found,) = index.find(other)
        assert found[0] == place
        np.testing.assert_array_equal(found[1], order_in(other, atoms))
    moved = known[3].copy()
    moved.positions[0] += 3 * TOLERANCE
    assert index.find(moved) == []


def test_another_cell_of_the_lattice_is_found():
    known = structures(5, sheared=True)
    other = known[2].copy()
    other.set_cell(np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ known[2].cell.array)
    other.wrap()
    assert [place for place, _ in Index(known).find(other)] == [2]


def test_all_accounts_are_found_in_order():
    (atoms,) = structures(1, sheared=True)
    known = [another_account(atoms, seed) for seed in range(4)]
    assert [place for place, _ in Index(known).find(atoms)] == [0, 1, 2, 3]


def test_periodicity_is_part_of_a_structure_unless_a_program_cannot_say_and_vacuum_makes_it_equal():
    (atoms,) = structures(1, sheared=True)
    wide = atoms.copy()
    wide.cell[2] += [0, 0, 12]
    for given, found in ((atoms, []), (wide, [0])):
        slab = given.copy()
        slab.pbc = [True, True, False]
        assert Index([given]).find(slab) == []
        assert Index([slab]).find(given) == []
        # Without vacuum the program computed the crystal.
        assert [place for place, _ in Index([given], periodic=[0]).find(slab)] == found


def test_a_molecule_without_a_cell_is_found():
    molecule = Atoms("CuZr", positions=[[0, 0, 0], [0, 0, 2.4]])
    other = molecule[[1, 0]]
    ((_, order),) = Index([other]).find(molecule)
    assert order.tolist() == [1, 0]
    other.positions[0, 2] += 0.01
    assert Index([other]).find(molecule) == []
