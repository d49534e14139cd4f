"""Max-min on distances that are dear: `kernel.structure: rematch` or `environment` (BR figure 2, appendix B).

The order is that of the plain greedy algorithm on the whole pool. Psi, the squared distance of a candidate from the
design, only falls as the design grows, so one computed for fewer ranks is an upper bound. The candidate with the
largest bound is measured against the ranks that it has missed, until it falls below the next one's bound or has
missed none: then no other can be farther, and none that is as far has a smaller index. Bounds are Psi itself, by the
one defined computation, so that nothing is left to settle.
"""

from __future__ import annotations

import time
from heapq import heappop, heapreplace

import numpy as np

from gapdesign.descriptors.structure_distances import Structure
from gapdesign.errors import InputError
from gapdesign.methods import Selection, Task, block_rows

EVERY = 10.0
"""Seconds between lines of progress."""


def select(task: Task) -> Selection:
    """The exact greedy max-min order by the task's distance of structures.

    It starts from the candidate farthest from the pool's mean descriptor by the average covariance or, if there is
    an existing set, from all of that. It ends before the budget when every candidate left out coincides with a
    chosen one.
    """
    return _Greedy(task).run()


def farthest_from_mean(task: Task) -> int:
    """The candidate farthest from the pool's mean descriptor, the first of equal ones."""
    best, best_distance2 = -1, -np.inf
    for start, features in task.pool.blocks(block_rows(task.memory, task.pool.dimension, 1)):
        distance2 = task.covariance.distance2(features, task.mean)
        first = int(np.argmax(distance2))
        if distance2[first] > best_distance2:
            best, best_distance2 = start + first, float(distance2[first])
    return best


class _Greedy:
    """One run of the algorithm."""

    def __init__(self, task: Task) -> None:
        self.task, self.structures = task, task.structures
        self.ranks: list[Structure] = list(self.structures.existing)
        self.chosen: list[int] = []
        self.nearest: dict[int, np.ndarray] = {}
        self.seen = np.zeros(self.structures.size, np.int32)
        self.measured, self.began = 0, time.monotonic()
        self.told = self.began

    def run(self) -> Selection:
        """Choose the budget; the distance of the rank after it is the last certificate."""
        distances = [] if self.ranks else [self._choose_first()]
        self.heap = [(-np.inf, k) for k in range(self.structures.size) if k not in self.chosen]
        while True:
            candidate, psi = self._farthest()
            distances.append(psi)
            if len(self.chosen) == self.task.budget or psi <= self.structures.distance.overlap:
                break
            heappop(self.heap)
            self._choose(candidate)
        roots, n = np.sqrt(np.array(distances)), len(self.chosen)
        return Selection(np.array(self.chosen, np.int64), roots[:n], roots[1 : n + 1])

    def _choose_first(self) -> float:
        """Choose the candidate to start from; its distance (D2) is that from the pool's mean descriptor."""
        candidate = self.task.start
        if candidate is None:
            candidate = farthest_from_mean(self.task)
        elif candidate >= self.structures.size:
            raise InputError(f"start: there is no candidate {candidate}; the pool ends at {self.structures.size - 1}.")
        self._choose(candidate)
        return float(self.task.covariance.distance2(self.task.pool.rows([candidate]), self.task.mean)[0])

    def _choose(self, candidate: int) -> None:
        self.chosen.append(candidate)
        self.nearest.pop(candidate, None)
        self.ranks.append(self.structures[candidate])

    def _farthest(self) -> tuple[int, float]:
        """The candidate with the largest Psi, left on top of the heap, and that Psi; (-1, 0) if there is none."""
        while self.heap:
            bound, candidate = self.heap[0]
            if self.seen[candidate] == len(self.ranks):
                return candidate, -bound
            # The second largest bound is the larger of the two below the top.
            floor = -min(self.heap[1:3], default=(np.inf, -1))[0]
            heapreplace(self.heap, (-self._refresh(candidate, floor), candidate))
        return -1, 0.0

    def _refresh(self, candidate: int, floor: float) -> float:
        """Measure a candidate against the ranks that it missed, or until it falls below ``floor``; its Psi so far."""
        candidate_now = self.structures[candidate]
        nearest, psi = self.nearest.get(candidate, np.array([np.inf])), np.inf
        while self.seen[candidate] < len(self.ranks) and psi >= floor:
            distance2 = self.structures.distance2(candidate_now, self.ranks[self.seen[candidate]])
            nearest = np.minimum(nearest, distance2)
            psi = nearest.max()
            self.seen[candidate] += 1
            self.measured += 1
            self._report(psi)
        self.nearest[candidate] = nearest
        return float(psi)

    def _report(self, psi: float) -> None:
        if time.monotonic() - self.told < EVERY:
            return
        self.told = time.monotonic()
        done, seconds = len(self.chosen), self.told - self.began
        self.task.progress(
            f"rank {done} of {self.task.budget}, distance about {np.sqrt(psi):.4f},"
            f" {self.measured} pairs of structures measured, {seconds:.0f} s"
        )
