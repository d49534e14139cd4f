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

LARGEST = 2**15 - 1
"""Largest number in a code."""

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
    middles, steps : (sum of leading,) float64
        Value of each that is coded as 0, and the distance to the next one.
    lengths : (parts,) float64
        Distance of two values of |r| of each part.
    """

    layout: Layout
    widths: list[int]
    leading: list[int]
    middles: np.ndarray
    steps: np.ndarray
    lengths: np.ndarray

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
        leading, ranges, longest = [], [], []
        for z, rest in zip(coordinates, residuals2, strict=True):
            left = rest.mean() + np.append(np.cumsum((z**2).mean(axis=0)[::-1])[::-1], 0.0)
            count = int(np.argmax(left <= max(BLUR * near, left[-1])))
            leading.append(count)
            ranges.append((z[:, :count].min(axis=0), z[:, :count].max(axis=0)))
            longest.append(np.sqrt((rest + (z[:, count:] ** 2).sum(axis=1)).max()))
        low, high = (np.concatenate(ends) for ends in zip(*ranges, strict=True))
        return cls._between(layout, [z.shape[1] for z in coordinates], leading, low, high, np.array(longest))

    @classmethod
    def plain(cls, layout: Layout, widths: list[int]) -> Codec:
        """Return a codec of all coordinates, for directions without a sample."""
        one = np.ones(sum(widths))
        return cls._between(layout, widths, widths, -one, one, np.ones(len(widths)))

    @classmethod
    def _between(
        cls,
        layout: Layout,
        widths: list[int],
        leading: list[int],
        low: np.ndarray,
        high: np.ndarray,
        longest: np.ndarray,
    ) -> Codec:
        """Return a codec of coordinates that seldom leave ``low`` to ``high``, and |r| seldom above ``longest``."""
        steps = ((1 + 2 * WIDENED) * (high - low) + UNIT) / (2 * LARGEST)
        lengths = ((1 + WIDENED) * longest + UNIT) / LARGEST
        return cls(layout, widths, leading, (low + high) / 2, steps, lengths)

    @property
    def dimension(self) -> int:
        """Numbers of two bytes in a code: z and |r|, |e| and |x|^2 - 1 of each part, and the composition."""
        shares = 0 if self.layout.composition is None else self.layout.n_species
        return sum(self.leading) + 3 * len(self.leading) + 2 * shares

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Make the codes (n, dimension) int16 of compressed features (n, width)."""
        columns, leading, left = Columns(self.layout, self.widths), [], []
        for number, (part, count) in enumerate(zip(columns.parts, self.leading, strict=True)):
            z = rows[:, part].astype(float)
            leading.append(z[:, :count])
            left.append(np.linalg.norm(np.column_stack([z[:, count:], rows[:, columns.residuals][:, number]]), axis=1))
        return self.encode_parts(leading, left, rows[:, columns.norms], rows[:, columns.shares])

    def encode_parts(
        self, leading: list[np.ndarray], left: list[np.ndarray], norms: np.ndarray, shares: np.ndarray
    ) -> np.ndarray:
        """Make codes (n, dimension) int16.

        Parameters
        ----------
        leading : list of (n, K)
            Leading coordinates of each part.
        left : list of (n,)
            Length of what they leave of it.
        norms : (n, parts)
            |x|^2 - 1 of each part.
        shares : (n, species)
            Composition, if there are several species.
        """
        values, lengths, off, first = [], [], [], 0
        for number, (z, rest) in enumerate(zip(leading, left, strict=True)):
            mine = slice(first, first + z.shape[1])
            value = np.clip(np.rint((z - self.middles[mine]) / self.steps[mine]), -LARGEST, LARGEST)
            error = np.linalg.norm(z - self.middles[mine] - value * self.steps[mine], axis=1)
            # Added to cover rounding of coordinates in single precision; what exceeds the largest |r| counts as error.
            rest = rest + 4 * UNIT
            length = np.minimum(np.ceil(rest / self.lengths[number]), LARGEST)
            off.append(error + 4 * UNIT + np.maximum(rest - length * self.lengths[number], 0))
            values.append(value)
            lengths.append(length)
            first = mine.stop
        halves = _upward(np.column_stack([*off, norms]).astype(float))
        shares = np.ascontiguousarray(shares, np.float32).view(np.int16)
        return np.hstack([np.column_stack([*values, *lengths]).astype(np.int16), halves.view(np.int16), shares])

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return coordinates and |r| of each part, in steps, 1, and composition (n, ...) float32."""
        count = sum(self.leading) + len(self.leading)
        shares = self.shares(codes)
        rows = np.empty((len(codes), count + 1 + shares.shape[1]), np.float32)
        rows[:, :count] = codes[:, :count]
        rows[:, count] = 1
        rows[:, count + 1 :] = shares
        return rows

    def others(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return |e| and |x|^2 - 1 of each part (n, parts), and the composition (n, species)."""
        parts = len(self.leading)
        first = sum(self.leading) + parts
        halves = codes[:, first : first + 2 * parts].view(np.float16).astype(float)
        return halves[:, :parts], halves[:, parts:], self.shares(codes)

    def shares(self, codes: np.ndarray) -> np.ndarray:
        """Return the composition (n, species), or (n, 0)."""
        return np.ascontiguousarray(codes[:, sum(self.leading) + 3 * len(self.leading) :]).view(np.float32)


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
    """Upper bounds of squared distances from codes, in single precision.

    Attributes
    ----------
    codec : Codec
    similarity : Similarity
        Of SOAP vectors.
    weights : (parts,)
        Weight of each part in the covariance.
    parts : list of slice
        Coordinates of each SOAP block, and of the pairs, in decoded rows and in targets.
    linear : slice
        What is linear in them: pairs, the |r| of all parts and what is constant.
    shares : range
        Composition, if there are several species.
    """

    def __init__(self, codec: Codec, covariance: Covariance) -> None:
        self.codec, self.similarity = codec, covariance.similarity
        self._columns = Columns(codec.layout, codec.widths)
        parts, count, species = len(codec.leading), sum(codec.leading), codec.layout.n_species
        self.parts = Columns(codec.layout, codec.leading).parts
        self.linear, self._one = slice(self.parts[-1].start, count + parts + 1), count + parts
        self.shares = range(count + parts + 1, count + parts + 1 + len(self._columns.shares))
        self.weights = np.array([covariance.soap_weight] * species + [covariance.pair_weight])
        slopes = np.array([self.similarity.slope] * species + [1])
        self._slope = 2 * self.weights * slopes
        # The error of a product of K terms is K u, times the sum of what they may be, in whatever order they are added
        # and with or without fused operations; the slope multiplies stored coordinates and similarities; bounds are
        # rounded when they are kept.
        products = (count + parts + 4) * (4 * self._slope.sum() + 4)
        self._floor = float((products + self._slope @ (2 * slopes + 8) + 64) * UNIT)

    @property
    def width(self) -> int:
        """Numbers in a target."""
        return self._one + 1 + len(self.shares)

    @property
    def has_tangent(self) -> bool:
        """Whether there are targets of the tangent: not where the composition multiplies similarities."""
        return not self.shares

    def own(self, codes: np.ndarray) -> np.ndarray:
        """Return an upper bound (n,) of k(p, p), to which errors of the coordinates are added."""
        off, norms, shares = self.codec.others(codes)
        return own(norms, shares, self.similarity, self.weights, off @ self._slope)

    def targets(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepare compressed features (m, width) as targets of :meth:`excess`.

        Returns
        -------
        (m, width), (m, species) float32
            Weights of what a code decodes to, and what the products of SOAP coordinates lack.
        """
        columns, codec, constants = self._columns, self.codec, []
        scales = [*(self.similarity.folded(2 * weight) for weight in self.weights[:-1]), 2 * self.weights[-1]]
        targets = np.zeros((len(rows), self.width))
        for number, (part, mine, scale) in enumerate(zip(columns.parts, self.parts, scales, strict=True)):
            z, count = rows[:, part].astype(float) * scale, codec.leading[number]
            targets[:, mine] = z[:, :count] * codec.steps[mine]
            constants.append(z[:, :count] @ codec.middles[mine])
            rest = np.column_stack([rows[:, part][:, count:], rows[:, columns.residuals][:, number]]).astype(float)
            length = np.linalg.norm(rest, axis=1) * (1 + 8 * UNIT) + 4 * UNIT
            targets[:, self.parts[-1].stop + number] = -self._slope[number] * length * codec.lengths[number]
        shares = targets[:, self.shares] = rows[:, columns.shares]
        mine = own(rows[:, columns.norms], shares, self.similarity, self.weights, self._floor)
        targets[:, self._one] = constants[-1] - mine
        return targets.astype(np.float32), np.column_stack(constants[:-1]).astype(np.float32)

    def tangents(self, targets: np.ndarray, lacking: np.ndarray) -> np.ndarray:
        """Turn targets of one species into targets (m, width) of :meth:`tangent`."""
        tangents, factor = targets.copy(), self._slope[0] / self.similarity.folded(2 * self.weights[0])
        tangents[:, self.parts[0]] *= np.float32(factor)
        tangents[:, self._one] += (lacking[:, 0] * factor + 2 * self.weights[0] - self._slope[0]).astype(np.float32)
        return tangents

    def excess(self, rows: np.ndarray, targets: np.ndarray, lacking: np.ndarray) -> np.ndarray:
        """Bound D2 minus k(p, p), (m, n) float32, of targets (m, width) and decoded rows (n, ...), from above."""
        total = targets[:, self.linear] @ rows[:, self.linear].T
        for number, part in enumerate(self.parts[:-1]):
            term = targets[:, part] @ rows[:, part].T
            term += lacking[:, number, None]
            self.similarity.quickly(term, 2 * self.weights[number])
            if self.shares:
                term *= rows[:, self.shares[number]]
                term *= targets[:, self.shares[number], None]
            total += term
        return np.negative(total, out=total)

    @staticmethod
    def tangent(rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Bound the least of D2 minus k(p, p), (n,) float32, from above by one product.

        Similarity is convex in the dot product, so it is nowhere below its tangent at 1. That is close for structures
        that are alike, and those matter: the nearest of many ranks.
        """
        return -(targets @ rows.T).max(axis=0)


def own(
    norms: np.ndarray,
    shares: np.ndarray,
    similarity: Similarity,
    weights: np.ndarray,
    more: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Return k(p, p) plus ``more`` (n,) from |x|^2 - 1 of each part and the composition, to single precision."""
    squares = 1 + norms.astype(float)
    soap = similarity(squares[:, :-1])
    if shares.shape[1]:
        soap = soap * shares.astype(float) ** 2
    return (soap.sum(axis=1) * weights[0] + squares[:, -1] * weights[-1] + more).astype(np.float32)
