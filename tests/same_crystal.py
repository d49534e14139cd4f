"""A crystal without symmetry, and other descriptions of it that no descriptor may tell from it."""

from __future__ import annotations

from ase import Atoms
from ase.build import bulk, make_supercell


def alloy() -> Atoms:
    """Zirconium with one atom of copper, without any symmetry."""
    atoms = bulk("Zr", "hcp", a=3.23, c=5.15) * (1, 1, 2)
    atoms.numbers[1] = 29
    atoms.rattle(0.1, seed=1)
    return atoms


def turned(atoms: Atoms) -> Atoms:
    atoms.rotate(37, (1, 2, -0.5), rotate_cell=True)
    return atoms


def mirrored(atoms: Atoms) -> Atoms:
    atoms.set_cell(atoms.cell[:] * [-1, 1, 1], scale_atoms=True)
    return atoms


def unwrapped(atoms: Atoms) -> Atoms:
    atoms.positions += [7.3, -30.1, 4.4]
    atoms.positions[0] += 3 * atoms.cell[1] - atoms.cell[2]
    return atoms


CHANGES = [
    turned,
    mirrored,
    unwrapped,
    lambda atoms: atoms * (2, 1, 3),
    lambda atoms: make_supercell(atoms, [[1, 1, 0], [0, 1, 0], [-1, 0, 1]]),
]
"""In each, the first atoms are those of the crystal."""
