"""Ranks against which max-min measures candidates, and the bounds of their distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapdesign.methods.maxmin.compression import CompressedCovariance, Directions

CHUNK, RANKS = 1024, 64
"""Numbers of candidates and ranks in one matrix product, so that it fits the cache of a core."""

Bounds = tuple[np.ndarray, np.ndarray, np.ndarray]


class Ranks:
    """Structures against which candidates are measured: the existing set, then the structures chosen."""

    def __init__(
        self, basis: Directions, covariance: CompressedCovariance, dimension: int, width: int, room: int
    ) -> None:
        self._basis, self._covariance = basis, covariance
        self.features = np.empty((room, dimension), np.float32)
        self._targets, self._own = np.empty((room, width), np.float32), np.empty(room, np.float32)
        self.largest = np.zeros(len(basis.directions))
        self.count = 0

    def add(self, features: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Add ranks by their full features (n, dimension), with their compressed features if known."""
        span = slice(self.count, self.count + len(features))
        rows = self._basis.compress(features) if rows is None else rows
        self.features[span] = features
        self._targets[span], self._own[span] = self._covariance.targets(rows)
        self.largest = np.maximum(self.largest, rows[:, self._covariance.residuals].max(axis=0, initial=0))
        self.count = span.stop

    def excess(self, rows: np.ndarray, first: int, last: int) -> np.ndarray:
        """Return D2 minus k(p, p), (n, last - first), of compressed rows (n, width) and ranks ``first`` to ``last``."""
        return self._covariance.excess(rows, self._targets[first:last], self._own[first:last])

    def refresh(self, rows: np.ndarray, bounds: Bounds, which: np.ndarray, floor: float) -> None:
        """Measure rows against the ranks that they missed, in place, until they fall below ``floor``.

        Parameters
        ----------
        rows : (n, width) float32
            Compressed features.
        bounds : (n,) each
            ``own``, ``psi`` and ``seen`` of the rows, as in :class:`Tier`.
        which : (m,) int
            Rows to measure.
        """
        (own, psi, seen), count = bounds, self.count
        missed = seen[which]
        for start in np.flatnonzero(np.bincount(missed)):
            group = which[missed == start]
            for part in range(0, len(group), CHUNK):
                mine = group[part : part + CHUNK]
                some, floors, value = rows[mine], floor - own[mine], psi[mine] - own[mine]
                for first in range(int(start), count, RANKS):
                    last = min(first + RANKS, count)
                    value = np.minimum(value, self.excess(some, first, last).min(axis=1))
                    alive = value >= floors
                    if last < count and not alive.all():
                        dead = mine[~alive]
                        psi[dead], seen[dead] = value[~alive] + own[dead], last
                        mine, some, floors, value = mine[alive], some[alive], floors[alive], value[alive]
                psi[mine], seen[mine] = value + own[mine], count


@dataclass
class Tier:
    """Some candidates, with the bounds of them and of all others.

    Attributes
    ----------
    members : (n,) int64
        Their places in the tier above.
    rows : (n, width) float32
        Compressed features.
    own : (n,) float32
        k(p, p).
    psi : (n,) float32
        Upper bound of Psi, up to the error of compression; minus infinity for chosen candidates.
    seen : (n,) int32
        Number of ranks for which the bound accounts.
    beyond : float
        Largest ``psi`` that a member of the tier above outside this one may have.
    """

    members: np.ndarray
    rows: np.ndarray
    own: np.ndarray
    psi: np.ndarray
    seen: np.ndarray
    beyond: float
