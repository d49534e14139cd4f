"""Method `maxmin`: each next structure is the one farthest from all chosen before (BR figure 2, appendix B).

The order is that of the plain greedy algorithm on the whole pool, found with less work. Psi, the squared distance
of a candidate from the design, only falls as the design grows, so a value computed for fewer ranks is an upper
bound. Candidates live on three tiers: the whole pool, a part of it that is far from the design, and within that a
front of a thousand or so. Only the front is measured against every new rank. As long as its best is farther
than the bound of all candidates outside it, no other candidate can be chosen. Otherwise the tier above is updated
against all ranks that it missed at once, which is a matrix product, and a new front is taken from it. For the same
reason a larger budget, or a larger pool, continues from the end of an earlier selection.

The pool and its part have upper bounds from codes of a few bytes (:mod:`.codes`). For the front alone, compressed
features are read, whose distances have a bound of their error on either side. Candidates whose intervals overlap at the
top are settled on their full features by the defining computation; of those that are equal to single precision
(:data:`gapdesign.descriptors.covariance.EQUAL`), the smallest index wins. docs/selection.md explains why that is exact,
and which alternatives were tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from gapdesign.descriptors.covariance import first_farthest, reach
from gapdesign.errors import InputError
from gapdesign.methods.base import Selection, Task
from gapdesign.methods.maxmin.codes import CodedCovariance, CodedPool
from gapdesign.methods.maxmin.compression import CompressedCovariance
from gapdesign.methods.maxmin.state import State
from gapdesign.methods.maxmin.tiers import CHUNK, Front, Ranks, Tier
from gapdesign.methods.shared.resources import hold, one_blas_thread

T = TypeVar("T")

FRONT = 256
"""Smallest number of candidates in a new front, if there are enough."""

UPPER = 16
"""Number of fronts in the upper part of the middle tier, which alone is searched for the next front."""

SHARE = 16
"""The middle tier holds one candidate in this many."""

SAMPLE = 4096
"""Number of candidates that determine the threshold of the middle tier, or of its upper part."""

BLOCK = 65536
"""Number of candidates that a thread reads at once."""

SETTLED = 100_000
"""Number of candidates whose Psi by the defining computation is remembered."""

LARGE = 500_000
"""Number of candidates from which passes by compiled loops save more than it takes to load them."""


def select(task: Task) -> Selection:
    """Return the exact greedy max-min order.

    It starts from the candidate farthest from the pool's mean descriptor or, if there is one, from the existing set.
    It ends before the budget when every candidate left out coincides with a chosen one.
    """
    with one_blas_thread():
        return _Greedy(task).run()


class _Greedy:
    """One run of the algorithm."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.pool = hold(task.compressed, task.memory // 16)
        codes = CodedPool(self.pool, task.basis.codec) if task.codes is None else task.codes
        self.codes = hold(codes, 3 * task.memory // 2)  # half of the memory; the other half is for bounds
        self.covariance = CompressedCovariance(task.basis, task.covariance)
        coded = CodedCovariance(task.basis.codec, task.covariance)
        existing = task.existing if task.existing is not None else np.zeros((0, task.pool.dimension), np.float32)
        room = len(existing) + task.budget + 1
        dimensions = task.pool.dimension, self.pool.dimension
        is_compiled = self.pool.size >= LARGE
        self.ranks = Ranks(task.basis, self.covariance, coded, dimensions, room, is_compiled=is_compiled)
        self.ranks.add(existing)
        self.chosen: list[int] = []
        self.passes = 0
        self._room()
        self.own, self.psi = np.empty((2, self.pool.size), np.float32)
        self.seen = np.empty(self.pool.size, np.int32)
        self._forget()

        def own(span: tuple[int, int]) -> None:
            self.own[slice(*span)] = coded.own(self.codes.block(*span))

        self._on_all(own)
        self.began = time.monotonic()

    def _room(self) -> None:
        """Set the number of candidates that the middle tier may hold; bounds of the pool take twelve bytes each."""
        free = self.task.memory * 2**20 // 2 - 12 * self.pool.size
        self.room = free // (8 * self.pool.dimension)
        if self.room < 16 * FRONT:
            needed = (12 * self.pool.size + 128 * FRONT * self.pool.dimension) // 2**19 + 1
            raise InputError(
                f"selection.memory: the bounds of {self.pool.size} candidates do not fit {self.task.memory} MiB;"
                f" give it {needed}."
            )

    def run(self) -> Selection:
        """Choose the budget; the distance of the rank after it is the last certificate."""
        budget, overlap = self.task.budget, self.task.covariance.overlap
        distances2 = self._begin()
        known = len(distances2) > len(self.chosen)
        if known and (len(self.chosen) == budget or distances2[-1] <= overlap):
            return self._selection(distances2)
        distances2 = distances2[: len(self.chosen)]
        self._sweep()
        while len(self.chosen) < budget:
            candidate, distance2 = self._farthest()
            distances2.append(distance2)
            if distance2 <= overlap:
                break
            self._choose(candidate)
            if len(self.chosen) % 50 == 0:
                self._report(distance2)
        else:
            distances2.append(self._farthest()[1])
        self._report(distances2[-1])
        self.task.progress(self._effort())
        self._hand_back()
        bounds = {"upper": self.psi, "seen": self.seen}
        state = State(self.pool.size, np.array(self.chosen, np.int64), np.array(distances2), bounds)
        return self._selection(distances2, state)

    def _selection(self, distances2: list[float], state: State | None = None) -> Selection:
        roots, n = np.sqrt(np.array(distances2)), len(self.chosen)
        return Selection(np.array(self.chosen, np.int64), roots[:n], roots[1 : n + 1], self.passes, state)

    def _forget(self) -> None:
        def forget(span: tuple[int, int]) -> None:
            self.psi[slice(*span)], self.seen[slice(*span)] = np.inf, 0

        self._on_all(forget)
        self.middle = self.front = self._errors = None
        self._settled: dict[int, tuple[float, int]] = {}

    def _begin(self) -> list[float]:
        """Choose the first rank, and after it the ranks of an earlier selection that are still right.

        Returns
        -------
        list of float
            Distances (D2) of the ranks chosen, and of the next one if it is known.
        """
        existing, earlier = self.ranks.count, self.task.earlier
        distances2 = [] if existing else [self._choose_first()]
        first = len(self.chosen)
        if earlier is None or self.chosen != earlier.candidates[:first].tolist():
            return distances2
        ranks = earlier.candidates[first : self.task.budget]
        self.ranks.add(self.task.pool.rows(ranks), self.pool.rows(ranks))
        right = self._still_right(earlier, existing)
        self.chosen += ranks[: right - first].tolist()
        self.ranks.count = existing + len(self.chosen)
        self.psi[: earlier.size], self.seen[: earlier.size] = earlier.bounds["upper"], earlier.bounds["seen"]
        # Bounds that account for ranks that are gone are void.
        void = self.seen > self.ranks.count
        self.psi[void], self.seen[void] = np.inf, 0
        self.psi[self.chosen] = -np.inf
        self.task.progress(f"{len(self.chosen)} ranks of an earlier selection are still right")
        return distances2 + earlier.distances2[first:right].tolist()

    def _still_right(self, earlier: State, existing: int) -> int:
        """Return how many of the first earlier distances no new candidate of the pool can exceed."""
        known, first = min(len(earlier.distances2), self.task.budget + 1), len(self.chosen)
        highest, limits = np.full(existing + known, -np.inf), np.full(existing + known, np.inf)
        limits[existing + first :] = earlier.distances2[first:known]
        count = self.ranks.count
        for start in range(earlier.size, self.pool.size, CHUNK):
            candidates = np.arange(start, min(start + CHUNK, self.pool.size))
            psi = self.ranks.bound(self.task.basis.codec.decode(self.codes.rows(candidates)), 0, count)
            psi = np.minimum.accumulate(psi.T + self.own[candidates, None], axis=1)
            unsure = np.flatnonzero((psi > limits[1 : 1 + count]).any(axis=1))
            if len(unsure):
                rows = self.pool.rows(candidates[unsure])
                upper = self.covariance.own(rows) + self.covariance.error(rows, self.ranks.largest)
                psi[unsure] = np.minimum.accumulate(self.ranks.excess(rows, 0, count) + upper[:, None], axis=1)
            np.maximum(highest[1 : 1 + count], psi.max(axis=0), out=highest[1 : 1 + count])
        wrong = np.flatnonzero(highest[existing + first :] > limits[existing + first :])
        return first + int(wrong[0]) if len(wrong) else known

    def _choose_first(self) -> float:
        """Choose the candidate to start from; its distance (D2) is that from the pool's mean descriptor."""
        candidate, mean = self.task.start, self.task.mean
        if candidate is not None and candidate >= self.pool.size:
            raise InputError(f"start: there is no candidate {candidate}; the pool ends at {self.pool.size - 1}.")
        if candidate is None:
            candidate = self._farthest_from_mean()
        self.chosen.append(candidate)
        self.psi[candidate] = -np.inf
        features = self.task.pool.rows([candidate])
        self.ranks.add(features)
        return float(self.task.covariance.distance2(features, mean)[0])

    def _farthest_from_mean(self) -> int:
        earlier = self.task.earlier
        if earlier is not None and earlier.size == self.pool.size:
            return int(earlier.candidates[0])
        self.ranks.add(self.task.mean[None])
        self._sweep()
        candidate, _ = self._farthest()
        self.ranks.count = 0
        self._forget()
        return candidate

    def _choose(self, candidate: int) -> None:
        self.chosen.append(candidate)
        self.ranks.add(self.task.pool.rows([candidate]), self.pool.rows([candidate]))
        front, last = self.front, self.ranks.count
        excess = self.ranks.excess(front.rows, last - 1, last)[:, 0]
        np.minimum(front.psi, front.own + excess, out=front.psi)
        front.seen[:] = last
        front.psi[self.middle.members[front.members] == candidate] = -np.inf

    def _farthest(self) -> tuple[int, float]:
        """Return the candidate with the largest Psi, the first of equal ones, and its Psi; (-1, 0) if none is left."""
        goal = np.inf
        while True:
            low = self._low()
            if low < self.middle.beyond:
                self._sweep(goal)
                goal = self._low()  # a second pass in a row takes all that may be as far
            elif low < self.front.beyond:
                self._advance()
            else:
                break
        if low == -np.inf:
            return -1, 0.0
        return self._settle(np.flatnonzero(self.front.upper(self._error()) >= low))

    def _low(self) -> float:
        """Return the smallest Psi that may count as equal to the largest of the front."""
        largest = float(self.front.lower(self._error()).max(initial=-np.inf))
        return float(np.nextafter(np.float32(reach(largest)), np.float32(-np.inf)))

    def _error(self) -> np.ndarray:
        """Return a bound of the error of each Psi of the front, renewed for a new front or a larger |r| of a rank."""
        if self._errors is None or self._errors[0] is not self.front or (self._errors[1] < self.ranks.largest).any():
            error = self.covariance.error(self.front.rows, self.ranks.largest)
            self._errors = (self.front, self.ranks.largest, error)
        return self._errors[2]

    def _settle(self, contested: np.ndarray) -> tuple[int, float]:
        """Return the contested member of the front with the largest Psi by the defining computation, and its Psi."""
        candidates, front = self.middle.members[self.front.members[contested]], self.front
        open_ = contested[~front.is_settled(self._error())[contested]]
        for start in range(0, len(open_), CHUNK):
            part = open_[start : start + CHUNK]
            front.exact[part], front.psi[part] = self._exact(part), np.inf
        if len(self._settled) + len(open_) > SETTLED:
            self._settled.clear()
        told = zip(front.exact[open_].tolist(), [self.ranks.count] * len(open_), strict=True)
        self._settled |= zip(self.middle.members[front.members[open_]].tolist(), told, strict=True)
        psi, order = front.exact[contested], np.argsort(candidates)
        best = order[first_farthest(psi[order])]
        return int(candidates[best]), float(psi[best])

    def _exact(self, members: np.ndarray) -> np.ndarray:
        """Return Psi (n,) of some members of the front by the defining computation."""
        rows = self.front.rows[members]
        excess = self.ranks.excess(rows, 0, self.ranks.count)
        # Only ranks that may be the nearest need to be measured.
        error = 2 * self.covariance.error(rows, self.ranks.largest)
        near, rank = np.nonzero(excess <= (excess.min(axis=1) + error)[:, None])
        features = self.task.pool.rows(self.middle.members[self.front.members[members]])
        exact = [
            self.task.covariance.distance2(features[near[k : k + CHUNK]], self.ranks.features[rank[k : k + CHUNK]])
            for k in range(0, len(near), CHUNK)
        ]
        return np.minimum.reduceat(np.concatenate(exact), np.flatnonzero(np.diff(near, prepend=-1)))

    def _sweep(self, goal: float = np.inf) -> None:
        """Pass over the pool: update what may matter soon, or may reach ``goal``, and make it the middle tier."""
        self._hand_back()
        self.passes += 1
        sample = np.arange(0, self.pool.size, max(1, self.pool.size // SAMPLE))
        psi, seen = self.psi[sample], self.seen[sample]
        everyone = np.arange(len(sample))
        self._count(self.ranks.refresh(self.codes.rows(sample), (self.own[sample], psi, seen), everyone, -np.inf))
        self.psi[sample], self.seen[sample] = psi, seen
        share = min(max(self.pool.size // SHARE, FRONT), self.room) / self.pool.size
        goal = min(goal, _reached(psi, share))
        members, *others = self._refresh_pool(goal)
        self.middle = Tier(members, *others, beyond=goal if len(members) < self.pool.size else -np.inf)
        self.upper = np.empty(0, np.int64), np.inf
        self._advance()

    def _refresh_pool(self, floor: float) -> list[np.ndarray]:
        """Update all candidates that may reach ``floor``; of those that then still may, return what a tier has."""

        def refresh(span: tuple[int, int]) -> tuple[int, tuple[np.ndarray, ...]]:
            start, stop = span
            own, psi, seen = self.own[start:stop], self.psi[start:stop], self.seen[start:stop]
            above = np.flatnonzero((psi >= floor) & (psi > -np.inf))
            if not len(above):
                return 0, (above, np.empty((0, self.codes.dimension), self.codes.dtype), own[:0], psi[:0], seen[:0])
            codes, which = self.codes.block(start, stop), above[seen[above] < self.ranks.count]
            measured = self.ranks.refresh(codes, (own, psi, seen), which, floor)
            above = above[psi[above] >= floor]
            return measured, (start + above, codes[above], own[above], psi[above], seen[above])

        measured, members = zip(*self._on_all(refresh), strict=True)
        self._count(sum(measured))
        return [np.concatenate(parts) for parts in zip(*members, strict=True)]

    def _on_all(self, do: Callable[[tuple[int, int]], T]) -> list[T]:
        """Do something for all blocks of the pool, in threads."""
        with ThreadPoolExecutor(self.task.threads) as threads:
            return list(threads.map(do, self.codes.ranges(BLOCK)))

    def _count(self, distances: int) -> None:
        self.ranks.measured["codes"] += distances

    def _advance(self) -> None:
        """Update the farthest of the middle tier, and make those of them the front that may matter."""
        self._hand_back_front()
        middle, size = self.middle, 4 * FRONT
        bounds = (middle.own, middle.psi, middle.seen)
        while True:
            top, beyond = self._top(size)
            self._count(self.ranks.refresh(middle.rows, bounds, top, beyond))
            members = np.sort(top[(middle.psi[top] >= beyond) & (middle.psi[top] > -np.inf)])
            self.front = self._front(members, beyond)
            if beyond == -np.inf or self._low() >= beyond:
                break
            self._hand_back_front()
            size *= 2

    def _top(self, size: int) -> tuple[np.ndarray, float]:
        """Return the ``size`` members of the middle tier with the largest bounds, and a bound of all others."""
        psi = self.middle.psi
        if size >= len(psi):
            return np.arange(len(psi)), -np.inf
        top, beyond = _largest(psi, self.upper[0], size)
        # Bounds only fall, so that members outside the upper part stay below its bound.
        if beyond < self.upper[1]:
            self.upper = _upper_part(psi, UPPER * size)
            top, beyond = _largest(psi, self.upper[0], size)
            beyond = max(beyond, self.upper[1])
        return top, beyond

    def _front(self, members: np.ndarray, beyond: float) -> Front:
        """Measure members (n,) of the middle tier by compressed features, against ranks since they were settled."""
        candidates = self.middle.members[members]
        rows, count = self.pool.rows(candidates), self.ranks.count
        settled = [self._settled.get(candidate, (np.inf, 0)) for candidate in candidates.tolist()]
        exact, since = np.array(settled).reshape(-1, 2).T
        own, psi = self.covariance.own(rows), np.empty(len(rows), np.float32)
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            excess = self.ranks.excess(rows[part], 0, count)
            excess[np.arange(count) < since[part, None]] = np.inf
            psi[part] = own[part] + excess.min(axis=1)
        return Front(members, rows, own, psi, np.full(len(rows), count), beyond, exact.copy())

    def _hand_back(self) -> None:
        """Pass the bounds of the middle tier and its front to the pool."""
        if self.middle is not None:
            self._hand_back_front()
            self.psi[self.middle.members], self.seen[self.middle.members] = self.middle.psi, self.middle.seen

    def _hand_back_front(self) -> None:
        """Pass the bounds of the front to the middle tier, and dissolve the front."""
        if self.front is not None:
            members, upper = self.front.members, self.front.upper(self._error()).astype(np.float32)
            upper = np.nextafter(upper, np.float32(np.inf), where=upper > -np.inf, out=upper)
            self.middle.psi[members] = np.minimum(self.middle.psi[members], upper)
            self.middle.seen[members] = self.ranks.count
            self.front = None

    def _effort(self) -> str:
        """Return what was measured and read, in words."""
        measured = ", ".join(f"{count / 1e6:.3g} million from {what}" for what, count in self.ranks.measured.items())
        pools = {"codes": self.task.codes, "compressed": self.task.compressed, "full features": self.task.pool}
        read = {what: getattr(pool, "bytes_read", 0) / 2**20 for what, pool in pools.items()}
        return f"distances: {measured}; read: " + ", ".join(f"{mib:.3g} MiB of {what}" for what, mib in read.items())

    def _report(self, distance2: float) -> None:
        done, budget = len(self.chosen), self.task.budget
        seconds = time.monotonic() - self.began
        share = (self.psi >= distance2).mean()
        self.task.progress(
            f"rank {done} of {budget}, distance {np.sqrt(distance2):.4f}, {share:.1%} of the pool still in play,"
            f" {self.passes} passes, about {seconds * (budget - done) / max(done, 1):.0f} s left"
        )


def _upper_part(psi: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """Return about ``size`` members with the largest ``psi`` (n,), and a bound of the others.

    It is a quantile of a sample, which takes a tenth of the time that parting all of them does.
    """
    floor = _reached(psi[:: max(1, len(psi) // SAMPLE)], size / len(psi))
    return np.flatnonzero(psi >= floor), floor


def _reached(sample: np.ndarray, share: float) -> float:
    """Return the largest value that more than a share of a sample (n,) reaches, or else all of it."""
    wanted = min(len(sample), int(len(sample) * share) + 1)
    return float(np.partition(sample, -wanted)[-wanted])


def _largest(psi: np.ndarray, among: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """Return those (size,) of some members ``among`` (n,) with the largest ``psi``, and the largest of the others."""
    if size >= len(among):
        return among, -np.inf
    parted = np.argpartition(-psi[among], size)
    return among[parted[:size]], float(psi[among[parted[size]]])
