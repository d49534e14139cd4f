"""Proof of a design: at every rank, every candidate whose score could be the largest, by the covariance of the weights.

Nothing of the choice is used but what a structure's labels are: the covariance of the weights is inverted anew at every
rank, and information is a sum over eigenvalues.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.covariance import reach
from gapdesign.errors import InputError
from gapdesign.methods.base import Selection, Task, Wrong
from gapdesign.methods.information.scores import Labels, Pool, only_falls
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.costs import affordable
from gapdesign.progress import Pace
from gapdesign.structures import OFFSET

if TYPE_CHECKING:
    from gapdesign.methods.information import InformationOptions

TOLERANCE = 1e-7
"""Relative difference of two computations of a score; a tenth of what counts as equal."""


def first_wrong_rank(task: Task, options: InformationOptions, design: Selection) -> Wrong | None:
    """Check a design and its certificate against every candidate of the pool.

    Raises
    ------
    InputError
        If scores can grow while more is learnt, so that nothing is proved by a certificate.
    """
    if not only_falls(options):
        raise InputError("scores: designs by `trace` have no certificate; verify one of another score.")
    candidates, scores, outside = design.candidates, design.scores, design.outside
    if len(np.unique(candidates)) < len(candidates):
        rank = next(k for k in range(len(candidates)) if candidates[k] in candidates[:k])
        return Wrong(rank, f"candidate {candidates[rank]} is chosen twice")
    pool, pace = Pool(task, options), Pace()
    precision = np.eye(pool.dimension)
    for labels in pool.existing():
        precision += labels.learnt.T @ labels.learnt
    free, bounds = distance.free(task), np.full(task.pool.size, np.inf)
    pays = task.core_hours is not None
    costs, core_hours = (task.costs, task.core_hours) if pays else (np.ones(task.pool.size), np.inf)
    spent = 0.0
    for rank in range(len(candidates) + 1):
        covariance = np.linalg.inv(precision)
        score_of = _scorer(pool, covariance, options)
        is_last = rank == len(candidates)
        own = None if is_last else int(candidates[rank])
        if own is not None:
            bounds[own] = score_of(own)
            if not np.isclose(bounds[own], scores[rank], rtol=TOLERANCE, atol=0):
                return Wrong(rank, f"its score is {bounds[own]:.10g}, not {scores[rank]:.10g}")
            claimed = bounds[own] / costs[own]
        else:
            claimed = outside[-1]
        may = free & affordable(costs, spent, core_hours)
        seen = _largest(
            bounds, may, costs, claimed, score_of, partial(distance.is_copy, task, chosen=candidates[:rank])
        )
        largest = (bounds[seen] / costs[seen]).max(initial=0.0)
        if own is not None and not (pays and rank == 0):  # where costs count, the best single structure may come first
            if own not in seen:
                return Wrong(rank, f"candidate {own} coincides with one before it, or costs more than is left")
            if reach(largest) * (1 - TOLERANCE) > claimed:
                return Wrong(rank, f"a candidate left out scores {largest:.10g}, more than its {claimed:.10g}")
            earlier = [k for k in seen if k < own and bounds[k] / costs[k] > reach(largest) * (1 + TOLERANCE)]
            if earlier:
                return Wrong(rank, f"candidate {earlier[0]} scores as much and has a smaller index")
        if rank and not np.isclose(largest, outside[rank - 1], rtol=TOLERANCE, atol=1e-300):
            return Wrong(rank - 1, f"the largest score left out is {largest:.10g}, not {outside[rank - 1]:.10g}")
        if own is not None:
            free[own] = False
            spent += float(costs[own])
            rows = pool.one(own).learnt
            precision += rows.T @ rows
        if pace.is_due():
            task.progress(f"{rank} of {len(candidates)} ranks checked")
    return None


def _largest(
    bounds: np.ndarray,
    may: np.ndarray,
    costs: np.ndarray,
    claimed: float,
    score_of: Callable[[int], float],
    is_copy: Callable[[int], bool],
) -> np.ndarray:
    """Score every candidate whose bound reaches what is claimed to be the largest; return those that still do."""
    waiting = np.flatnonzero(may & (bounds / costs >= reach(claimed) * (1 - TOLERANCE)))
    for candidate in waiting:
        bounds[candidate] = score_of(int(candidate))
    found = waiting[bounds[waiting] / costs[waiting] >= reach(claimed) * (1 - TOLERANCE)]
    copies = [k for k in found if is_copy(int(k))]
    may[copies] = False
    return np.setdiff1d(found, copies)


def _scorer(pool: Pool, covariance: np.ndarray, options: InformationOptions) -> Callable[[int], float]:
    """Return the function from a candidate to its score, by the covariance (p, p) of the weights."""

    def score_of(candidate: int) -> float:
        labels = pool.one(candidate)
        among = labels.rows @ covariance @ labels.rows.T
        return sum(weight * _score(name, labels, among) for name, weight in options.scores.items() if weight)

    return score_of


def _score(name: str, labels: Labels, among: np.ndarray) -> float:
    """Return a score of a structure, by the covariance (r, r) among its labels."""
    variances = np.diag(among)
    learnt = np.isfinite(labels.errors)
    errors = labels.errors[learnt]
    if name == "energy":
        return float(variances[labels.places == 0].sum()) / labels.size**2
    if name == "force":
        return float(variances[labels.places >= OFFSET].max(initial=0.0))
    if name == "largest":
        return float((variances[learnt] / errors**2).max(initial=0.0))
    known = among[np.ix_(learnt, learnt)] / np.outer(errors, errors)
    return 0.5 * float(np.log1p(np.maximum(np.linalg.eigvalsh(known), 0.0)).sum())
