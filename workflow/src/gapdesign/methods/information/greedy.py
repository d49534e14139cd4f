"""The greedy choice, which scores again only candidates whose earlier score could still win."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gapdesign.descriptors.covariance import reach
from gapdesign.methods.information.scores import Pool, Posterior, only_falls, score
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.costs import affordable
from gapdesign.progress import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from gapdesign.methods.base import Task
    from gapdesign.methods.information import InformationOptions

CHUNK = 32
"""Candidates that are scored between two looks at the bounds of the others."""


class Chosen(NamedTuple):
    """A greedy choice.

    Attributes
    ----------
    candidates : (n,) int64
    scores : (n,) float64
        Of each when it was chosen.
    outside : (n,) float64
        After each, the largest score of a candidate left out; per core-hour and of those that are still paid for, with
        a budget of core-hours.
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


class Greedy:
    """The choice for a task.

    Parameters
    ----------
    task : Task
    options : InformationOptions
    """

    def __init__(self, task: Task, options: InformationOptions) -> None:
        self._task, self._options, self._pool = task, options, Pool(task, options)
        self._pays = task.core_hours is not None
        self._costs = task.costs if self._pays else np.ones(task.pool.size)
        self._core_hours = task.core_hours if self._pays else np.inf
        self._free = distance.free(task)
        self._pace = Pace()

    def choose(self) -> Chosen:
        """Choose until the budget is spent, or nothing is left that differs from what is there.

        The information in a number of structures is at least 1 - 1/e, 63 %, of the most that as many can have
        (Nemhauser, Wolsey and Fisher 1978); within core-hours the choice, or the best single structure if that is worth
        more, has at least 1 - 1/sqrt(e), 39 % (Khuller, Moss and Naor 1999). The bound of the design itself is usually
        far better, and told.
        """
        is_information = set(self._options.scores) == {"entropy"}
        threads = ThreadPoolExecutor(self._task.threads) if self._task.threads > 1 else nullcontext()
        with threads as executor:
            make = partial(_Ranks, self._task, self._options, self._pool, executor)
            ranks = make()
            alone = ranks.scores(np.flatnonzero(self._free), tell=self._tell("candidates"))
            found = self._run(ranks, alone)
            if self._pays and is_information:
                single = np.where(self._free & affordable(self._costs, 0.0, self._core_hours), alone, -np.inf)
                best = int(np.argmax(single))
                if single[best] > found.scores.sum():
                    self._task.progress(f"candidate {best} alone teaches more than all of {len(found.candidates)}")
                    found = self._run(make(), alone, first=best)
        if is_information and len(found.candidates):
            has, most = (
                found.scores.sum() / self._options.scores["entropy"],
                found.most / self._options.scores["entropy"],
            )
            self._task.progress(
                f"{has:.6g} nats of information, {has / most:.1%} or more of the most that any such design has"
            )
        return found

    def _run(self, ranks: _Ranks, alone: np.ndarray, first: int | None = None) -> Chosen:
        """Choose, beginning with one that is given, by scores (N,) before any choice."""
        task, free, spent = self._task, self._free.copy(), 0.0
        bounds, is_new = alone.copy(), np.ones(task.pool.size, bool)
        candidates: list[int] = []
        scores: list[float] = []
        outside: list[float] = []
        while True:
            may = free & affordable(self._costs, spent, self._core_hours)
            best, largest = ranks.best(bounds, is_new, may, self._costs) if first is None else (first, 0.0)
            if best is not None and distance.is_copy(task, best, candidates):
                free[best] = False
                continue
            if candidates:
                outside.append(largest)
            if best is None or len(candidates) == task.budget:
                break
            first, free[best] = None, False
            candidates.append(best)
            scores.append(float(bounds[best]))
            spent += float(self._costs[best])
            ranks.learn(best)
            is_new[:] = False
            if self._pace.is_due():
                task.progress(f"rank {len(candidates)} of {task.budget}, score {scores[-1]:.4g}")
        others = free & affordable(self._costs, 0.0, self._core_hours)
        budget = self._core_hours if self._pays else float(len(candidates))
        most = sum(scores) + _packed(bounds[others], self._costs[others], budget)
        passes = -(-ranks.scored // task.pool.size)
        return Chosen(np.array(candidates, np.int64), np.array(scores), np.array(outside), passes, most)

    def _tell(self, what: str) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            if self._pace.is_due():
                self._task.progress(f"{done} of {total} {what} scored")

        return tell


def _packed(values: np.ndarray, costs: np.ndarray, budget: float) -> float:
    """Return the largest value that a budget buys of some things (n,), of the last one a part."""
    order = np.argsort(-values / costs, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(costs[order])])[:-1]
    return float((values[order] * np.clip((budget - before) / costs[order], 0.0, 1.0)).sum())


class _Ranks:
    """What was learnt from the ranks so far, and the scores of candidates then."""

    def __init__(
        self, task: Task, options: InformationOptions, pool: Pool, executor: ThreadPoolExecutor | None
    ) -> None:
        self._task, self._options, self._pool, self._executor = task, options, pool, executor
        self._posterior = Posterior(pool.dimension)
        for labels in pool.existing():
            self._posterior.learn(labels.learnt)
        self.scored = 0

    def learn(self, candidate: int) -> None:
        """Learn the labels of a candidate."""
        self._posterior.learn(self._pool.one(candidate).learnt)

    def scores(self, some: np.ndarray, tell: Callable[[int, int], None] = lambda done, total: None) -> np.ndarray:
        """Return scores (N,), infinite but for some candidates (n,)."""
        found = np.full(self._task.pool.size, np.inf)
        for start in range(0, len(some), CHUNK):
            chunk = some[start : start + CHUNK]
            labels = [self._pool.one(int(candidate)) for candidate in chunk]
            run = map if self._executor is None else self._executor.map
            found[chunk] = list(run(lambda one: score(one, self._posterior, self._options), labels))
            tell(start + len(chunk), len(some))
        self.scored += len(some)
        return found

    def best(
        self, bounds: np.ndarray, is_new: np.ndarray, may: np.ndarray, costs: np.ndarray
    ) -> tuple[int | None, float]:
        """Return the candidate with the largest score per cost, and that; ties go to the first.

        Parameters
        ----------
        bounds, is_new : (N,)
            Scores, and whether they are those of this rank; both are brought up to date as far as needed.
        may : (N,) bool
            Candidates that may be chosen.
        costs : (N,)
        """
        if not only_falls(self._options):
            waiting = np.flatnonzero(may & ~is_new)
            bounds[waiting], is_new[waiting] = self.scores(waiting)[waiting], True
        ratios = np.where(may, bounds, -np.inf) / costs
        while True:
            largest = ratios[is_new].max(initial=-np.inf)
            waiting = np.flatnonzero(may & ~is_new & (ratios >= reach(largest)))
            if not len(waiting):
                break
            if len(waiting) > CHUNK:
                waiting = waiting[np.argpartition(-ratios[waiting], CHUNK)[:CHUNK]]
            bounds[waiting], is_new[waiting] = self.scores(waiting)[waiting], True
            ratios[waiting] = bounds[waiting] / costs[waiting]
        if not np.isfinite(largest):
            return None, 0.0
        return int(np.argmax(is_new & (ratios >= reach(largest)))), float(largest)
