"""Structures that can be described at all: finite, with atoms, and with cells that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

LARGEST = 1e5
"""Largest length, in angstrom, of a cell vector or a coordinate."""

LEAST_VOLUME = 0.3
"""Smallest volume per atom of a periodic structure, in cubic angstrom, an eighth of that of hydrogen in Jupiter."""

LEAST_HEIGHT = 0.5
"""Smallest distance, in angstrom, of a reduced periodic cell's opposite faces."""

ISOLATED = ("isolated_atom", "isolatedatom")
"""Values of ``config_type``, in lower case, of a frame that is an isolated atom."""

ALONE = 8.0
"""Distance of images, in angstrom, from which a lone atom counts as isolated: no crystal of one atom is so wide."""


def is_isolated(atoms: Atoms) -> bool:
    """Return whether a frame is an isolated atom, by its ``config_type`` or because no image is near it."""
    if len(atoms) != 1:
        return False
    if str(atoms.info.get("config_type", "")).lower() in ISOLATED or not atoms.pbc.any():
        return True
    lattice, _ = reduced(atoms.cell.array, atoms.pbc)
    return bool(np.linalg.norm(lattice[atoms.pbc], axis=1).min() > ALONE)


def mistake(atoms: Atoms) -> str | None:
    """Return what makes a structure none, as a phrase with a remedy; None if nothing does.

    Cells are judged in the directions in which they are periodic, and after their reduction: a sheared cell of an
    ordinary lattice is an ordinary structure.
    """
    if not len(atoms):
        return "has no atoms; remove it"
    if (atoms.numbers < 1).any():
        return "has an atom that is no element; name the element of each"
    if not np.isfinite(atoms.positions).all():
        return "has a position that is not a finite number; remove or repair it"
    cell, pbc = atoms.cell.array, atoms.pbc
    if not np.isfinite(cell).all():
        return "has a cell that is not finite; remove or repair it"
    if max(np.abs(cell).max(), np.abs(atoms.positions).max()) > LARGEST:
        return f"has a length beyond {LARGEST:g} angstrom; check its units"
    if not pbc.any():
        return None
    missing = [axis for axis, vector in zip("abc", cell, strict=True) if pbc["abc".index(axis)] and not vector.any()]
    if missing:
        return f"is periodic along {missing[0]} without a cell vector; give it a Lattice, or set its pbc to F there"
    height = heights(cell, pbc).min()
    if not height >= LEAST_HEIGHT:
        height = heights(reduced(cell, pbc)[0], pbc).min()
    if not height >= LEAST_HEIGHT:
        return f"has a flat cell, {height:.2g} angstrom high; remove or repair it"
    if pbc.all() and abs(np.linalg.det(cell)) < LEAST_VOLUME * len(atoms):
        return f"has less than {LEAST_VOLUME} cubic angstrom for each atom; check its units"
    return None


def heights(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Return the distances between opposite faces of a cell in its periodic directions, within their span."""
    vectors = cell[pbc]
    lengths = np.linalg.norm(vectors, axis=1)
    if not lengths.all():
        return np.zeros(len(vectors))
    # Row k of R, from the vectors in an order with vector k last, ends with its distance from the span of the others.
    unit = vectors / lengths[:, None]
    last = [np.roll(unit, len(unit) - 1 - k, axis=0) for k in range(len(unit))]
    return lengths * np.abs([np.linalg.qr(rows.T, mode="r")[-1, -1] for rows in last])


def reduced(cell: np.ndarray, pbc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shortest cell (3, 3) of the same lattice, and the integers that make it from ``cell``.

    A cell whose periodic vectors depend on each other comes back unchanged.
    """
    from ase.geometry.minkowski_reduction import minkowski_reduce

    try:
        if np.linalg.matrix_rank(cell[pbc]) < pbc.sum():
            return cell, np.eye(3, dtype=int)
        return minkowski_reduce(cell, pbc)
    except (ValueError, RuntimeError, np.linalg.LinAlgError):
        return cell, np.eye(3, dtype=int)
