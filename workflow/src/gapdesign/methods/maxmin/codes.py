"""Codes of compressed features: a few bytes per structure, from which distances are bounded from above.

A code keeps the leading coordinates of each part, in two bytes each, and the lengths of what it leaves: |e| of their
rounding, |r| of all other coordinates. For a structure x = V (z + e) + r and a rank y = V z_y + r_y, with the same
leading directions V, x . y >= z . z_y - |e| |y| - |r| |r_y|. So a code bounds how far a structure can be from a rank,
and rules most of a pool out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.similarity import Similarity
from gapdesign.shards import Blocks, HeldPool

BLUR = 0.1
"""Mean |r|^2 that a code may leave of a structure, as a share of the squared distance between near neighbours. With
less, a code has more coordinates; with more, it rules out fewer structures."""

WIDENED = 0.1
"""Share by which the range of a coordinate exceeds that of the sample, at either end."""

UNIT = 2.0**-24
"""Half the distance of single precision from 1 to the next number."""

LEVELS = 2**16 - 1
"""Values of a coordinate after the lowest."""

BLOCK = 16384
"""Number of rows coded at once."""


class Columns:
    """Columns of compressed features.

    Attributes
    ----------
    parts : list of slice
        Coordinates of each SOAP block, and of the pairs.
    shares : range
        Composition, if there are several species.
    residuals, norms : slice
        |r|, and |x|^2 - 1, of each part.
    """

    def __init__(self, layout: Layout, widths: list[int]) -> None:
        ends = np.concatenate([[0], np.cumsum(widths)]).astype(int).tolist()
        shares = 0 if layout.composition is None else layout.n_species
        self.parts = [slice(a, b) for a, b in pairwise(ends)]
        self.shares = range(ends[-1], ends[-1] + shares)
        self.residuals = slice(ends[-1] + shares, ends[-1] + shares + len(widths))
        self.norms = slice(self.residuals.stop, self.residuals.stop + len(widths))


@dataclass(frozen=True)
class Codec:
    """How codes are made of compressed features.

    Attributes
    ----------
    layout : Layout
    widths : list of int
        Coordinates of each part in compressed features.
    leading : list of int
        Those of them that a code has.
    lowest, steps : (sum of leading,) float32
        Smallest value of each, and the distance to the next one.
    """

    layout: Layout
    widths: list[int]
    leading: list[int]
    lowest: np.ndarray
    steps: np.ndarray

    @classmethod
    def of(cls, layout: Layout, coordinates: list[np.ndarray], residuals2: list[np.ndarray], near: float) -> Codec:
        """Make a codec for a sample.

        Parameters
        ----------
        coordinates : list of (n, K)
            Coordinates of each part.
        residuals2 : list of (n,)
            |r|^2 of each part.
        near : float
            Squared distance between near neighbours.
        """
        leading, ranges = [], []
        for z, rest in zip(coordinates, residuals2, strict=True):
            left = rest.mean() + np.append(np.cumsum((z**2).mean(axis=0)[::-1])[::-1], 0.0)
            leading.append(int(np.argmax(left <= max(BLUR * near, left[-1]))))
            ranges.append((z[:, : leading[-1]].min(axis=0), z[:, : leading[-1]].max(axis=0)))
        low, high = (np.concatenate(ends) for ends in zip(*ranges, strict=True))
        return cls._between(layout, [z.shape[1] for z in coordinates], leading, low, high)

    @classmethod
    def plain(cls, layout: Layout, widths: list[int]) -> Codec:
        """Return a codec of all coordinates, for directions without a sample."""
        return cls._between(layout, widths, widths, np.full(sum(widths), -1.0), np.full(sum(widths), 1.0))

    @classmethod
    def _between(
        cls, layout: Layout, widths: list[int], leading: list[int], low: np.ndarray, high: np.ndarray
    ) -> Codec:
        margin = WIDENED * (high - low) + UNIT
        lowest, steps = (low - margin).astype(np.float32), ((high - low + 2 * margin) / LEVELS).astype(np.float32)
        return cls(layout, widths, leading, lowest, steps)

    @property
    def dimension(self) -> int:
        """Numbers of two bytes in a code."""
        shares = 0 if self.layout.composition is None else self.layout.n_species
        return sum(self.leading) + 3 * len(self.leading) + 2 * shares

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Make the codes (n, dimension) int16 of compressed features (n, width)."""
        columns, values, first = Columns(self.layout, self.widths), [], 0
        rest, off = [], []
        for number, (part, count) in enumerate(zip(columns.parts, self.leading, strict=True)):
            z, mine = rows[:, part].astype(float), slice(first, first + count)
            steps, lowest = self.steps[mine].astype(float), self.lowest[mine].astype(float)
            values.append(np.clip(np.rint((z[:, :count] - lowest) / steps), 0, LEVELS) - 2**15)
            off.append(np.linalg.norm(z[:, :count] - self._decoded(values[-1], mine), axis=1))
            rest.append(np.linalg.norm(np.column_stack([z[:, count:], rows[:, columns.residuals][:, number]]), axis=1))
            first += count
        # Added to cover rounding of coordinates in single precision.
        lengths = np.column_stack([*(r + 4 * UNIT for r in rest), *(e + 4 * UNIT for e in off)])
        halves = _upward(np.column_stack([lengths, rows[:, columns.norms]]).astype(float))
        shares = np.ascontiguousarray(rows[:, columns.shares], np.float32).view(np.int16)
        return np.hstack([*(value.astype(np.int16) for value in values), halves.view(np.int16), shares])

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return coordinates z, |r| and |e| of each part, |x|^2 - 1 of each part, and composition, float32."""
        count, halves = sum(self.leading), 3 * len(self.leading)
        rows = np.empty((len(codes), count + halves + (self.dimension - count - halves) // 2), np.float32)
        self._decoded(codes[:, :count], slice(count), out=rows[:, :count])
        rows[:, count : count + halves] = np.ascontiguousarray(codes[:, count : count + halves]).view(np.float16)
        rows[:, count + halves :] = np.ascontiguousarray(codes[:, count + halves :]).view(np.float32)
        return rows

    def _decoded(self, values: np.ndarray, mine: slice, out: np.ndarray | None = None) -> np.ndarray:
        """Return coordinates (n, K) float32 of values from -2^15 on."""
        out = np.add(values, np.float32(2**15), out=out, dtype=np.float32)
        out *= self.steps[mine]
        out += self.lowest[mine]
        return out


def _upward(values: np.ndarray) -> np.ndarray:
    """Round to half precision, to the next larger number where it lies between two."""
    halves = values.astype(np.float16)
    return np.where(halves < values, np.nextafter(halves, np.float16(np.inf)), halves)


class CodedPool(Blocks):
    """Compressed features of a pool as codes, which are made when they are read."""

    dtype = np.dtype(np.int16)

    def __init__(self, compressed: Blocks, codec: Codec) -> None:
        self._compressed, self._codec = compressed, codec
        self.size, self.dimension = compressed.size, codec.dimension

    def ranges(self, rows: int) -> list[tuple[int, int]]:
        """Return ranges [start, stop) of at most ``rows`` rows."""
        return self._compressed.ranges(rows)

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return the codes (n, dimension) of a range."""
        return self._codec.encode(self._compressed.block(start, stop))

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Return the codes (n, dimension) of the candidates ``indices``, in that order."""
        return self._codec.encode(self._compressed.rows(indices))

    def held(self) -> HeldPool:
        """Make all codes and hold them."""
        return HeldPool(np.concatenate([codes for _, codes in self.blocks(BLOCK)]))


class CodedCovariance:
    """Upper bounds of squared distances from codes, in single precision."""

    def __init__(self, codec: Codec, covariance: Covariance) -> None:
        self.codec, self._similarity = codec, covariance.similarity
        self._columns = Columns(codec.layout, codec.widths)
        parts, count = len(codec.leading), sum(codec.leading)
        self._parts = Columns(codec.layout, codec.leading).parts
        # The pairs and the residuals of all parts are linear, and so one product.
        self._linear = slice(self._parts[-1].start, count + parts)
        self._off, self._norms = slice(count + parts, count + 2 * parts), slice(count + 2 * parts, count + 3 * parts)
        self._shares = range(count + 3 * parts, count + 3 * parts + len(self._columns.shares))
        self._weights = np.array([covariance.soap_weight] * codec.layout.n_species + [covariance.pair_weight])
        slopes = np.array([self._similarity.slope] * codec.layout.n_species + [1])
        self._slope = 2 * self._weights * slopes
        # As for compressed features; the products have a term more per part, and a bound is rounded when it is kept.
        self._floor = float(self._slope @ (np.array(codec.leading) + parts + 2 * slopes + 8) * UNIT + 64 * UNIT)

    @property
    def width(self) -> int:
        """Numbers in a target."""
        return self._shares.stop

    def own(self, codes: np.ndarray) -> np.ndarray:
        """Return an upper bound (n,) of k(p, p), to which errors of the coordinates are added."""
        rows = self.codec.decode(codes)
        return own(rows, self._norms, self._shares, self._similarity, self._weights, rows[:, self._off] @ self._slope)

    def targets(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepare compressed features (m, width) as targets: weighted coordinates with -|r|, and k(q, q)."""
        columns, leading = self._columns, self.codec.leading
        targets = np.zeros((len(rows), self._shares.stop), np.float32)
        for number, (part, mine, count) in enumerate(zip(columns.parts, self._parts, leading, strict=True)):
            z, weight = rows[:, part].astype(float), 2 * self._weights[number]
            is_pair = number == len(leading) - 1
            targets[:, mine] = z[:, :count] * (weight if is_pair else self._similarity.folded(weight))
            rest = np.linalg.norm(np.column_stack([z[:, count:], rows[:, columns.residuals][:, number]]), axis=1)
            targets[:, self._parts[-1].stop + number] = -self._slope[number] * (rest * (1 + 8 * UNIT) + 4 * UNIT)
        targets[:, self._shares] = rows[:, columns.shares]
        return targets, own(rows, columns.norms, columns.shares, self._similarity, self._weights, self._floor)

    def excess(self, rows: np.ndarray, targets: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Bound D2 minus k(p, p), (n, m) float32, of decoded rows (n, ...) and prepared targets, from above."""
        total = rows[:, self._linear] @ targets[:, self._linear].T
        for number, part in enumerate(self._parts[:-1]):
            term = rows[:, part] @ targets[:, part].T
            self._similarity.quickly(term, 2 * self._weights[number])
            if self._shares:
                term *= rows[:, self._shares[number], None]
                term *= targets[:, self._shares[number]]
            total += term
        return np.subtract(own, total, out=total)


def own(
    rows: np.ndarray,
    norms: slice,
    shares: range,
    similarity: Similarity,
    weights: np.ndarray,
    more: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Return k(p, p) plus ``more`` (n,) of rows that have |x|^2 - 1 of each part, to single precision."""
    squares = 1 + rows[:, norms].astype(float)
    soap = similarity(squares[:, :-1])
    if shares:
        soap = soap * rows[:, shares].astype(float) ** 2
    return (soap.sum(axis=1) * weights[0] + squares[:, -1] * weights[-1] + more).astype(np.float32)
