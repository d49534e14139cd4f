"""Method `fps`: farthest-point sampling, max-min on Euclidean distances (RK section 2; Eldar et al. 1997).

The features are the linear ones (:func:`gapdesign.methods.shared.rows.linear_features`), so that the squared distance
is the kernel's D2 without its power zeta. Every rank is measured against the whole pool: n ranks of N candidates with
d features take n N d multiplications.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gapdesign.descriptors.covariance import first_farthest
from gapdesign.errors import InputError
from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.resources import one_blas_thread
from gapdesign.methods.shared.rows import TransformedRows, linear_rows
from gapdesign.progress import Pace

OVERLAP = 1e-13
"""Largest squared distance of vectors of about unit length that rounding makes indistinguishable from zero."""


class FpsMethod(Method):
    """Farthest-point sampling."""

    name = "fps"
    summary = "each next structure is the one farthest from all chosen before, by Euclidean distance"
    title = "farthest-point"
    is_prefix = True
    takes_start = True
    harmed = Harm(averages=15)

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose by Euclidean distance; the score of a structure is its distance from those before it, when chosen.

        It starts from the candidate farthest from the pool's mean or, if there is one, from the existing set. It ends
        before the budget when every candidate left out coincides with a chosen one. Distances are exact except for
        the last bit of their sum, so that the order is that of the plain greedy algorithm; of distances that are equal
        to single precision the first wins.
        """
        if task.start is not None and task.start >= task.pool.size:
            raise InputError(f"start: there is no candidate {task.start}; the pool ends at {task.pool.size - 1}.")
        with one_blas_thread():
            rows = linear_rows(task)
            mean = rows.of(task.mean[None]).astype(float)
            existing = rows.of(distance.existing_features(task)).astype(float)
            chosen, scores = farthest(
                rows, task.budget, start=task.start, mean=mean, existing=existing, progress=task.progress
            )
        return distance.selection(task, chosen, scores, passes=len(chosen) + 1)


def farthest(
    rows: TransformedRows,
    budget: int,
    *,
    start: int | None = None,
    mean: np.ndarray | None = None,
    existing: np.ndarray | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[int], list[float]]:
    """Return the greedy max-min order of vectors (BR appendix B, algorithm 2).

    Parameters
    ----------
    rows : TransformedRows
        Vectors of the candidates, d numbers each.
    budget : int
    start : int, optional
        The first candidate; by default the one farthest from ``mean``.
    mean : (1, d), optional
        By default the origin, as in BR's listing.
    existing : (m, d), optional
        Vectors that count as chosen before the first.

    Returns
    -------
    list of int, list of float
        Candidates in order; Euclidean distance of each from those before it, of the first from ``mean``.
    """
    squares = np.empty(rows.size)
    rows.each(lambda span, block: squares.__setitem__(span, (block * block).sum(axis=1)))
    existing = np.zeros((0, rows.dimension)) if existing is None else existing
    psi, pace = np.full(rows.size, np.inf), Pace()
    for vector in existing:
        _lower(psi, rows, squares, vector)
    chosen: list[int] = []
    scores: list[float] = []
    if not len(existing):
        centre = np.zeros(rows.dimension) if mean is None else mean[0]
        first = np.full(rows.size, np.inf)
        _lower(first, rows, squares, centre)
        chosen.append(first_farthest(first) if start is None else start)
        scores.append(float(np.sqrt(first[chosen[0]])))
        _lower(psi, rows, squares, rows.take(chosen)[0])
    while len(chosen) < budget:
        best = first_farthest(psi)
        if psi[best] <= OVERLAP:
            break
        chosen.append(best)
        scores.append(float(np.sqrt(psi[best])))
        _lower(psi, rows, squares, rows.take([best])[0])
        if pace.is_due():
            progress(f"rank {len(chosen)} of {budget}, distance {scores[-1]:.4f}")
    return chosen, scores


def _lower(psi: np.ndarray, rows: TransformedRows, squares: np.ndarray, vector: np.ndarray) -> None:
    """Lower the squared distances (N,) of all candidates by those from one more vector (d,), in place."""
    own = (vector * vector).sum()

    def work(span: slice, block: np.ndarray) -> None:
        distance2 = np.maximum(squares[span] + own - 2 * (block @ vector), 0.0)
        np.minimum(psi[span], distance2, out=psi[span])

    rows.each(work)
