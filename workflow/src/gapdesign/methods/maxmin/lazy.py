"""Max-min on distances that are dear: `kernel.structure: rematch` or `environment` (BR figure 2, appendix B).

The order is that of the plain greedy algorithm on the whole pool. Psi, the squared distance of a candidate from the
design, only falls as the design grows, so one computed for fewer ranks is an upper bound. The candidate with the
largest bound is measured against the ranks that it has missed, until it falls below the next one's bound or has
missed none: then no other can be farther, and none that is as far has a smaller index. Bounds are Psi itself, by the
one defined computation, so that nothing is left to settle.
"""

from __future__ import annotations

import time
from heapq import heapify, heappop, heapreplace

import numpy as np

from gapdesign.descriptors.structure_distances import Structure
from gapdesign.errors import InputError
from gapdesign.methods.base import Selection, Task
from gapdesign.methods.maxmin.state import State
from gapdesign.methods.shared.resources import block_rows

EVERY = 10.0
"""Seconds between lines of progress."""


def select(task: Task) -> Selection:
    """The exact greedy max-min order by the task's distance of structures.

    It starts from the candidate farthest from the pool's mean descriptor by the average covariance or, if there is
    an existing set, from all of that. It ends before the budget when every candidate left out coincides with a
    chosen one.
    """
    return _LazyGreedy(task).run()


def farthest_from_mean(task: Task) -> int:
    """The candidate farthest from the pool's mean descriptor, the first of equal ones."""
    best, best_distance2 = -1, -np.inf
    for start, features in task.pool.blocks(block_rows(task.memory, task.pool.dimension, 1)):
        distance2 = task.covariance.distance2(features, task.mean)
        first = int(np.argmax(distance2))
        if distance2[first] > best_distance2:
            best, best_distance2 = start + first, float(distance2[first])
    return best


class _LazyGreedy:
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
        distances2 = self._begin()[: len(self.chosen)]
        chosen = set(self.chosen)
        self.heap = [(-self._bound(k), k) for k in range(self.structures.size) if k not in chosen]
        heapify(self.heap)
        while True:
            candidate, psi = self._farthest()
            distances2.append(psi)
            if len(self.chosen) == self.task.budget or psi <= self.structures.distance.overlap:
                break
            heappop(self.heap)
            self._choose(candidate)
        roots, n = np.sqrt(np.array(distances2)), len(self.chosen)
        candidates = np.array(self.chosen, np.int64)
        state = State(self.structures.size, candidates, np.array(distances2), self._bounds())
        return Selection(candidates, roots[:n], roots[1 : n + 1], state=state)

    def _bound(self, candidate: int) -> float:
        """What Psi of a candidate cannot exceed."""
        return float(self.nearest[candidate].max()) if candidate in self.nearest else np.inf

    def _begin(self) -> list[float]:
        """Choose the first rank, and after it all that an earlier selection found and that are still right.

        Returns
        -------
        list of float
            Distances (D2) of the ranks chosen, and of the next one if it is known too.
        """
        existing, earlier = len(self.ranks), self.task.earlier
        distances2 = [] if existing else [self._choose_first()]
        first = len(self.chosen)
        if earlier is None or self.chosen != earlier.candidates[:first].tolist():
            return distances2
        ranks = earlier.candidates[first : self.task.budget].tolist()
        self.ranks += [self.structures[candidate] for candidate in ranks]
        known = earlier.distances2[: len(self.ranks) - existing + 1]
        for candidate in range(earlier.size, self.structures.size):
            known = known[: self._still_right(candidate, known, existing, first)]
        self.chosen += ranks[: len(known) - first]
        del self.ranks[existing + len(self.chosen) :]
        self._restore(earlier.bounds)
        self.task.progress(f"{len(self.chosen)} ranks of an earlier selection are still right")
        return distances2 + known[first:].tolist()

    def _still_right(self, candidate: int, known: np.ndarray, existing: int, first: int) -> int:
        """How many leading ones of the ``known`` distances (n,) a candidate that is new in the pool does not exceed."""
        structure, nearest = self.structures[candidate], np.array([np.inf])
        for count, rank in enumerate([*self.ranks, None]):
            place = count - existing
            if place >= first and nearest.max() > known[place]:
                return place
            if rank is None or nearest.max() <= known[-1]:
                break
            nearest = np.minimum(nearest, self.structures.distance2(structure, rank))
            self.nearest[candidate], self.seen[candidate] = nearest, count + 1
            self.measured += 1
            self._report(nearest.max())
        return len(known)

    def _bounds(self) -> dict[str, np.ndarray]:
        """What is known of candidates that were measured: their squared distances end to end, and the ranks seen."""
        measured = np.array(sorted(self.nearest), np.int64)
        lengths = np.array([len(self.nearest[k]) for k in measured], np.int64)
        nearest = np.concatenate([np.zeros(0), *(self.nearest[k] for k in measured)])
        return {"measured": measured, "lengths": lengths, "nearest": nearest, "seen": self.seen[measured]}

    def _restore(self, bounds: dict[str, np.ndarray]) -> None:
        """Know again what :meth:`_bounds` told, but for what accounts for ranks that are none any more."""
        parts = np.split(bounds["nearest"], np.cumsum(bounds["lengths"])[:-1])
        for candidate, nearest, seen in zip(bounds["measured"].tolist(), parts, bounds["seen"], strict=False):
            self.nearest[candidate], self.seen[candidate] = nearest, seen
        for candidate in np.flatnonzero(self.seen > len(self.ranks)).tolist():
            del self.nearest[candidate]
            self.seen[candidate] = 0
        for candidate in self.chosen:
            self.nearest.pop(candidate, None)

    def _choose_first(self) -> float:
        """Choose the candidate to start from; its distance (D2) is that from the pool's mean descriptor."""
        candidate, earlier = self.task.start, self.task.earlier
        if candidate is None and earlier is not None and earlier.size == self.structures.size:
            candidate = int(earlier.candidates[0])
        elif candidate is None:
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
