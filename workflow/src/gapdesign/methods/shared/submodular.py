"""The greedy choice by a score that can only fall while more is chosen, and its proof.

What a structure would add to fewer structures is then a bound of what it adds to more, and most candidates need not be
looked at again: the choice is exact (Minoux 1978).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from gapdesign.descriptors.covariance import reach
from gapdesign.methods.base import Selection, Wrong
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.costs import affordable
from gapdesign.progress import Pace

if TYPE_CHECKING:
    from gapdesign.methods.base import Task

TOLERANCE = 1e-7
"""Relative difference of two computations of a score; a tenth of what counts as equal."""

REFERENCE = (
    "M. Minoux, Accelerated greedy algorithms for maximizing submodular set functions, Optimization Techniques,"
    " Lecture Notes in Control and Information Sciences 7, 234 (1978)",
    "10.1007/BFb0006528",
    "the lazy greedy algorithm",
)


class Scorer(Protocol):
    """Scores of candidates, given what was chosen.

    Attributes
    ----------
    only_falls : bool
        Whether scores can only fall while more is chosen.
    chunk : int
        Candidates that are scored between two looks at the bounds of the others.
    power : float
        Power of its cost that is the price of a structure, by which its score is divided with a budget of core-hours.
    """

    only_falls: bool
    chunk: int
    power: float

    def scores(self, some: np.ndarray) -> np.ndarray:
        """Return the scores (n,) of some candidates (n,)."""

    def choose(self, candidate: int) -> None:
        """Count a candidate as chosen."""


class Chosen(NamedTuple):
    """A greedy choice.

    Attributes
    ----------
    candidates : (n,) int64
    scores : (n,) float64
        Of each when it was chosen.
    outside : (n,) float64
        After each, the largest score of a candidate left out; with a budget of core-hours, the largest score over price
        of those that are still paid for.
    passes : int
        Candidates that were scored, in units of the pool, rounded up.
    most : float
        Bound of the sum of scores of any design within the same budget, where that is monotone and submodular.
    """

    candidates: np.ndarray
    scores: np.ndarray
    outside: np.ndarray
    passes: int
    most: float

    def selection(self, task: Task) -> Selection:
        """Return it as the design of a task."""
        distances = distance.down_the_design(task, self.candidates)
        return Selection(self.candidates, distances, self.outside, passes=self.passes, scores=self.scores)


def choose(task: Task, scorer: Callable[[], Scorer], *, is_monotone: bool) -> Chosen:
    """Choose until the budget is spent, or nothing is left that differs from what is there.

    Scores that differ by less than a millionth count as equal, and the first of equal ones wins. With a budget of
    core-hours they are divided by prices.

    Where the sum of scores is monotone and submodular, that of a number of structures is at least 1 - 1/e, 63 %, of the
    most that as many can have (Nemhauser, Wolsey and Fisher 1978); within core-hours, where prices are costs, the
    choice, or the best single structure if that is worth more, has at least 1 - 1/sqrt(e), 39 % (Khuller, Moss and Naor
    1999).

    Parameters
    ----------
    task : Task
    scorer : callable
        Returns scores before any choice.
    is_monotone : bool
        Whether the sum of scores is monotone and submodular.
    """
    return _Greedy(task, scorer).choose(is_monotone)


def _largest(
    bounds: np.ndarray, is_new: np.ndarray, may: np.ndarray, prices: np.ndarray, scorer: Scorer
) -> tuple[int | None, float]:
    """Return the candidate with the largest score over price, and that; ties go to the first.

    Parameters
    ----------
    bounds, is_new : (N,)
        Scores, and whether they are those of this rank; both are brought up to date as far as needed.
    may : (N,) bool
        Candidates that may be chosen.
    prices : (N,)
    scorer : Scorer
    """
    if not scorer.only_falls:
        waiting = np.flatnonzero(may & ~is_new)
        bounds[waiting], is_new[waiting] = scorer.scores(waiting), True
    ratios = np.where(may, bounds, -np.inf) / prices
    while True:
        most = ratios[is_new].max(initial=-np.inf)
        waiting = np.flatnonzero(may & ~is_new & (ratios >= reach(most)))
        if not len(waiting):
            break
        if len(waiting) > scorer.chunk:
            waiting = waiting[np.argpartition(-ratios[waiting], scorer.chunk)[: scorer.chunk]]
        bounds[waiting], is_new[waiting] = scorer.scores(waiting), True
        ratios[waiting] = bounds[waiting] / prices[waiting]
    if not np.isfinite(most):
        return None, 0.0
    return int(np.argmax(is_new & (ratios >= reach(most)))), float(most)


class _Greedy:
    """The choice for a task."""

    def __init__(self, task: Task, scorer: Callable[[], Scorer]) -> None:
        self._task, self._scorer = task, scorer
        self._pays = task.core_hours is not None
        self._costs = task.costs if self._pays else np.ones(task.pool.size)
        self._core_hours = task.core_hours if self._pays else np.inf
        self._free = distance.free(task)
        self._pace = Pace()

    def choose(self, is_monotone: bool) -> Chosen:
        scorer = _InParts(self._scorer())
        alone = np.full(self._task.pool.size, np.inf)
        some = np.flatnonzero(self._free)
        for start in range(0, len(some), scorer.chunk):
            part = some[start : start + scorer.chunk]
            alone[part] = scorer.scores(part)
            if self._pace.is_due():
                self._task.progress(f"{start + len(part)} of {len(some)} candidates scored")
        found = self._run(scorer, alone)
        if self._pays and is_monotone:
            single = np.where(self._free & affordable(self._costs, 0.0, self._core_hours), alone, -np.inf)
            best = int(np.argmax(single))
            if single[best] > found.scores.sum():
                self._task.progress(f"candidate {best} alone is worth more than all of {len(found.candidates)}")
                found = self._run(_InParts(self._scorer()), alone, first=best)
        return found

    def _run(self, scorer: _InParts, alone: np.ndarray, first: int | None = None) -> Chosen:
        """Choose, beginning with one that is given, by scores (N,) before any choice."""
        task, free, spent = self._task, self._free.copy(), 0.0
        bounds, is_new = alone.copy(), np.ones(task.pool.size, bool)
        prices = self._costs**scorer.power
        candidates: list[int] = []
        scores: list[float] = []
        outside: list[float] = []
        while True:
            may = free & affordable(self._costs, spent, self._core_hours)
            best, most = (first, 0.0)
            if first is None:
                best, most = _largest(bounds, is_new, may, prices, scorer)
            if best is not None and distance.is_copy(task, best, candidates):
                free[best] = False
                continue
            if candidates:
                outside.append(most)
            if best is None or len(candidates) == task.budget:
                break
            first, free[best] = None, False
            candidates.append(best)
            scores.append(float(bounds[best]))
            spent += float(self._costs[best])
            scorer.choose(best)
            is_new[:] = False
            if self._pace.is_due():
                task.progress(f"rank {len(candidates)} of {task.budget}, score {scores[-1]:.4g}")
        others = free & affordable(self._costs, 0.0, self._core_hours)
        budget = self._core_hours if self._pays else float(len(candidates))
        most = sum(scores) + _packed(bounds[others], self._costs[others], budget)
        passes = -(-scorer.scored // task.pool.size)
        return Chosen(np.array(candidates, np.int64), np.array(scores), np.array(outside), passes, most)


class _InParts:
    """Scores of a few candidates at once, which bounds the memory, and how many there were."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer, self.scored = scorer, 0
        self.only_falls, self.chunk, self.power = scorer.only_falls, scorer.chunk, scorer.power
        self.choose = scorer.choose

    def scores(self, some: np.ndarray) -> np.ndarray:
        """Return the scores (n,) of some candidates (n,)."""
        self.scored += len(some)
        parts = [self._scorer.scores(some[k : k + self.chunk]) for k in range(0, len(some), self.chunk)]
        return np.concatenate([np.zeros(0), *parts])


def _packed(values: np.ndarray, costs: np.ndarray, budget: float) -> float:
    """Return the largest value that a budget buys of some things (n,), of the last one a part."""
    order = np.argsort(-values / costs, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(costs[order])])[:-1]
    return float((values[order] * np.clip((budget - before) / costs[order], 0.0, 1.0)).sum())


def first_wrong_rank(task: Task, scorer: Scorer, design: Selection) -> Wrong | None:
    """Check a greedy design and its certificate against every candidate whose score could be the largest.

    Parameters
    ----------
    task : Task
    scorer : Scorer
        Scores before any choice, which only fall; best by another computation than that of the choice.
    design : Selection
    """
    candidates, scores, outside = design.candidates, design.scores, design.outside
    if len(np.unique(candidates)) < len(candidates):
        rank = next(k for k in range(len(candidates)) if candidates[k] in candidates[:k])
        return Wrong(rank, f"candidate {candidates[rank]} is chosen twice")
    scorer, pace = _InParts(scorer), Pace()
    free, bounds = distance.free(task), np.full(task.pool.size, np.inf)
    pays = task.core_hours is not None
    costs, core_hours = (task.costs, task.core_hours) if pays else (np.ones(task.pool.size), np.inf)
    prices, spent = costs**scorer.power, 0.0
    for rank in range(len(candidates) + 1):
        is_last = rank == len(candidates)
        own = None if is_last else int(candidates[rank])
        if own is not None:
            (bounds[own],) = scorer.scores(np.array([own]))
            if not np.isclose(bounds[own], scores[rank], rtol=TOLERANCE, atol=0):
                return Wrong(rank, f"its score is {bounds[own]:.10g}, not {scores[rank]:.10g}")
            claimed = bounds[own] / prices[own]
        else:
            claimed = outside[-1]
        may = free & affordable(costs, spent, core_hours)
        seen = _reaching(
            bounds, may, prices, claimed, scorer, partial(distance.is_copy, task, chosen=candidates[:rank])
        )
        most = (bounds[seen] / prices[seen]).max(initial=0.0)
        if own is not None and not (pays and rank == 0):  # where costs count, the best single structure may come first
            if own not in seen:
                return Wrong(rank, f"candidate {own} coincides with one before it, or costs more than is left")
            if reach(most) * (1 - TOLERANCE) > claimed:
                return Wrong(rank, f"a candidate left out scores {most:.10g}, more than its {claimed:.10g}")
            earlier = [k for k in seen if k < own and bounds[k] / prices[k] > reach(most) * (1 + TOLERANCE)]
            if earlier:
                return Wrong(rank, f"candidate {earlier[0]} scores as much and has a smaller index")
        if rank and not np.isclose(most, outside[rank - 1], rtol=TOLERANCE, atol=1e-300):
            return Wrong(rank - 1, f"the largest score left out is {most:.10g}, not {outside[rank - 1]:.10g}")
        if own is not None:
            free[own] = False
            spent += float(costs[own])
            scorer.choose(own)
        if pace.is_due():
            task.progress(f"{rank} of {len(candidates)} ranks checked")
    return None


def _reaching(
    bounds: np.ndarray,
    may: np.ndarray,
    prices: np.ndarray,
    claimed: float,
    scorer: Scorer,
    is_copy: Callable[[int], bool],
) -> np.ndarray:
    """Score every candidate whose bound reaches what is claimed to be the largest; return those that still do."""
    waiting = np.flatnonzero(may & (bounds / prices >= reach(claimed) * (1 - TOLERANCE)))
    bounds[waiting] = scorer.scores(waiting)
    found = waiting[bounds[waiting] / prices[waiting] >= reach(claimed) * (1 - TOLERANCE)]
    copies = [k for k in found if is_copy(int(k))]
    may[copies] = False
    return np.setdiff1d(found, copies)
