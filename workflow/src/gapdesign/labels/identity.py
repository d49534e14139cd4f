"""Identity of structures: by a key, to the last bits, or within a tolerance, as other programs print them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import complete_cell

if TYPE_CHECKING:
    from ase import Atoms

DECIMALS = 10
"""Decimals of lengths in angstrom that distinguish structures."""

TOLERANCE = 1e-4
"""Largest difference of cells and atoms, in angstrom: programs print fewer digits than they were given. With a force of
1 eV/angstrom it changes the energy by 0.1 meV."""


def structure_key(atoms: Atoms) -> str:
    """Return the SHA-256, in hexadecimal, of numbers, cell, positions and periodicity; nothing else counts.

    Lengths are rounded to 1e-10 angstrom, so that the last bits of a computation do not make it another
    structure. The same crystal in another cell, order of atoms or orientation counts as another structure.
    """
    lines = [
        " ".join(map(str, atoms.numbers.tolist())),
        " ".join("T" if periodic else "F" for periodic in atoms.pbc),
        _lengths(atoms.cell.array),
        _lengths(atoms.positions),
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _lengths(values: np.ndarray) -> str:
    # Adding zero turns -0.0 into 0.0.
    rounded = np.round(values, DECIMALS) + 0.0
    return " ".join(f"{value:.{DECIMALS}f}" for value in rounded.ravel().tolist())


def order_in(structure: Atoms, other: Atoms) -> np.ndarray | None:
    """Match the n atoms of a structure with those of another copy; return None if the structures differ.

    The other may have its atoms in any order and any periodic image, and any cell of the same lattice. If it is
    rotated or shifted as a whole, or periodic in other directions, it is another structure.

    Returns
    -------
    (n,) int or None
        For each atom of ``structure``, its index in ``other``.
    """
    if len(structure) != len(other) or (structure.pbc != other.pbc).any():
        return None
    if (np.sort(structure.numbers) != np.sort(other.numbers)).any():
        return None
    cell, periodic = structure.cell.array, structure.pbc
    if not _same_lattice(cell, other.cell.array, whole=bool(periodic.all())):
        return None
    cell = complete_cell(cell)
    inverse = np.linalg.inv(cell)
    if (structure.numbers == other.numbers).all() and (_distances(structure, other, cell, inverse) <= TOLERANCE).all():
        return np.arange(len(structure))
    distances = _distances(structure, other, cell, inverse, each=True)
    same = (distances <= TOLERANCE) & (structure.numbers[:, None] == other.numbers)
    order = same.argmax(axis=1)
    return order if same.any(axis=1).all() and len(set(order.tolist())) == len(order) else None


def _distances(
    structure: Atoms, other: Atoms, cell: np.ndarray, inverse: np.ndarray, *, each: bool = False
) -> np.ndarray:
    """Return distances (n,) of atoms from those of another structure or, of ``each`` from each, (n, n)."""
    steps = (other.positions - (structure.positions[:, None, :] if each else structure.positions)) @ inverse
    steps -= np.where(structure.pbc, np.rint(steps), 0)
    return np.linalg.norm(steps @ cell, axis=-1)


def _same_lattice(cell: np.ndarray, other: np.ndarray, *, whole: bool) -> bool:
    """Return whether cells span the same lattice or, if not ``whole``, whether they are the same."""
    if whole and np.linalg.matrix_rank(cell) < 3:
        return False
    steps = np.rint(other @ np.linalg.inv(cell)) if whole else np.eye(3)
    if abs(abs(np.linalg.det(steps)) - 1) > 0.5:
        return False
    return bool(np.abs(steps @ cell - other).max() <= TOLERANCE)
