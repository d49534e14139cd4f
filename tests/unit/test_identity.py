"""When two accounts are of one structure: order, images, cells, and what is too far."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.labels.identity import TOLERANCE, order_in


def alloy(seed: int = 0) -> Atoms:
    atoms = bulk("CuZr", "cesiumchloride", a=3.26).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell.array + np.random.default_rng(seed).uniform(-0.2, 0.2, (3, 3)), scale_atoms=True)
    atoms.rattle(0.2, seed=seed)
    return atoms


@pytest.mark.parametrize("seed", range(4))
def test_atoms_in_another_order_and_image_are_found(seed):
    rng, atoms = np.random.default_rng(seed), alloy(seed)
    shuffled = rng.permutation(4)
    other = atoms[shuffled]
    other.positions += rng.integers(-2, 3, (4, 3)) @ atoms.cell.array
    other.positions += rng.uniform(-1, 1, (4, 3)) * TOLERANCE / 2
    order = order_in(atoms, other)
    np.testing.assert_array_equal(shuffled[order], np.arange(4))


@pytest.mark.parametrize("steps", [np.diag([1, 1, -1]), -np.eye(3), [[1, 1, 0], [0, 1, 0], [0, -1, 1]]])
def test_any_cell_of_the_lattice_will_do(steps):
    atoms, other = alloy(), alloy()
    other.set_cell(np.array(steps) @ atoms.cell.array)
    other.wrap()
    assert order_in(atoms, other) is not None


def changed() -> dict[str, Atoms]:
    others = {name: alloy() for name in ("moved", "strained", "turned", "element", "shifted", "bigger", "fewer")}
    others["moved"].positions[2, 1] += 3 * TOLERANCE
    others["strained"].set_cell(others["strained"].cell.array * (1 + 1e-4), scale_atoms=True)
    others["turned"].rotate(1, "z", rotate_cell=True)
    others["element"].numbers[:] = others["element"].numbers[::-1]
    others["shifted"].positions += 0.01
    others["bigger"] = others["bigger"].repeat((1, 1, 2))
    others["fewer"] = others["fewer"][:3]
    return others


@pytest.mark.parametrize("name", changed())
def test_what_differs_is_another_structure(name):
    assert order_in(alloy(), changed()[name]) is None


def test_two_atoms_in_one_place_are_not_two():
    atoms, other = alloy(), alloy()
    other.positions[2] = other.positions[0]
    assert order_in(atoms, other) is None


def test_a_surface_repeats_in_two_directions_alone():
    atoms = Atoms("Zr2", positions=[[0, 0, 0], [1, 1, 2]], cell=[3, 3, 9], pbc=[True, True, False])
    near, far = atoms.copy(), atoms.copy()
    near.positions[1] += [3, -3, 0]
    far.positions[1] += [0, 0, 9]
    assert order_in(atoms, near) is not None
    assert order_in(atoms, far) is None
