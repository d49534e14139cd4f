"""Bounds of distances from codes, by compiled loops: without Python's lock, so that threads share a pass over a pool.

They are the bounds of :class:`gapdesign.methods.maxmin.codes.CodedCovariance` up to rounding, for which its margins
leave room in any order of a sum. Import this module where a pool is large: numba and the loops take half a second to
load.
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gapdesign.compiling import compiled, fused
from gapdesign.descriptors.similarity import Power

if TYPE_CHECKING:
    from gapdesign.methods.maxmin.codes import CodedCovariance

TERMS = 8
"""Terms of a sum that are added at once; parts of targets are filled up with zeros to a multiple of it."""

LANES = 256
"""Candidates side by side in one tile: their codes and sums fit the nearest cache of a core. Loops over lanes take all,
whether there are as many candidates or not, since loops of known length become better vector instructions."""

LINE = 16
"""Numbers in a line of the cache."""

TILES = 8
"""Number of tiles that are filled at once, and whose survivors then move together."""

LEAST = np.float32(-80)
"""Exponent whose exponential is zero for every purpose here."""

LOG2E, LN2, LN2_REST = np.float32(1 / np.log(2)), np.float32(355 / 512), np.float32(np.log(2) - 355 / 512)
"""1 / log 2, and log 2 in two summands, multiples of the first of which are exact."""

C2, C3, C4, C5, C6, C7 = (np.float32(1 / factorial(k)) for k in range(2, 8))


class Parts(NamedTuple):
    """Where numbers of a code are in a tile, and how they become similarities.

    Attributes
    ----------
    places : (coordinates + 1,) int64
        Row in a tile of each number of a code that products take, and of the constant 1 behind them.
    soap : (species, 2) int64
        First row and end of each SOAP part.
    linear : (2,) int64
        First row and end of what is linear.
    weights : (species,) float32
        Weight of each similarity, which powers have in their targets.
    zeta : int
        Power of the dot product that is the similarity; 0 for a Gaussian.
    steepness : float32
        1 / l^2 of the Gaussian.
    ranks : int
        Ranks after which a candidate is looked at again.
    """

    places: np.ndarray
    soap: np.ndarray
    linear: np.ndarray
    weights: np.ndarray
    zeta: int
    steepness: np.float32
    ranks: int


class Targets(NamedTuple):
    """Ranks, as targets of bounds.

    Attributes
    ----------
    bounding, tangents : (m, rows) float32
        Weights of the rows of a tile; no tangents where there are none.
    lacking : (m, species) float32
        What the products of SOAP coordinates lack.
    shares : (m, species) float32
        Composition, if there are several species.
    """

    bounding: np.ndarray
    tangents: np.ndarray
    lacking: np.ndarray
    shares: np.ndarray


class Loops:
    """The ranks as compiled loops need them.

    Parameters
    ----------
    coded : CodedCovariance
    room : int
        Largest number of ranks.
    ranks : int
        Ranks after which a candidate is looked at again.
    """

    def __init__(self, coded: CodedCovariance, room: int, ranks: int) -> None:
        self._coded, soap, similarity = coded, coded.parts[:-1], coded.similarity
        inside, ends = [np.arange(part.start, part.stop) for part in (*soap, coded.linear)], [0]
        for part in inside:
            ends.append(ends[-1] + -(-len(part) // TERMS) * TERMS)
        is_power = isinstance(similarity, Power)
        self._places = np.concatenate([end + np.arange(len(part)) for end, part in zip(ends, inside, strict=False)])
        self._parts = Parts(
            places=self._places,
            soap=np.column_stack([ends[:-2], ends[1:-1]]),
            linear=np.array(ends[-2:]),
            weights=(2 * coded.weights[:-1]).astype(np.float32),
            zeta=similarity.zeta if is_power else 0,
            steepness=np.float32(0 if is_power else 1 / similarity.length**2),
            ranks=ranks,
        )
        bounding = np.zeros((room, ends[-1]), np.float32)
        tangents = np.zeros((room if coded.has_tangent else 0, ends[-1]), np.float32)
        lacking, shares = np.zeros((room, len(soap)), np.float32), np.zeros((room, len(coded.shares)), np.float32)
        self._targets = Targets(bounding, tangents, lacking, shares)

    def add(self, span: slice, bounding: np.ndarray, lacking: np.ndarray) -> None:
        """Take the ranks of a span from their targets, as :meth:`.codes.CodedCovariance.targets` returns them."""
        self._targets.bounding[span, self._places] = bounding[:, : len(self._places)]
        self._targets.lacking[span], self._targets.shares[span] = lacking, bounding[:, self._coded.shares]
        if self._coded.has_tangent:
            self._targets.tangents[span, self._places] = self._coded.tangents(bounding, lacking)

    def refresh(
        self,
        codes: np.ndarray,
        bounds: tuple[np.ndarray, np.ndarray, np.ndarray],
        which: np.ndarray,
        floor: float,
        count: int,
    ) -> int:
        """Bound candidates against ``count`` ranks; see :meth:`gapdesign.methods.maxmin.tiers.Ranks.refresh`."""
        shares = self._coded.codec.shares(codes)
        return refresh(codes, shares, bounds, which, np.float32(floor), self._targets, count, self._parts)


@compiled
def refresh(codes, shares, bounds, which, floor, targets, count, parts):
    """Bound candidates against ranks up to ``count`` that they missed, in place, until they fall below ``floor``.

    The arguments ``bounds`` and ``which`` are those of :meth:`gapdesign.methods.maxmin.tiers.Ranks.refresh`; ``shares``
    (n, species) is the composition in codes. Returns the number of distances.
    """
    own, psi, seen = bounds
    measured, has_tangent = 0, len(targets.tangents) > 0
    rows, size = targets.bounding.shape[1], TILES * LANES
    tiles, total, terms, highest = _room(TILES * rows * LANES), _room(2 * LANES), _room(2 * LANES), _room(LANES)
    mine, mixed = np.empty(size, np.int64), np.ones((size, shares.shape[1]), np.float32)
    order, ends = _by_start(which, seen, count)
    for start in range(count):
        for begin in range(ends[start], ends[start + 1], size):
            alive = min(size, ends[start + 1] - begin)
            for slot in range(alive):
                mine[slot] = order[begin + slot]
                for species in range(shares.shape[1]):
                    mixed[slot, species] = shares[mine[slot], species]
            _fill(codes, mine, alive, parts.places, rows, tiles)
            first = start
            while alive:
                last = min(first + parts.ranks, count)
                measured += alive * (last - first)
                for part in range(0, alive, LANES):
                    tile = tiles[part * rows : (part + LANES) * rows]
                    if has_tangent and first >= parts.ranks:
                        _tangent(tile, targets.tangents, first, last, total, highest)
                    else:
                        some = mixed[part : part + LANES]
                        _bound(tile, some, targets, first, last, parts, total, terms, highest)
                    for lane in range(min(alive - part, LANES)):
                        candidate = mine[part + lane]
                        psi[candidate] = min(psi[candidate], own[candidate] - highest[lane])
                        seen[candidate] = last
                first = last
                alive = _survivors(mine, mixed, alive, psi, floor, rows, tiles) if last < count else 0
    return measured


@compiled
def _room(size):
    """Return an array (size,) of zeros that begins with a line of the cache, as vectors want it."""
    raw = np.zeros(size + LINE, np.float32)
    skipped = (-(raw.ctypes.data // 4)) % LINE
    return raw[skipped : skipped + size]


@compiled
def _by_start(which, seen, count):
    """Sort candidates by the ranks that they have seen; return them, and where those of each number begin and end."""
    ends = np.zeros(count + 1, np.int64)
    for candidate in which:
        if seen[candidate] < count:
            ends[seen[candidate] + 1] += 1
    ends = np.cumsum(ends)
    order, next_ = np.empty(ends[count], np.int64), ends.copy()
    for candidate in which:
        if seen[candidate] < count:
            order[next_[seen[candidate]]] = candidate
            next_[seen[candidate]] += 1
    return order, ends


@compiled
def _fill(codes, mine, count, places, rows, tiles):
    """Put the codes of ``count`` candidates into tiles, candidates side by side."""
    numbers = len(places) - 1
    for part in range(0, count, LANES):
        some, tile = mine[part : min(part + LANES, count)], tiles[part * rows : (part + LANES) * rows]
        for number in range(numbers):
            row = tile[places[number] * LANES : (places[number] + 1) * LANES]
            for lane in range(len(some)):
                row[lane] = codes[some[lane], number]
        tile[places[numbers] * LANES : (places[numbers] + 1) * LANES] = 1


@compiled
def _survivors(mine, mixed, count, psi, floor, rows, tiles):
    """Move those of ``count`` candidates together that reach ``floor``, and return their number."""
    alive = 0
    for slot in range(count):
        if psi[mine[slot]] >= floor:
            if alive < slot:
                mine[alive] = mine[slot]
                for species in range(mixed.shape[1]):
                    mixed[alive, species] = mixed[slot, species]
                source = slot // LANES * rows * LANES + slot % LANES
                goal = alive // LANES * rows * LANES + alive % LANES
                for row in range(rows):
                    tiles[goal + row * LANES] = tiles[source + row * LANES]
            alive += 1
    return alive


@compiled
def _tangent(tile, tangents, first, last, total, highest):
    """Put the largest of the sums with targets ``first`` to ``last`` into ``highest``."""
    highest[:] = -np.inf
    for rank in range(first, last, 2):
        other = min(rank + 1, last - 1)
        _products(tile, tangents[rank], tangents[other], 0, tangents.shape[1], total)
        _raise(total, highest)


@compiled
def _bound(tile, mixed, targets, first, last, parts, total, terms, highest):
    """Put the largest of the sums of similarities with targets ``first`` to ``last`` into ``highest``."""
    highest[:] = -np.inf
    linear, is_mixed = parts.linear, mixed.shape[1] > 0
    for rank in range(first, last, 2):
        other = min(rank + 1, last - 1)
        one, two = targets.bounding[rank], targets.bounding[other]
        _products(tile, one, two, linear[0], linear[1], total)
        for species in range(len(parts.soap)):
            _products(tile, one, two, parts.soap[species, 0], parts.soap[species, 1], terms)
            lacking, weight = (targets.lacking[rank, species], targets.lacking[other, species]), parts.weights[species]
            if parts.zeta:
                _power(terms, lacking, parts.zeta)
            else:
                _gaussian(terms, lacking, parts.steepness, weight)
            if is_mixed:
                shares = targets.shares[rank, species], targets.shares[other, species]
                for lane in range(LANES):
                    terms[lane] *= mixed[lane, species] * shares[0]
                    terms[LANES + lane] *= mixed[lane, species] * shares[1]
            for lane in range(2 * LANES):
                total[lane] += terms[lane]
        _raise(total, highest)


@fused
def _products(tile, target, other, begin, end, sums):
    """Put the products of a tile with the rows ``begin`` to ``end`` of two targets into ``sums`` (2 LANES,)."""
    sums[:] = 0
    for row in range(begin, end, TERMS):
        a, b, x = target[row : row + TERMS], other[row : row + TERMS], tile[row * LANES : (row + TERMS) * LANES]
        a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
        b0, b1, b2, b3, b4, b5, b6, b7 = b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
        for lane in range(LANES):
            x0, x1, x2, x3 = x[lane], x[LANES + lane], x[2 * LANES + lane], x[3 * LANES + lane]
            x4, x5, x6, x7 = x[4 * LANES + lane], x[5 * LANES + lane], x[6 * LANES + lane], x[7 * LANES + lane]
            # Two sums each, which do not wait for one another.
            one = sums[lane] + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
            sums[lane] = one + (a4 * x4 + a5 * x5 + a6 * x6 + a7 * x7)
            one = sums[LANES + lane] + b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
            sums[LANES + lane] = one + (b4 * x4 + b5 * x5 + b6 * x6 + b7 * x7)


@compiled
def _power(dots, lacking, zeta):
    """Turn products with two targets into similarities, as :meth:`gapdesign.descriptors.similarity.Power.quickly`."""
    first, second = lacking
    squarings = 0
    while zeta > 1 and zeta % 2 == 0:
        squarings, zeta = squarings + 1, zeta // 2
    if squarings == 2 and zeta == 1:
        for lane in range(LANES):
            one, two = dots[lane] + first, dots[LANES + lane] + second
            one, two = one * one, two * two
            dots[lane], dots[LANES + lane] = one * one, two * two
        return
    for lane in range(LANES):
        dots[lane] += first
        dots[LANES + lane] += second
    for _ in range(squarings):
        for lane in range(2 * LANES):
            dots[lane] *= dots[lane]
    for lane in range(2 * LANES if zeta > 1 else 0):
        base = dots[lane]
        for _ in range(zeta - 1):
            dots[lane] *= base


@compiled
def _gaussian(dots, lacking, steepness, weight):
    """Turn products with two targets into weighted similarities.

    As :meth:`gapdesign.descriptors.similarity.Gaussian.quickly`. The exponential is 2^k e^f with |f| <= log(2) / 2, and
    as close as NumPy's: its relative error is below 2 :data:`gapdesign.methods.maxmin.codes.UNIT`.
    """
    one = np.float32(1)
    for side in range(2):
        for lane in range(side * LANES, (side + 1) * LANES):
            x = min(max((dots[lane] + lacking[side] - one) * steepness, LEAST), -LEAST)
            k = np.floor(x * LOG2E + np.float32(0.5))
            f = x - k * LN2 - k * LN2_REST
            e = one + f * (one + f * (C2 + f * (C3 + f * (C4 + f * (C5 + f * (C6 + f * C7))))))
            dots[lane] = e * np.int32((np.int32(k) + 127) << 23).view(np.float32) * weight


@compiled
def _raise(sums, highest):
    """Raise the highest (n,) to the sums with either of two targets."""
    for lane in range(LANES):
        one, other, known = sums[lane], sums[LANES + lane], highest[lane]
        one = one if one > other else other
        highest[lane] = one if one > known else known
