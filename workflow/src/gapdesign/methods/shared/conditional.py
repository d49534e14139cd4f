"""The variance of every candidate under a Gaussian process that knows a growing design: a partial Cholesky factor."""

from __future__ import annotations

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.methods.base import Task
from gapdesign.methods.shared.distance import existing_features
from gapdesign.methods.shared.resources import require
from gapdesign.methods.shared.rows import TransformedRows

SPAN = 16384
"""Candidates whose numbers fit the cache of a core."""


def rows_and_existing(task: Task, method: str) -> tuple[TransformedRows, np.ndarray]:
    """Return the features of a task's pool and of what exists, for a method that makes a :class:`Conditional` of them.

    Raises
    ------
    InputError
        If the task's memory does not hold that.
    """
    rows = TransformedRows(task.pool, memory=task.memory, threads=task.threads)
    existing = rows.of(existing_features(task)).astype(float)
    known = len(existing) + task.budget
    what = f"8 bytes for each of {rows.size} candidates and {known} structures"
    require(task.memory, 8 * rows.size * (known + 4), method, what)
    return rows, existing


class Conditional:
    """Conditional variances of N candidates, and of existing structures.

    Numbers N and above are the existing structures. Every step is element by element in one order, on covariances
    that are exact sums (:mod:`gapdesign.methods.shared.rows`): the bits do not depend on blocks, threads or libraries.

    Parameters
    ----------
    rows : TransformedRows
        Features of the candidates on the grid.
    covariance : Covariance
    existing : (m, dimension)
        Features of the existing structures, on the grid.
    room : int
        Largest number of known structures. Each takes 8 bytes per candidate.
    noise : float
        Variance of the noise of a known structure.
    """

    def __init__(
        self, rows: TransformedRows, covariance: Covariance, existing: np.ndarray, room: int, noise: float = 0.0
    ) -> None:
        self._rows, self._covariance, self._existing, self.noise = rows, covariance, existing, noise
        self.size, everyone = rows.size, rows.size + len(existing)
        self.variance = np.empty(everyone)
        rows.each(lambda span, block: self.variance.__setitem__(span, covariance.diagonal(block)))
        self.variance[self.size :] = covariance.diagonal(existing)
        self._factor = np.empty((room, everyone))
        self.count = 0

    def vector(self, number: int) -> np.ndarray:
        """Return the features (1, dimension) of a candidate or an existing structure."""
        if number >= self.size:
            return self._existing[[number - self.size]]
        return self._rows.take([number])

    def know_existing(self) -> None:
        """Let the existing structures be known, but for those that the ones before them tell all of."""
        for number in range(self.size, len(self.variance)):
            if self.variance[number] + self.noise > self._covariance.overlap:
                self.know(number)

    def know(self, number: int) -> None:
        """Add a structure to the known ones, and lower the variances."""
        pivot = np.sqrt(self.variance[number] + self.noise)
        own = self._factor[: self.count, number].copy()
        column = self._factor[self.count]
        covariance_with(self._rows, self._covariance, self.vector(number), column[None, : self.size])
        column[self.size :] = self._covariance.gram(self._existing, self.vector(number))[:, 0]
        for start in range(0, len(column), SPAN):
            span = slice(start, start + SPAN)
            part = column[span]
            for weight, earlier in zip(own, self._factor[: self.count, span], strict=True):
                part -= weight * earlier
            part /= pivot
            self.variance[span] -= part * part
        self.count += 1


def covariance_with(rows: TransformedRows, covariance: Covariance, vectors: np.ndarray, out: np.ndarray) -> None:
    """Put the covariance of t structures (t, dimension) with every candidate into ``out`` (t, N)."""
    rows.each(lambda span, block: out.__setitem__((slice(None), span), covariance.gram(block, vectors).T))
