"""Method `maxent`: maximum-entropy sampling, max log det K (Shewry and Wynn 1987; BR equation 1).

The greedy choice comes first: the next structure is the one with the largest variance under a Gaussian process that
knows those before it, which is pivoted Cholesky. The exchange follows (Fedorov 1972, one member at a time as in Cook
and Nachtsheim 1980; compare Miller and Nguyen 1994): each member in turn is replaced by the candidate of largest
variance given all others, until no single swap raises log det K.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.covariance import first_farthest
from gapdesign.errors import InputError
from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.conditional import SPAN, Conditional, covariance_with, rows_and_existing
from gapdesign.methods.shared.resources import one_blas_thread
from gapdesign.methods.shared.rows import TransformedRows, first_largest, steady
from gapdesign.progress import Pace

if TYPE_CHECKING:
    from gapdesign.descriptors.covariance import Covariance

GAIN = 1e-6
"""Smallest gain of log det K for which members are swapped."""

JITTER = 1e-10
"""Added to the diagonal of K in the exchange, as in the measured log det of a design."""


class MaxentOptions(Options):
    """Options of the method `maxent`."""

    exchange: bool = Field(
        True,
        description="Swap members for candidates after the greedy choice until no single swap raises log det K. Each of"
        " the few sweeps takes about as long as the greedy choice.",
    )


class MaxentMethod(Method):
    """Maximum-entropy sampling."""

    name = "maxent"
    summary = "the set with the largest log det K"
    Options = MaxentOptions
    title = "maximum-entropy"
    takes_start = True
    by_average_only = True
    harmed = Harm(averages=22)

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose the set; the score of a structure is its variance given existing structures and earlier ranks.

        The greedy choice starts from the candidate farthest from the pool's mean descriptor, or from the existing set.
        Ranks are the greedy order within the final set. Memory: 8 bytes for each candidate and known structure.
        """
        options = task.options or cls.Options()
        with one_blas_thread():
            rows, existing = rows_and_existing(task, cls.name)
            chosen = greedy(task, rows, existing)
            passes = len(chosen) + 1
            if options.exchange and chosen:
                chosen, sweeps = exchange(rows, task.covariance, chosen, existing, progress=task.progress)
                passes += sweeps
            ordered, variances = greedy_order(task.covariance, rows.take(chosen), existing)
        return distance.selection(task, [chosen[place] for place in ordered], variances, passes=passes)


def greedy(task: Task, rows: TransformedRows, existing: np.ndarray) -> list[int]:
    """Return candidates by pivoted Cholesky, in order of falling conditional variance; the first of equal ones wins."""
    process = Conditional(rows, task.covariance, existing, len(existing) + task.budget)
    process.know_existing()
    chosen, pace = [], Pace()
    while len(chosen) < task.budget:
        best = first_farthest(process.variance[: rows.size])
        if not chosen and not len(existing):
            best = _start(task, rows)
        if process.variance[best] <= task.covariance.overlap:
            break
        process.know(best)
        chosen.append(best)
        process.variance[best] = -np.inf
        if pace.is_due():
            task.progress(f"rank {len(chosen)} of {task.budget}, largest variance {process.variance.max():.3g}")
    return chosen


def _start(task: Task, rows: TransformedRows) -> int:
    """Return the candidate that `start` names, or the one farthest from the pool's mean descriptor."""
    if task.start is not None:
        if task.start >= rows.size:
            raise InputError(f"start: there is no candidate {task.start}; the pool ends at {rows.size - 1}.")
        return task.start
    mean = rows.of(task.mean[None]).astype(float)
    similarity, own = np.empty((1, rows.size)), np.empty(rows.size)
    covariance_with(rows, task.covariance, mean, similarity)
    rows.each(lambda span, block: own.__setitem__(span, task.covariance.diagonal(block)))
    return first_farthest(own + task.covariance.diagonal(mean) - 2 * similarity[0])


def greedy_order(covariance: Covariance, members: np.ndarray, existing: np.ndarray) -> tuple[list[int], list[float]]:
    """Return the places of members (n, dimension) by falling conditional variance, and these variances.

    A member that coincides with an earlier one has variance 0, and comes last.
    """
    everyone = np.concatenate([members, existing])
    gram, n = covariance.gram(everyone, everyone), len(members)
    variance, factor = gram.diagonal().copy(), np.zeros((0, len(everyone)))
    order: list[int] = []
    scores: list[float] = []
    for step in range(len(everyone)):
        if step < len(existing):
            best = n + step
        else:
            left = variance[:n].copy()
            left[order] = -np.inf
            best = first_farthest(left) if order or len(existing) else 0
            order.append(best)
            scores.append(float(max(variance[best], 0.0)))
        if variance[best] > covariance.overlap:
            column = gram[best].copy()
            for earlier in factor:
                column -= earlier[best] * earlier
            column /= np.sqrt(variance[best])
            factor = np.vstack([factor, column])
            variance -= column * column
    return order, scores


def exchange(
    rows: TransformedRows,
    covariance: Covariance,
    chosen: list[int],
    existing: np.ndarray,
    *,
    sweeps: int = 100,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[int], int]:
    """Swap members for candidates until no single swap raises log det (K + 1e-10 I) by more than 1e-6.

    Parameters
    ----------
    rows : TransformedRows
        Features of all candidates.
    chosen : list of int
        The design to start from.
    existing : (m, dimension)
        Structures that also have rows in K, and that stay.
    sweeps : int
        Largest number of sweeps over the members.

    Returns
    -------
    list of int, int
        The design; sweeps made.
    """
    m, members = len(existing), list(chosen)
    vectors = np.concatenate([existing, rows.take(members)])
    cross, own = np.empty((len(vectors), rows.size)), np.empty(rows.size)
    covariance_with(rows, covariance, vectors, cross)
    rows.each(lambda span, block: own.__setitem__(span, covariance.diagonal(block)))
    precision = _precision(covariance, vectors)
    pace = Pace()
    for sweep in range(1, sweeps + 1):
        swaps, variance = 0, _variance(own + JITTER, cross, precision)
        for place in range(m, len(vectors)):
            share = combine(precision[place], cross)
            without = variance + share * share / precision[place, place]
            without[members] = -np.inf
            best = first_largest(without)
            if without[best] * precision[place, place] <= np.exp(GAIN):
                continue
            vector = rows.take([best])
            others = np.delete(np.arange(len(vectors)), place)
            column = np.empty((1, rows.size))
            covariance_with(rows, covariance, vector, column)
            towards = covariance.gram(vectors[others], vector)[:, 0]
            weights = np.zeros(len(vectors))
            weights[others] = np.linalg.solve(_gram(covariance, vectors[others]), towards)
            posterior = column[0] - combine(weights, cross)
            variance = without - posterior * posterior / without[best]
            old = members[place - m]
            members[place - m], vectors[place], cross[place] = best, vector[0], column[0]
            precision = _precision(covariance, vectors)
            # Members have no variance, so that of the one that left is computed.
            variance[old] = own[old] + JITTER - cross[:, old] @ precision @ cross[:, old]
            swaps += 1
            if pace.is_due():
                progress(f"exchange, sweep {sweep}: member {place - m + 1} of {len(members)}, {swaps} swaps")
        progress(f"exchange, sweep {sweep}: {swaps} swaps")
        if not swaps:
            break
    return members, sweep


def combine(weights: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Return the product of weights (t,) and cross (t, N), summed in one order: (N,)."""
    total = np.zeros(cross.shape[1])
    for start in range(0, len(total), SPAN):
        span = slice(start, start + SPAN)
        for weight, row in zip(weights, cross[:, span], strict=True):
            total[span] += weight * row
    return total


def _gram(covariance: Covariance, vectors: np.ndarray) -> np.ndarray:
    return covariance.gram(vectors, vectors) + JITTER * np.eye(len(vectors))


def _precision(covariance: Covariance, vectors: np.ndarray) -> np.ndarray:
    """Return the inverse (t, t) of the covariance of known structures."""
    inverse = np.linalg.inv(_gram(covariance, vectors))
    return (inverse + inverse.T) / 2


def _variance(own: np.ndarray, cross: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return the variance (N,) of every candidate given all members."""
    variance = own.copy()
    for start in range(0, len(own), SPAN):
        span = slice(start, start + SPAN)
        part = cross[:, span]
        variance[span] -= (part * (precision @ part)).sum(axis=0)
    return steady(variance)
