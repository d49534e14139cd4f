"""Rows of a linear model for structures of many atoms: environments, and derivatives for forces (RK section 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors import differentiable
from gapdesign.descriptors.covariance import dot
from gapdesign.errors import InputError
from gapdesign.methods.shared.resources import require
from gapdesign.methods.shared.rows import BLOCK
from gapdesign.structures import VOIGT

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
        self._ends = np.concatenate([[0], np.cumsum(counts)])
        self._width = task.environments.one(0).vectors.shape[1]
        self.dimension = self._width * len(self._species)
        scored = np.sum(counts**2) if score == "entropy" else 3 * counts.sum()
        needed = 4.0 * self.dimension * counts.sum() * (4 if score == "force" else 1) + 40.0 * scored
        needed += 8.0 * counts.sum() * counts.max()
        require(task.memory, needed + 32.0 * self.dimension**2, "bayesian", f"the rows of {counts.sum()} environments")
        packed = [self._rows_of(task.environments.one(k)) for k in range(task.pool.size)]
        self._rows = np.concatenate([rows for rows, _ in packed])
        self._multiplicities = np.concatenate([multiplicities for _, multiplicities in packed])
        self._scored = self._what_is_scored()

    def _rows_of(self, one: Environments) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows (n, p) of a structure, each in the block of its species, and multiplicities (n,)."""
        rows = np.zeros((len(one.species), len(self._species), self._width), np.float32)
        rows[np.arange(len(rows)), np.searchsorted(self._species, one.species)] = one.vectors
        return rows.reshape(len(rows), -1), one.multiplicities.astype(float)

    def _what_is_scored(self) -> np.ndarray:
        """Return the rows (r, p) whose products with S are kept, and store which structure each belongs to."""
        spans = list(zip(self._ends[:-1], self._ends[1:], strict=True))
        if self._score == "energy":
            shares = [self._multiplicities[a:b] / self._multiplicities[a:b].sum() for a, b in spans]
            return np.array([share @ self._rows[a:b] for share, (a, b) in zip(shares, spans, strict=True)], np.float32)
        if self._score == "force":
            if self._task.derivatives is None:
                others = " or ".join(differentiable())
                raise InputError(f"bayesian.score: 'force' needs derivatives; use descriptor.backend: {others}.")
            parts = [self._forces(k) for k in range(len(spans))]
            self._components = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
            return np.concatenate(parts).astype(np.float32)
        counts = np.diff(self._ends)
        self._alike = [np.flatnonzero(counts == count) for count in np.unique(counts)]
        return self._rows

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
        if self._score != "entropy":
            blocks = [self._scored[span].astype(float) for span in self._blocks()]
            self._products = np.concatenate([dot(block @ inverse, block) for block in blocks])
            return
        self._products = []
        for mine in self._alike:
            own = [self._rows[self._ends[k] : self._ends[k + 1]].astype(float) for k in mine]
            self._products.append(np.array([rows @ inverse @ rows.T for rows in own]))

    def scores(self) -> np.ndarray:
        """Scores (N,)."""
        if self._score == "energy":
            return self._products
        if self._score == "force":
            return np.maximum.reduceat(self._products, self._components[:-1])
        values, roots = np.empty(len(self._ends) - 1), np.sqrt(self._weight * self._multiplicities)
        for mine, products in zip(self._alike, self._products, strict=True):
            own = roots[self._rows_among(mine)]
            gains = np.eye(own.shape[1]) + own[:, :, None] * products * own[:, None, :]
            values[mine] = np.linalg.slogdet(gains)[1]
        return values

    def fall(self, directions: np.ndarray) -> None:
        """Subtract (W x) . (W y) from the products of rows x and y, with directions W (n, p)."""
        along = np.concatenate([self._scored[span] @ directions.T for span in self._blocks()])
        if self._score == "entropy":
            for mine, products in zip(self._alike, self._products, strict=True):
                own = along[self._rows_among(mine)]
                products -= own @ own.transpose(0, 2, 1)
        else:
            self._products -= (along * along).sum(axis=1)

    def _blocks(self) -> Iterator[slice]:
        return (slice(start, start + BLOCK) for start in range(0, len(self._scored), BLOCK))

    def _rows_among(self, structures: np.ndarray) -> np.ndarray:
        """Return the places (m, n) of the rows of some structures (m,) that have as many."""
        first = self._ends[structures]
        return first[:, None] + np.arange(self._ends[structures[0] + 1] - first[0])

    def rows(self, candidate: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a candidate's environments and, for `force`, their derivatives, with their precisions."""
        span = slice(self._ends[candidate], self._ends[candidate + 1])
        rows, weights = self._rows[span].astype(float), self._weight * self._multiplicities[span]
        if self._score != "force":
            return rows, weights
        forces = self._scored[self._components[candidate] : self._components[candidate + 1]].astype(float)
        return np.concatenate([rows, forces]), np.concatenate([weights, np.full(len(forces), self._weight)])
