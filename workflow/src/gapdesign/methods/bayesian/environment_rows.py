"""Rows of a linear model for structures of many atoms: environments, and derivatives for forces (RK section 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy

from gapdesign.descriptors import differentiable
from gapdesign.descriptors.covariance import dot
from gapdesign.errors import InputError
from gapdesign.methods.shared.resources import require
from gapdesign.methods.shared.rows import BLOCK
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from gapdesign.descriptors.environments import Environments
    from gapdesign.methods.base import Task


class EnvironmentRows:
    """Scores of candidates whose rows are the SOAP vectors of their atoms, in blocks by species.

    Equal environments of a structure are one row, with the precision multiplied by their number.

    The products x' S y of the rows of a structure are kept and lowered: one number per pair of its rows for `entropy`,
    one per structure for `energy` (of the mean row), one per component for `force`.

    Parameters
    ----------
    task : Task
    score : str
        `entropy` (equation 4): log det(1 + L^1/2 G L^1/2) with G the products of a structure's rows; `energy` (5): the
        sum of m_i m_j G_ij over N^2, with m the atoms that have an environment and N those of the structure; `force`
        (6): the largest x' S x over the derivatives x.
    weight : float
        Precision of a row.
    """

    def __init__(self, task: Task, score: str, weight: float) -> None:
        self._score, self._weight, self._task = score, weight, task
        existing = task.existing_environments
        species = set() if existing is None else set(existing.species.tolist())
        counts = np.zeros(task.pool.size, np.int64)
        for k in range(task.pool.size):
            own = task.environments.one(k).species
            species.update(own.tolist())
            counts[k] = len(own)
        self._species = sorted(species)
        # Structures with as many rows lie together, so that their products are one array.
        self._counts, self._order = counts, np.argsort(counts, kind="stable")
        self._first = np.empty_like(counts)
        self._first[self._order] = np.cumsum(counts[self._order]) - counts[self._order]
        self._width = task.environments.one(0).vectors.shape[1]
        self.dimension = self._width * len(self._species)
        scored = np.sum(counts**2) if score == "entropy" else 3 * counts.sum()
        needed = 4.0 * self.dimension * counts.sum() * (4 if score == "force" else 1) + 40.0 * scored
        require(task.memory, needed + 32.0 * self.dimension**2, "bayesian", f"the rows of {counts.sum()} environments")
        packed = [self._rows_of(task.environments.one(k)) for k in self._order]
        self._rows = np.concatenate([rows for rows, _ in packed])
        self._multiplicities = np.concatenate([multiplicities for _, multiplicities in packed])
        self._scored = self._what_is_scored()
        self._parts = list(self._cut())

    def _rows_of(self, one: Environments) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows (n, p) of a structure, each in the block of its species, and multiplicities (n,)."""
        rows = np.zeros((len(one.species), len(self._species), self._width), np.float32)
        rows[np.arange(len(rows)), np.searchsorted(self._species, one.species)] = one.vectors
        return rows.reshape(len(rows), -1), one.multiplicities.astype(float)

    def _what_is_scored(self) -> np.ndarray:
        """Return the rows (r, p) whose products with S are kept, and store which structure each force belongs to."""
        if self._score == "energy":
            spans = [self._span(k) for k in range(len(self._counts))]
            shares = [self._multiplicities[span] / self._multiplicities[span].sum() for span in spans]
            return np.array([share @ self._rows[span] for share, span in zip(shares, spans, strict=True)], np.float32)
        if self._score == "force":
            if self._task.derivatives is None:
                others = " or ".join(differentiable())
                raise InputError(f"bayesian.score: 'force' needs derivatives; use descriptor.backend: {others}.")
            parts = [self._forces(k) for k in range(len(self._counts))]
            self._components = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
            return np.concatenate(parts).astype(np.float32)
        return self._rows

    def _cut(self) -> Iterator[tuple[slice, int]]:
        """Yield spans of the rows scored, some BLOCK each, and how many belong together: those of whole structures."""
        sizes, counts = [1], [len(self._scored)]
        if self._score == "entropy":
            sizes, counts = np.unique(self._counts, return_counts=True)
        start = 0
        for size, count in zip(sizes, counts, strict=True):
            stop, at_once = start + size * count, size * max(1, BLOCK // size)
            yield from ((slice(first, min(first + at_once, stop)), size) for first in range(start, stop, at_once))
            start = stop

    def _span(self, candidate: int) -> slice:
        return slice(self._first[candidate], self._first[candidate] + self._counts[candidate])

    def _forces(self, candidate: int) -> np.ndarray:
        """Return the rows (3 n, p) of the forces on the n atoms of a candidate."""
        by_species = self._task.derivatives(candidate)
        count = len(next(iter(by_species.values()))) - len(VOIGT)
        rows = np.zeros((count, len(self._species), self._width))
        for number, z in enumerate(self._species):
            if z in by_species:
                rows[:, number] = -by_species[z][len(VOIGT) :]
        return rows.reshape(len(rows), -1)

    def information_of_existing(self) -> np.ndarray:
        """Return Phi' L Phi (p, p) of the existing structures."""
        total, existing = np.zeros((self.dimension, self.dimension)), self._task.existing_environments
        for k in range(len(existing) if existing is not None else 0):
            rows, multiplicities = self._rows_of(existing.one(k))
            total += rows.T.astype(float) @ (self._weight * multiplicities[:, None] * rows)
        return total

    def start(self, inverse: np.ndarray) -> None:
        """Begin with the inverse of a precision (p, p)."""
        self._products = list(self._products_by(scipy.linalg.cholesky(inverse, lower=True)))

    def scores(self) -> np.ndarray:
        """Scores (N,)."""
        if self._score == "energy":
            return np.concatenate(self._products)
        if self._score == "force":
            return np.maximum.reduceat(np.concatenate(self._products), self._components[:-1])
        values = np.empty(len(self._counts))
        gains = (np.eye(products.shape[1]) + products for products in self._products)
        values[self._order] = np.concatenate([np.linalg.slogdet(own)[1] for own in gains])
        return values

    def fall(self, directions: np.ndarray) -> None:
        """Subtract (W x) . (W y) from the products of rows x and y, with directions W (n, p)."""
        for products, less in zip(self._products, self._products_by(directions.T), strict=True):
            products -= less

    def _products_by(self, factor: np.ndarray) -> Iterator[np.ndarray]:
        """Yield, part by part, x' F F' y for rows x and y that are scored, with a factor F (p, n).

        For `entropy` they are those of each structure with one another, weighed: (m, k, k) for m structures of k rows.
        """
        for span, size in self._parts:
            along = self._scored[span] @ factor
            if self._score == "entropy":
                weights = self._weight * self._multiplicities[span]
                own = (np.sqrt(weights)[:, None] * along).reshape(-1, size, along.shape[1])
                yield own @ own.transpose(0, 2, 1)
            else:
                yield dot(along, along)

    def rows(self, candidate: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a candidate's environments and, for `force`, their derivatives, with their precisions."""
        span = self._span(candidate)
        rows, weights = self._rows[span].astype(float), self._weight * self._multiplicities[span]
        if self._score != "force":
            return rows, weights
        forces = self._scored[self._components[candidate] : self._components[candidate + 1]].astype(float)
        return np.concatenate([rows, forces]), np.concatenate([weights, np.full(len(forces), self._weight)])
