"""Periodic cells: their volumes and heights, and crystals repeated to a number of atoms.

Sums have one order on every machine, so that candidates made with these are the same bits everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


def lengths(vectors: np.ndarray) -> np.ndarray:
    """Lengths (...,) of vectors (..., 3)."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.sqrt(x * x + y * y + z * z)


def faces(cells: np.ndarray) -> np.ndarray:
    """Cross products b x c, c x a, a x b (n, 3, 3); divided by the volume they are the reciprocal vectors."""
    a, b, c = cells[:, 0], cells[:, 1], cells[:, 2]
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)


def volumes_and_heights(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Volumes (n,) of cells (n, 3, 3) and the distances (n, 3) between their opposite faces, in angstrom."""
    across = faces(cells)
    volumes = np.abs((cells[:, 0] * across[:, 0]).sum(axis=1))
    return volumes, volumes[:, None] / lengths(across)


def repeats(extents: np.ndarray, size: int, least: int) -> np.ndarray:
    """Repeat a cell of ``size`` atoms along its shortest extent, again and again, until it has enough.

    Parameters
    ----------
    extents : (d,)
        Extents of the cell in the directions in which it may be repeated.
    size, least : int
        Atoms of the cell, and atoms that are wanted.

    Returns
    -------
    (d,) int
        How often the cell is repeated in each direction.
    """
    times = np.ones(len(extents), dtype=int)
    while times.prod() * size < least:
        times[np.argmin(np.round(times * extents, 6))] += 1
    return times


def supercell(atoms: Atoms, least: int) -> Atoms:
    """A crystal repeated to ``least`` atoms or more, as nearly to a cube as it goes."""
    heights = volumes_and_heights(atoms.cell[:][None])[1][0]
    return atoms.repeat(repeats(heights, len(atoms), least))
