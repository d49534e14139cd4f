"""Batches of structures, from files or samplers, made fit to be described: sound, and in cells that are not sheared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.cells import volumes_and_heights
from gapdesign.errors import InputError
from gapdesign.inputs.sanity import LARGEST, LEAST_HEIGHT, LEAST_VOLUME, mistake, reduced

if TYPE_CHECKING:
    from gapdesign.structures import Batch

SHEARED = 0.05
"""Product of a cell's heights over its volume, below which it is reduced: 1 for a box, 0.77 for a primitive fcc cell.
Neighbours are sought in images, whose number grows as the inverse."""


def refuse_infinite(batch: Batch, where: Callable[[int], str]) -> None:
    """Refuse structures without atoms, and numbers that are not finite.

    Parameters
    ----------
    batch : Batch
    where : callable
        Returns the words that name structure ``k``.

    Raises
    ------
    InputError
        For the first one.
    """
    _refuse(batch, ~_finite(batch), where)


def refuse_unsound(batch: Batch, where: Callable[[int], str]) -> None:
    """Refuse whatever is no structure; see :func:`gapdesign.inputs.sanity.mistake`.

    Raises
    ------
    InputError
        For the first one.
    """
    doubtful = ~_finite(batch)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        volumes, heights = volumes_and_heights(batch.cells)
        doubtful |= ~(heights.min(axis=1, initial=np.inf) >= LEAST_HEIGHT)
        doubtful |= ~(volumes >= LEAST_VOLUME * np.diff(batch.offsets))
        doubtful |= ~(np.abs(batch.cells).max(axis=(1, 2), initial=0) <= LARGEST)
    _refuse(batch, doubtful, where)


def ordinary(batch: Batch) -> Batch:
    """Return the same structures, those in strongly sheared cells in the shortest cell of their lattice.

    Only descriptions are made of it: the structures themselves, and their identity, stay as they are.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        volumes, heights = volumes_and_heights(batch.cells)
        sheared = np.flatnonzero(heights.prod(axis=1) < SHEARED * volumes)
    if not len(sheared):
        return batch
    cells, positions = batch.cells.copy(), batch.positions.copy()
    for k in sheared:
        span = slice(batch.offsets[k], batch.offsets[k + 1])
        cells[k] = reduced(batch.cells[k], batch.pbc[k])[0]
        scaled = np.linalg.solve(cells[k].T, positions[span].T).T
        positions[span] -= np.where(batch.pbc[k], np.floor(scaled), 0) @ cells[k]
    return replace(batch, cells=cells, positions=positions)


def _finite(batch: Batch) -> np.ndarray:
    """Return which structures (n,) have atoms of elements at finite places in finite cells."""
    sizes = np.diff(batch.offsets)
    good = (sizes > 0) & np.isfinite(batch.cells).all(axis=(1, 2))
    wrong = (
        ~np.isfinite(batch.positions).all(axis=1)
        | (batch.numbers < 1)
        | (np.abs(batch.positions) > LARGEST).any(axis=1)
    )
    good[np.repeat(np.arange(len(sizes)), sizes)[wrong]] = False
    return good


def _refuse(batch: Batch, doubtful: np.ndarray, where: Callable[[int], str]) -> None:
    for k in np.flatnonzero(doubtful):
        if problem := mistake(batch.atoms(int(k))):
            raise InputError(f"{where(int(k))} {problem}.")
