"""Periodic cells: their volumes and heights, and crystals repeated to a number of atoms.

Sums have the same order on every machine, so candidates made with these functions are identical to the bit everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


def lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths (...,) of vectors (..., 3)."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.sqrt(x * x + y * y + z * z)


def faces(cells: np.ndarray) -> np.ndarray:
    """Return cross products b x c, c x a, a x b (n, 3, 3); divided by the volume they are the reciprocal vectors."""
    a, b, c = cells[:, 0], cells[:, 1], cells[:, 2]
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)


def volumes_and_heights(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the volumes (n,) of cells (n, 3, 3) and the distances (n, 3) between opposite faces, in angstrom."""
    across = faces(cells)
    volumes = np.abs((cells[:, 0] * across[:, 0]).sum(axis=1))
    return volumes, volumes[:, None] / lengths(across)


def repeats(extents: np.ndarray, size: int, least: int) -> np.ndarray:
    """Return how often to repeat a cell, always along its shortest extent, until it has enough atoms.

    Parameters
    ----------
    extents : (d,)
        Extents of the cell in the directions in which it may be repeated.
    size, least : int
        Number of atoms in the cell, and number wanted.

    Returns
    -------
    (d,) int
        Number of repeats in each direction.
    """
    times = np.ones(len(extents), dtype=int)
    while times.prod() * size < least:
        times[np.argmin(np.round(times * extents, 6))] += 1
    return times


def supercell(atoms: Atoms, least: int) -> Atoms:
    """Repeat a crystal to at least ``least`` atoms, as close to a cube as possible."""
    heights = volumes_and_heights(atoms.cell[:][None])[1][0]
    return atoms.repeat(repeats(heights, len(atoms), least))


def vacuum(atoms: Atoms) -> float:
    """Return the smallest gap, in angstrom, between a structure and its images where it does not repeat.

    It is infinite for a structure that repeats in all directions.
    """
    directions = np.flatnonzero(~atoms.pbc)
    if not len(directions):
        return float("inf")
    normals = faces(atoms.cell.array[None])[0]
    normals /= lengths(normals)[:, None]
    along = atoms.positions @ normals.T
    gaps = np.abs((atoms.cell.array * normals).sum(axis=1)) - np.ptp(along, axis=0)
    return float(gaps[directions].min())


def apart(atoms: Atoms, gap: float) -> Atoms:
    """Return a structure for programs that repeat everything: periodic, its images ``gap`` apart where it ends.

    One that repeats in all directions is returned itself.
    """
    if atoms.pbc.all():
        return atoms
    cell = atoms.cell.array.copy()
    # The last columns of a full QR factorisation are orthogonal to the vectors along which it repeats.
    basis = np.linalg.qr(cell[atoms.pbc].T, mode="complete")[0] if atoms.pbc.any() else np.eye(3)
    normals = basis.T[atoms.pbc.sum() :]
    cell[~atoms.pbc] = normals * (np.ptp(atoms.positions @ normals.T, axis=0) + gap)[:, None]
    wide = atoms.copy()
    wide.set_cell(cell)
    wide.pbc = True
    return wide


def periodic(atoms: Atoms, cutoff: float) -> Atoms:
    """Return a structure in a periodic cell, with no image within the cut-off where it is not periodic.

    Unlike :func:`apart`, this keeps the directions of the cell, and its lengths where they are enough.
    """
    from ase import Atoms

    if atoms.pbc.all():
        return atoms
    whole = atoms.cell.complete()
    cell, normals = whole.array.copy(), whole.reciprocal().array
    for axis in np.flatnonzero(~atoms.pbc):
        heights = atoms.positions @ (normals[axis] / np.linalg.norm(normals[axis]))
        height = 1 / np.linalg.norm(normals[axis])
        cell[axis] *= max(1.0, (np.ptp(heights) + 2 * cutoff) / height)
    return Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=True)
