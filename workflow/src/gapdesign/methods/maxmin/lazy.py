"""Max-min on distances that are dear: `kernel.structure: rematch` or `environment` (BR figure 2, appendix B).

The order is that of the plain greedy algorithm on the whole pool. Psi, the squared distance of a candidate from the
design, only falls as the design grows, so one computed for fewer ranks is an upper bound. The candidate with the
largest bound is measured against the ranks that it has missed, until it falls below the next one's bound or has
missed none: then no other can be farther, and none that is as far has a smaller index. Bounds are Psi itself, by the
one defined computation, so that nothing is left to settle.

Of a candidate with several numbers its smallest of each are kept, as long as there is memory: those of candidates that
were measured longest ago are forgotten, and measured again if the candidate is ever the farthest. Its bound stays, so
that the order is the same.
"""

from __future__ import annotations

import time

import numpy as np

from gapdesign.descriptors.structure_distances import Recent, Structure
from gapdesign.errors import InputError
from gapdesign.methods.base import Selection, Task
from gapdesign.methods.maxmin.state import State
from gapdesign.methods.shared.resources import block_rows, require
from gapdesign.progress import Pace

SPAN = 1024
"""Candidates whose largest bound is known at once."""


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


class _Bounds:
    """Upper bounds of Psi of all candidates; minus infinity for those that cannot be chosen any more."""

    def __init__(self, size: int) -> None:
        self.of = np.full(size, np.inf)
        self._largest = np.full(-(-size // SPAN), np.inf)

    def set(self, candidate: int, bound: float) -> None:
        """Change one."""
        self.of[candidate] = bound
        span = candidate // SPAN
        self._largest[span] = self.of[span * SPAN : (span + 1) * SPAN].max()

    def top(self) -> tuple[int, float]:
        """The candidate with the largest bound, the first of equal ones, and that bound."""
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
        # The rest is for what is kept of candidates, twice when it is written, and for blocks of features.
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
            if len(known) <= first:
                break  # none is right
        for candidate in ranks[: len(known) - first]:
            self._leave_out(candidate)
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
            self._know(candidate, nearest, count + 1)
            self.measured += 1
            self._report(nearest.max())
        return len(known)

    def _know(self, candidate: int, nearest: np.ndarray, seen: int) -> None:
        """Keep the squared distances (k,) of a candidate from as many ranks as it has ``seen``, and its bound."""
        self.seen[candidate] = seen
        self.bounds.set(candidate, min(nearest.max(), self.bounds.of[candidate]))
        if len(nearest) > 1:  # one number is the bound itself
            for gone in self.nearest.put(candidate, nearest):
                self.seen[gone] = 0

    def _nearest(self, candidate: int) -> np.ndarray:
        """The squared distances (k,) of a candidate from the ranks that it has seen."""
        if not self.seen[candidate]:
            return np.array([np.inf])
        return self.nearest[candidate] if candidate in self.nearest else self.bounds.of[[candidate]]

    def _known(self) -> dict[str, np.ndarray]:
        """What is known of candidates that were measured: their squared distances end to end, and the ranks seen."""
        measured = np.flatnonzero((self.seen > 0) & (self.bounds.of > -np.inf))
        lengths = np.array([len(self._nearest(k)) for k in measured.tolist()], np.int64)
        nearest = np.empty(lengths.sum())
        for candidate, end, length in zip(measured.tolist(), np.cumsum(lengths), lengths, strict=True):
            nearest[end - length : end] = self._nearest(candidate)
        return {"measured": measured, "lengths": lengths, "nearest": nearest, "seen": self.seen[measured]}

    def _restore(self, known: dict[str, np.ndarray]) -> None:
        """Know again what :meth:`_known` told, but for what accounts for ranks that are none any more."""
        for candidate in np.flatnonzero(self.seen > len(self.ranks)).tolist():
            self._forget(candidate)
        ends = np.cumsum(known["lengths"])
        told = zip(known["measured"].tolist(), ends - known["lengths"], ends, known["seen"].tolist(), strict=True)
        for candidate, start, end, seen in told:
            if seen <= len(self.ranks) and self.bounds.of[candidate] > -np.inf:
                self._know(candidate, known["nearest"][start:end].copy(), seen)

    def _forget(self, candidate: int) -> None:
        """Know nothing of a candidate."""
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
        """Count a candidate as chosen."""
        self.chosen.append(candidate)
        self.nearest.drop(candidate)
        self.bounds.set(candidate, -np.inf)

    def _farthest(self) -> tuple[int, float]:
        """The candidate with the largest Psi, and that Psi; (-1, 0) if there is none."""
        while True:
            candidate, bound = self.bounds.top()
            if bound == -np.inf:
                return -1, 0.0
            if self.seen[candidate] == len(self.ranks):
                return candidate, bound
            self.bounds.set(candidate, -np.inf)
            _, floor = self.bounds.top()
            self.bounds.set(candidate, bound)
            self._refresh(candidate, floor)

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
