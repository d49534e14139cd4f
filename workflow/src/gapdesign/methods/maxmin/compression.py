"""Compressed features in few dimensions, with a bound of the error.

Each part of a feature vector x (SOAP around one species; pairs) is written x = V z + r, with V the
principal directions of a sample and r the remainder. Then x . y = z_x . z_y + r_x . r_y, and the last term
is at most |r_x| |r_y|, which is kept: for any V, every distance is in a known interval. For strained crystals
some seventy numbers replace six hundred, to parts in a million.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.files import read_arrays, write_arrays
from gapdesign.methods.maxmin.codes import UNIT, Codec, Columns, own
from gapdesign.methods.shared.resources import one_blas_thread
from gapdesign.shards import ArrayFile, Blocks, HeldPool
from gapdesign.streams import stream

RESIDUAL = 1e-4
"""Largest |r|^2 at which the choice of dimensions aims where structures are far apart. A smaller value needs more
dimensions, a larger one leaves more near ties to settle on full features; the total cost is smallest here."""

SHARE = 0.05
"""The same as a share of the squared distance between near neighbours, which is the smaller one where structures are
much alike: a compression that blurs them leaves nearly all ranks to full features."""

NEAR = 256
"""Number of structures whose nearest neighbours are looked for."""

SAMPLE = 2048
"""Number of structures that determine the directions of a pool."""

BLOCK = 2048
"""Number of rows compressed at once."""

KEPT = 64
"""MiB of compressed features that are kept where they are made one by one."""

_TRIED = 128


@dataclass(frozen=True)
class Directions:
    """Orthonormal directions of each part of the features: (d, K) for each SOAP block in turn and for the pairs.

    The codec makes codes of what they compress; without one, codes have all coordinates.
    """

    layout: Layout
    directions: tuple[np.ndarray, ...]
    of_sample: Codec | None = None

    @classmethod
    def of(cls, sample: np.ndarray, layout: Layout) -> Directions:
        """Find principal directions that leave little of every row of a sample (n, dimension)."""
        generator, sample = np.random.Generator(stream("basis")), sample.astype(float)
        parts, near = [sample[:, part] for part in (*layout.soap, layout.pair)], _near(sample)
        limit = float(np.clip(SHARE * near, UNIT / 8, RESIDUAL))
        directions = tuple(_directions(part, limit, generator) for part in parts)
        coordinates = [part @ vectors for part, vectors in zip(parts, directions, strict=True)]
        left = [np.maximum(norm2(part) - norm2(z), 0) for part, z in zip(parts, coordinates, strict=True)]
        return cls(layout, directions, Codec.of(layout, coordinates, left, near))

    @cached_property
    def codec(self) -> Codec:
        """How codes are made of compressed features."""
        return self.of_sample or Codec.plain(self.layout, [vectors.shape[1] for vectors in self.directions])

    @classmethod
    def of_shards(cls, paths: Sequence[str | Path], layout: Layout) -> tuple[Directions, int]:
        """Find directions of about ``SAMPLE`` structures, as many from each shard; also return their number."""
        shards = [ArrayFile(path) for path in paths]
        share = -(-SAMPLE // len(shards))
        sample = [shard.rows(np.arange(0, shard.size, -(-shard.size // share))) for shard in shards]
        return cls.of(np.concatenate(sample), layout), sum(map(len, sample))

    def compress(self, features: np.ndarray) -> np.ndarray:
        """Compress features (n, dimension).

        Returns
        -------
        (n, width) float32
            Coordinates z of all parts; composition; |r| of each part, rounded up; |x|^2 - 1 of each part.
        """
        columns, residuals, norms = [], [], []
        for part, vectors in zip((*self.layout.soap, self.layout.pair), self.directions, strict=True):
            x = features[:, part].astype(float)
            z = x @ vectors
            norm = norm2(x)
            # Added to cover rounding of the difference, and of the root in single precision.
            left = np.maximum(norm - norm2(z), 0.0) + 1e-13
            columns.append(z)
            residuals.append(np.sqrt(left) * (1 + 4 * UNIT))
            norms.append(norm - 1)
        shares = [] if self.layout.composition is None else [features[:, self.layout.composition]]
        return np.column_stack([*columns, *shares, *residuals, *norms]).astype(np.float32)

    def code(self, features: np.ndarray) -> np.ndarray:
        """Make the codes (n, dimension) int16 of features (n, dimension), by the leading directions alone."""
        coordinates, left, norms = [], [], []
        for part, vectors in zip((*self.layout.soap, self.layout.pair), self._leading, strict=True):
            x = features[:, part].astype(float)
            coordinates.append(x @ vectors)
            norms.append(norm2(x))
            left.append(np.sqrt(np.maximum(norms[-1] - norm2(coordinates[-1]), 0.0) + 1e-13))
        shares = features[:, self.layout.composition or slice(0)]
        return self.codec.encode_parts(coordinates, left, np.column_stack(norms) - 1, shares)

    @cached_property
    def _leading(self) -> list[np.ndarray]:
        """Directions (d, K) of the coordinates of codes."""
        pairs = zip(self.directions, self.codec.leading, strict=True)
        return [np.ascontiguousarray(vectors[:, :count]) for vectors, count in pairs]

    def write(self, path: str | Path) -> None:
        """Write the directions, and behind them what the codec consists of."""
        codec = self.codec
        arrays = [*self.directions, np.array(codec.leading), codec.middles, codec.steps, codec.lengths]
        write_arrays(path, {f"arr_{number}": array for number, array in enumerate(arrays)})

    @classmethod
    def read(cls, path: str | Path, layout: Layout) -> Directions:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or damaged.
        """

        def made(arrays: Mapping[str, np.ndarray]) -> Directions:
            *directions, leading, middles, steps, lengths = arrays.values()
            widths = [vectors.shape[1] for vectors in directions]
            return cls(layout, tuple(directions), Codec(layout, widths, leading.tolist(), middles, steps, lengths))

        return read_arrays(path, made, run="gapdesign basis")


def compress_all(pool: ArrayFile, basis: Directions, *, threads: int = 1) -> np.ndarray:
    """Compress a whole file of features, block by block, to (n, width) float32."""
    return _all(pool, basis.compress, threads)


def code_all(pool: ArrayFile | HeldPool, basis: Directions, *, threads: int = 1) -> np.ndarray:
    """Make the codes (n, dimension) int16 of a whole file of features, block by block."""
    return _all(pool, basis.code, threads)


def _all(pool: ArrayFile | HeldPool, make: Callable[[np.ndarray], np.ndarray], threads: int) -> np.ndarray:
    spans = pool.ranges(BLOCK) or [(0, 0)]
    with one_blas_thread(), ThreadPoolExecutor(threads) as workers:
        return np.concatenate(list(workers.map(lambda span: make(pool.block(*span)), spans)))


class CompressedPool(Blocks):
    """Features of a pool that are compressed when they are read; single ones are kept, as long as all would fit."""

    dtype = np.dtype(np.float32)

    def __init__(self, pool: ArrayFile | HeldPool, basis: Directions) -> None:
        self._pool, self._basis = pool, basis
        self.size = pool.size
        self.dimension = basis.compress(pool.block(0, 1)).shape[1]
        is_small = self.dtype.itemsize * self.size * self.dimension <= KEPT * 2**20
        self._kept = np.empty((self.size if is_small else 0, self.dimension), self.dtype)
        self._is_kept = np.zeros(len(self._kept), bool)

    def held(self) -> CompressedPool:
        """Return itself, which keeps as much as it may."""
        return self

    def ranges(self, rows: int) -> list[tuple[int, int]]:
        """Return ranges [start, stop) of at most ``rows`` rows."""
        return self._pool.ranges(rows)

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return the compressed features (n, dimension) of a range."""
        return self._basis.compress(self._pool.block(start, stop))

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Return the compressed features (n, dimension) of the candidates ``indices``, in that order."""
        if not len(self._kept):
            return self._basis.compress(self._pool.rows(indices))
        new = np.asarray(indices)[~self._is_kept[indices]]
        if len(new):
            self._kept[new], self._is_kept[new] = self._basis.compress(self._pool.rows(new)), True
        return self._kept[indices]


def norm2(x: np.ndarray) -> np.ndarray:
    """Return |x|^2 (n,) of the rows of x (n, d)."""
    return np.einsum("ij,ij->i", x, x)


def _near(x: np.ndarray) -> float:
    """Return the median squared distance of some of the rows of x (n, d) from their nearest neighbours."""
    rows = np.arange(0, len(x), -(-len(x) // NEAR))
    norms = norm2(x)
    distances2 = norms[rows, None] + norms - 2 * x[rows] @ x.T
    distances2[np.arange(len(rows)), rows] = np.inf
    return float(np.median(distances2.min(axis=1)))


def _directions(x: np.ndarray, limit: float, generator: np.random.Generator) -> np.ndarray:
    """Return leading principal directions of the rows of x (n, d), by subspace iteration if few of them suffice."""
    d = x.shape[1]
    if d > 2 * _TRIED:
        trial = generator.standard_normal((d, _TRIED))
        for _ in range(3):
            trial, _ = np.linalg.qr(x.T @ (x @ trial))
        y = x @ trial
        _, vectors = np.linalg.eigh(y.T @ y)
        found = _enough(x, trial @ vectors[:, ::-1], limit)
        if found is not None:
            return found
    _, vectors = np.linalg.eigh(x.T @ x)
    found = _enough(x, vectors[:, ::-1], limit)
    return vectors if found is None else found


def _enough(x: np.ndarray, directions: np.ndarray, limit: float) -> np.ndarray | None:
    """Return the fewest directions that leave at most ``limit`` of every row; None if all do not suffice."""
    left = norm2(x)[:, None] - np.cumsum((x @ directions) ** 2, axis=1)
    enough = np.flatnonzero(left.max(axis=0) <= limit)
    return np.ascontiguousarray(directions[:, : enough[0] + 1]) if len(enough) else None


class CompressedCovariance:
    """The covariance on compressed features, in single precision, with the bound of its error."""

    def __init__(self, basis: Directions, covariance: Covariance) -> None:
        layout = basis.layout
        widths = [part.shape[1] for part in basis.directions]
        columns = Columns(layout, widths)
        self._parts, self._shares, self._norms = columns.parts, columns.shares, columns.norms
        self.residuals = columns.residuals
        self._similarity = covariance.similarity
        self._weights = np.array([covariance.soap_weight] * layout.n_species + [covariance.pair_weight])
        folded = [self._similarity.folded(2 * weight) for weight in self._weights[:-1]]
        self._scales = np.array([*folded, 2 * self._weights[-1]], dtype=np.float32)
        slopes = np.array([self._similarity.slope] * layout.n_species + [1])
        self._slope = 2 * self._weights * slopes
        # The error of a dot product of K terms is K u, of stored coordinates 2 u; the slope multiplies it.
        self._floor = float(self._slope @ (np.array(widths) + 2 * slopes + 8) * UNIT + 32 * UNIT)

    def own(self, rows: np.ndarray) -> np.ndarray:
        """Return k(p, p) of rows (n, width), to single precision."""
        return own(rows[:, self._norms], rows[:, self._shares], self._similarity, self._weights)

    def targets(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepare rows (m, width) as targets of distances: weighted coordinates, and k(q, q)."""
        scaled = rows.copy()
        for scale, part in zip(self._scales, self._parts, strict=True):
            scaled[:, part] *= scale
        return scaled, self.own(rows)

    def excess(self, rows: np.ndarray, targets: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return D2 minus k(p, p), (n, m) float32, of rows (n, width) and prepared targets (m, width)."""
        *soap, pair = self._parts
        total = rows[:, pair] @ targets[:, pair].T
        for number, part in enumerate(soap):
            term = rows[:, part] @ targets[:, part].T
            self._similarity.quickly(term, 2 * self._weights[number])
            if self._shares:
                term *= rows[:, self._shares[number], None]
                term *= targets[:, self._shares[number]]
            total += term
        return np.subtract(own, total, out=total)

    def error(self, rows: np.ndarray, largest: np.ndarray) -> np.ndarray:
        """Bound (n,) the error of D2 from rows (n, width) to targets with |r| up to ``largest``, by part."""
        return (rows[:, self.residuals] @ (self._slope * largest) + self._floor).astype(np.float32)
