"""Vectors of a pool, for methods that measure every candidate at every rank.

They are rounded to multiples of 2^-26 (:data:`gapdesign.descriptors.environments.GRID`), about the resolution of
single precision. Dot products of such vectors are exact in double precision, so that products of matrices have the
same bits for any cut of the pool and any linear algebra library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.environments import GRID, on_grid

if TYPE_CHECKING:
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.methods.base import Task
    from gapdesign.shards import FeaturePool, HeldPool

BLOCK = 2048
"""Number of vectors that a thread processes at once."""

FINE = 2.0**46
"""The second part of a matrix by :func:`in_two` has multiples of 1 / FINE."""

SAMPLE = 8192
"""Number of vectors of a pool, evenly spaced, that determine its principal directions."""

STEADY = 2.0**40
"""Scores are compared as multiples of 1 / STEADY: the last bits of a sum differ between linear algebra libraries."""


def steady(scores: np.ndarray) -> np.ndarray:
    """Round scores to the digits on which all machines agree."""
    return np.rint(scores * STEADY) / STEADY


def first_largest(scores: np.ndarray) -> int:
    """Return the place of the largest score; of scores that are equal up to rounding, the first."""
    return int(np.argmax(steady(scores)))


def in_two(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two matrices that add up to one (p, p) and whose products with vectors on the grid are exact.

    No row of the matrix may be longer than one. Its multiples of 2^-26 are the first; the second has the rest as
    multiples of 2^-46, of which no sum of p < 2^16 products exceeds 2^53. What is left out is below 2^-47.
    """
    high = np.rint(matrix * GRID) / GRID
    return high, np.rint((matrix - high) * FINE) / FINE


def linear_features(features: np.ndarray, covariance: Covariance) -> np.ndarray:
    """Return vectors phi of structures with phi(p) . phi(q) = k(p, q) at zeta = 1.

    They are the mean SOAP vectors, each times the share of its species, and the pair features, each weighted by its
    scale: the features of a model that is linear in the descriptor. A part with scale 0 is left out.

    Parameters
    ----------
    features : (n, dimension) float32

    Returns
    -------
    (n, d) float32
        Of unit length.
    """
    layout, parts = covariance.layout, []
    if covariance.soap_weight:
        for number, block in enumerate(layout.soap):
            part = np.sqrt(covariance.soap_weight) * features[:, block]
            if layout.composition is not None:
                part *= features[:, layout.composition][:, number, None].astype(float)
            parts.append(part)
    if covariance.pair_weight:
        parts.append(np.sqrt(covariance.pair_weight) * features[:, layout.pair])
    return np.hstack(parts).astype(np.float32)


class TransformedRows:
    """Vectors of a pool on the grid, in blocks; in memory if they take less than a third of it.

    Parameters
    ----------
    pool : FeaturePool or HeldPool
    transform : callable
        Turns features (n, dimension) into vectors (n, d), row by row; by default the features themselves.
    memory : int
        In MiB.
    threads : int
    """

    def __init__(
        self,
        pool: FeaturePool | HeldPool,
        transform: Callable[[np.ndarray], np.ndarray] = lambda features: features,
        *,
        memory: int = 1024,
        threads: int = 1,
    ) -> None:
        self._pool, self._transform, self._threads = pool, transform, threads
        self.size = pool.size
        self.dimension = len(self.of(pool.rows([0]))[0])
        self._held: np.ndarray | None = None
        if 4 * self.size * self.dimension < memory * 2**20 // 3:
            held = np.empty((self.size, self.dimension), np.float32)
            for start, block in pool.blocks(BLOCK):
                held[start : start + len(block)] = self.of(block)
            self._held = held

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the vectors (n, d) of features (n, dimension), in single precision."""
        return on_grid(self._transform(features))

    def take(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the vectors (n, d) float64 of some candidates."""
        rows = self.of(self._pool.rows(indices)) if self._held is None else self._held[indices]
        return rows.astype(float)

    def each(self, work: Callable[[slice, np.ndarray], None]) -> None:
        """Call ``work(span, vectors)`` for every block of the pool, with its vectors (n, d) in double precision."""

        def one(limits: tuple[int, int]) -> None:
            span = slice(*limits)
            rows = self.of(self._pool.block(*limits)) if self._held is None else self._held[span]
            work(span, rows.astype(float))

        if self._held is None:
            spans = self._pool.ranges(BLOCK)
        else:
            spans = [(start, min(start + BLOCK, self.size)) for start in range(0, self.size, BLOCK)]
        if self._threads == 1:
            for limits in spans:
                one(limits)
        else:
            with ThreadPoolExecutor(self._threads) as threads:
                list(threads.map(one, spans))

    def sample(self) -> np.ndarray:
        """Return at most ``SAMPLE`` vectors (n, d), evenly spaced, the same for any cut of the pool."""
        return self.take(np.arange(0, self.size, -(-self.size // SAMPLE)))


def linear_rows(task: Task, memory: int | None = None) -> TransformedRows:
    """Return the :func:`linear_features` of a task's pool, within so many MiB; by default within all that it has."""
    return TransformedRows(
        task.pool,
        lambda features: linear_features(features, task.covariance),
        memory=task.memory if memory is None else memory,
        threads=task.threads,
    )


def principal(sample: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the leading principal directions of vectors, not centred.

    Parameters
    ----------
    sample : (n, d)
    count : int
        Largest number of directions; those without variation are left out.

    Returns
    -------
    directions : (d, k)
        Rounded to the grid, so that products with vectors of the pool are exact.
    shares : (k,)
        Mean square of the sample along each, falling.
    """
    values, vectors = np.linalg.eigh(sample.T @ sample / len(sample))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = min(count, len(sample), int((values > 1e-12 * values[0]).sum()))
    return on_grid(np.ascontiguousarray(vectors[:, :kept])).astype(float), values[:kept]
