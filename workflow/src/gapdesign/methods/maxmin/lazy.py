"""Max-min on expensive distances: `kernel.structure: rematch` or `environment` (BR figure 2, appendix B).

The order is that of the plain greedy algorithm on the whole pool. Psi, the squared distance of a candidate from the
design, only falls as the design grows, so a value computed for fewer ranks is an upper bound. The candidate
with the largest bound is measured against the ranks that it has missed, until it falls below the next bound or has
missed none: then no other candidate can be farther. Bounds are Psi itself, by the defining computation. Candidates
with a smaller index, whose bounds are equal to single precision, are then measured in turn: the first that is as far
is chosen.

For a candidate with several numbers, the smallest of each are kept while memory suffices. The least recently measured
candidates are forgotten, and measured again if they are ever the farthest. Their bounds stay, so that the order is the
same.
"""

from __future__ import annotations

import time

import numpy as np

from gapdesign.descriptors.covariance import first_farthest, reach
from gapdesign.descriptors.structure_distances import Recent, Structure
from gapdesign.errors import InputError
from gapdesign.methods.base import Selection, Task
from gapdesign.methods.maxmin.state import State
from gapdesign.methods.shared.resources import block_rows, require
from gapdesign.progress import Pace

SPAN = 1024
"""Number of candidates that share a largest bound."""


def select(task: Task) -> Selection:
    """Return the exact greedy max-min order by the task's distance of structures.

    It starts from the candidate farthest from the pool's mean descriptor by the average covariance or, if there is
    one, from the existing set. It ends before the budget when every candidate left out coincides with a chosen one.
    """
    return _LazyGreedy(task).run()


def farthest_from_mean(task: Task) -> int:
    """Return the candidate farthest from the pool's mean descriptor, the first of equal ones."""
    blocks = task.pool.blocks(block_rows(task.memory, task.pool.dimension, 1))
    return first_farthest(np.concatenate([task.covariance.distance2(rows, task.mean) for _, rows in blocks]))


class _Bounds:
    """Upper bounds of Psi of all candidates; minus infinity for those that can no longer be chosen."""

    def __init__(self, size: int) -> None:
        self.of = np.full(size, np.inf)
        self._largest = np.full(-(-size // SPAN), np.inf)

    def set(self, candidate: int, bound: float) -> None:
        """Change the bound of a candidate."""
        self.of[candidate] = bound
        span = candidate // SPAN
        self._largest[span] = self.of[span * SPAN : (span + 1) * SPAN].max()

    def first(self, least: float, stop: int) -> int | None:
        """Return the first candidate before ``stop`` whose bound is at least ``least``, if there is one."""
        for span in np.flatnonzero(self._largest[: stop // SPAN + 1] >= least).tolist():
            found = np.flatnonzero(self.of[span * SPAN : min((span + 1) * SPAN, stop)] >= least)
            if len(found):
                return span * SPAN + int(found[0])
        return None

    def top(self) -> tuple[int, float]:
        """Return the candidate with the largest bound, the first of equal ones, and that bound."""
        span = int(np.argmax(self._largest))
        candidate = span * SPAN + int(np.argmax(self.of[span * SPAN : (span + 1) * SPAN]))
        return candidate, float(self.of[candidate])


class _LazyGreedy:
    """One run of the algorithm."""

    def __init__(self, task: Task) -> None:
        self.task, self.structures = task, task.structures
        self.ranks: list[Structure] = list(self.structures.existing)
        self.chosen: list[int] = []
        self.bounds = _Bounds(self.structures.size)
        self.nearest = Recent(task.memory * 2**20 / 4)
        self.seen = np.zeros(self.structures.size, np.int32)
        self.measured, self.began, self.pace = 0, time.monotonic(), Pace()
        room = len(self.ranks) + task.budget + 1
        needed = 12 * self.structures.size + self.structures.bytes_each * room
        what = f"12 bytes for each of {self.structures.size} candidates, and {room} structures"
        # The rest is for the distances of candidates, twice when they are written, and for blocks of features.
        require(task.memory, 4 * needed, "maxmin", what)

    def run(self) -> Selection:
        """Choose the budget; the distance of the rank after it is the last certificate."""
        distances2 = self._begin()[: len(self.chosen)]
        while True:
            candidate, psi = self._farthest()
            distances2.append(psi)
            if len(self.chosen) == self.task.budget or psi <= self.structures.distance.overlap:
                break
            self._choose(candidate)
        roots, n = np.sqrt(np.array(distances2)), len(self.chosen)
        candidates = np.array(self.chosen, np.int64)
        state = State(self.structures.size, candidates, np.array(distances2), self._known())
        return Selection(candidates, roots[:n], roots[1 : n + 1], state=state)

    def _begin(self) -> list[float]:
        """Choose the first rank, and after it the ranks of an earlier selection that are still right.

        Returns
        -------
        list of float
            Distances (D2) of the ranks chosen, and of the next one if it is known.
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
            if len(known) <= first:
                break  # none is right
        for candidate in ranks[: len(known) - first]:
            self._leave_out(candidate)
        del self.ranks[existing + len(self.chosen) :]
        self._restore(earlier.bounds)
        self.task.progress(f"{len(self.chosen)} ranks of an earlier selection are still right")
        return distances2 + known[first:].tolist()

    def _still_right(self, candidate: int, known: np.ndarray, existing: int, first: int) -> int:
        """Return how many of the first ``known`` distances (n,) a new candidate of the pool does not exceed."""
        structure, nearest = self.structures[candidate], np.array([np.inf])
        for count, rank in enumerate([*self.ranks, None]):
            place = count - existing
            if place >= first and nearest.max() > known[place]:
                return place
            # Distances fall but for equal ones, which are in the order of their indices.
            if rank is None or place + 1 >= len(known) or nearest.max() <= known[max(place, first) :].min():
                break
            nearest = np.minimum(nearest, self.structures.distance2(structure, rank))
            self._know(candidate, nearest, count + 1)
            self.measured += 1
            self._report(nearest.max())
        return len(known)

    def _know(self, candidate: int, nearest: np.ndarray, seen: int) -> None:
        """Keep the squared distances (k,) of a candidate from the ``seen`` first ranks, and its bound."""
        self.seen[candidate] = seen
        self.bounds.set(candidate, min(nearest.max(), self.bounds.of[candidate]))
        if len(nearest) > 1:  # one number is the bound itself
            for gone in self.nearest.put(candidate, nearest):
                self.seen[gone] = 0

    def _nearest(self, candidate: int) -> np.ndarray:
        """Return the squared distances (k,) of a candidate from the ranks that it has seen."""
        if not self.seen[candidate]:
            return np.array([np.inf])
        return self.nearest[candidate] if candidate in self.nearest else self.bounds.of[[candidate]]

    def _known(self) -> dict[str, np.ndarray]:
        """Return the squared distances of measured candidates, end to end, and the ranks that they have seen."""
        measured = np.flatnonzero((self.seen > 0) & (self.bounds.of > -np.inf))
        lengths = np.array([len(self._nearest(k)) for k in measured.tolist()], np.int64)
        nearest = np.empty(lengths.sum())
        for candidate, end, length in zip(measured.tolist(), np.cumsum(lengths), lengths, strict=True):
            nearest[end - length : end] = self._nearest(candidate)
        return {"measured": measured, "lengths": lengths, "nearest": nearest, "seen": self.seen[measured]}

    def _restore(self, known: dict[str, np.ndarray]) -> None:
        """Restore the values of :meth:`_known`, except those that account for ranks that are gone."""
        for candidate in np.flatnonzero(self.seen > len(self.ranks)).tolist():
            self._forget(candidate)
        ends = np.cumsum(known["lengths"])
        told = zip(known["measured"].tolist(), ends - known["lengths"], ends, known["seen"].tolist(), strict=True)
        for candidate, start, end, seen in told:
            if seen <= len(self.ranks) and self.bounds.of[candidate] > -np.inf:
                self._know(candidate, known["nearest"][start:end].copy(), seen)

    def _forget(self, candidate: int) -> None:
        """Forget all that is known about a candidate."""
        self.nearest.drop(candidate)
        self.seen[candidate] = 0
        self.bounds.set(candidate, np.inf)

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
        self._leave_out(candidate)
        self.ranks.append(self.structures[candidate])

    def _leave_out(self, candidate: int) -> None:
        """Mark a candidate as chosen."""
        self.chosen.append(candidate)
        self.nearest.drop(candidate)
        self.bounds.set(candidate, -np.inf)

    def _farthest(self) -> tuple[int, float]:
        """Return the candidate with the largest Psi, the first of equal ones, and its Psi; (-1, 0) if there is none."""
        while True:
            candidate, bound = self.bounds.top()
            if bound == -np.inf:
                return -1, 0.0
            if self.seen[candidate] == len(self.ranks):
                return self._first_equal(candidate, bound)
            self.bounds.set(candidate, -np.inf)
            _, floor = self.bounds.top()
            self.bounds.set(candidate, bound)
            self._refresh(candidate, floor)

    def _first_equal(self, farthest: int, psi: float) -> tuple[int, float]:
        """Return the first candidate whose Psi is equal to that of the farthest one, and its Psi."""
        least = reach(psi)
        while (candidate := self.bounds.first(least, farthest)) is not None:
            if self.seen[candidate] == len(self.ranks):
                return candidate, float(self.bounds.of[candidate])
            self._refresh(candidate, least)
        return farthest, psi

    def _refresh(self, candidate: int, floor: float) -> None:
        """Measure a candidate against the ranks that it missed, or until it falls below ``floor``."""
        structure, nearest, seen = self.structures[candidate], self._nearest(candidate), int(self.seen[candidate])
        psi = np.inf
        while seen < len(self.ranks) and psi >= floor:
            nearest = np.minimum(nearest, self.structures.distance2(structure, self.ranks[seen]))
            psi, seen = nearest.max(), seen + 1
            self.measured += 1
            self._report(psi)
        self._know(candidate, nearest, seen)

    def _report(self, psi: float) -> None:
        if not self.pace.is_due():
            return
        done, seconds = len(self.chosen), time.monotonic() - self.began
        self.task.progress(
            f"rank {done} of {self.task.budget}, distance about {np.sqrt(psi):.4f},"
            f" {self.measured} pairs of structures measured, {seconds:.0f} s"
        )
