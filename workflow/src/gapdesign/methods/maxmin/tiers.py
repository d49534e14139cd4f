"""Ranks against which max-min measures candidates, and the bounds of their distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.maxmin.codes import CodedCovariance
from gapdesign.methods.maxmin.compression import CompressedCovariance, Directions

if TYPE_CHECKING:
    from gapdesign.methods.maxmin.compiled import Loops

CHUNK, RANKS = 1024, 64
"""Numbers of candidates and ranks in one matrix product, so that it fits the cache of a core."""

Bounds = tuple[np.ndarray, np.ndarray, np.ndarray]


class Ranks:
    """Structures against which candidates are measured: the existing set, then the structures chosen.

    Attributes
    ----------
    features : (room, dimension) float32
    largest : (parts,)
        Largest |r| of a rank.
    count : int
    measured : dict
        Distances computed so far, from codes and from compressed features.
    is_compiled : bool
        Whether compiled loops bound distances from codes; they give the same up to rounding.
    """

    def __init__(
        self,
        basis: Directions,
        covariance: CompressedCovariance,
        coded: CodedCovariance,
        dimensions: tuple[int, int],
        room: int,
        *,
        is_compiled: bool = False,
    ) -> None:
        self._basis, self._covariance, self._coded = basis, covariance, coded
        dimension, width = dimensions
        self.features = np.empty((room, dimension), np.float32)
        self._targets, self._own = np.empty((room, width), np.float32), np.empty(room, np.float32)
        self._bounding = np.empty((room, coded.width), np.float32)
        self._lacking = np.empty((room, len(basis.directions) - 1), np.float32)
        self._loops = self._compiled(room) if is_compiled else None
        self._has_tangents = coded.has_tangent and not is_compiled
        self._tangents = np.empty((room if self._has_tangents else 0, coded.width), np.float32)
        self.largest = np.zeros(len(basis.directions))
        self.count = 0
        self.measured = {"codes": 0, "compressed": 0}

    def _compiled(self, room: int) -> Loops:
        from gapdesign.methods.maxmin.compiled import Loops

        return Loops(self._coded, room, RANKS)

    def add(self, features: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Add ranks by their full features (n, dimension), with their compressed features if known."""
        span = slice(self.count, self.count + len(features))
        rows = self._basis.compress(features) if rows is None else rows
        self.features[span] = features
        self._targets[span], self._own[span] = self._covariance.targets(rows)
        self._bounding[span], self._lacking[span] = self._coded.targets(rows)
        if self._has_tangents:
            self._tangents[span] = self._coded.tangents(self._bounding[span], self._lacking[span])
        if self._loops is not None:
            self._loops.add(span, self._bounding[span], self._lacking[span])
        self.largest = np.maximum(self.largest, rows[:, self._covariance.residuals].max(axis=0, initial=0))
        self.count = span.stop

    def excess(self, rows: np.ndarray, first: int, last: int) -> np.ndarray:
        """Return D2 minus k(p, p), (n, last - first), of compressed rows (n, width) and ranks ``first`` to ``last``."""
        self.measured["compressed"] += len(rows) * (last - first)
        return self._covariance.excess(rows, self._targets[first:last], self._own[first:last])

    def bound(self, rows: np.ndarray, first: int, last: int) -> np.ndarray:
        """Bound from above the transpose (last - first, n) of :meth:`excess`, from decoded rows (n, ...)."""
        return self._coded.excess(rows, self._bounding[first:last], self._lacking[first:last])

    def _bound_of_nearest(self, rows: np.ndarray, first: int, last: int) -> np.ndarray:
        """Bound (n,) the least of :meth:`bound` from above; a tangent does where the nearest rank is one of many."""
        if self._has_tangents and first >= RANKS:
            return self._coded.tangent(rows, self._tangents[first:last])
        return self.bound(rows, first, last).min(axis=0)

    def refresh(self, codes: np.ndarray, bounds: Bounds, which: np.ndarray, floor: float) -> int:
        """Bound candidates against the ranks that they missed, in place, until they fall below ``floor``.

        Parameters
        ----------
        codes : (n, dimension) int16
        bounds : (n,) each
            ``own``, ``psi`` and ``seen`` of the candidates, as in :class:`Tier`.
        which : (m,) int
            Candidates to measure.

        Returns
        -------
        int
            Distances computed.
        """
        if self._loops is not None:
            return self._loops.refresh(codes, bounds, which, floor, self.count)
        (own, psi, seen), count, measured = bounds, self.count, 0
        missed = seen[which]
        for start in np.flatnonzero(np.bincount(missed, minlength=count)[:count]):
            group = which[missed == start]
            for part in range(0, len(group), CHUNK):
                mine = group[part : part + CHUNK]
                rows = self._coded.codec.decode(codes[mine])
                for first in range(int(start), count, RANKS):
                    last = min(first + RANKS, count)
                    measured += len(mine) * (last - first)
                    value = np.minimum(psi[mine], own[mine] + self._bound_of_nearest(rows, first, last))
                    psi[mine], seen[mine] = value, last
                    alive = value >= floor
                    if last < count and not alive.all():
                        mine, rows = mine[alive], rows[alive]
        return measured


@dataclass
class Tier:
    """Some candidates, with bounds of them and of all others.

    Attributes
    ----------
    members : (n,) int64
        Their places in the tier above.
    rows : (n, ...)
        Codes, or in the front compressed features.
    own : (n,) float32
        k(p, p); for codes an upper bound.
    psi : (n,) float32
        Upper bound of Psi; minus infinity for chosen candidates.
    seen : (n,) int32
        Number of ranks for which ``psi`` accounts.
    beyond : float
        Upper bound of the Psi of any member of the tier above outside this one.
    """

    members: np.ndarray
    rows: np.ndarray
    own: np.ndarray
    psi: np.ndarray
    seen: np.ndarray
    beyond: float


@dataclass
class Front(Tier):
    """The farthest candidates, each of which is measured against every new rank.

    Attributes
    ----------
    psi : (n,) float32
        Psi up to the error of compression, with respect to the ranks since ``exact`` was found.
    exact : (n,) float
        Psi by the defining computation with respect to the ranks until then; infinity where it was not needed yet.
    """

    exact: np.ndarray

    def lower(self, error: np.ndarray) -> np.ndarray:
        """Bound Psi (n,) from below, given the error (n,) of ``psi``."""
        return np.minimum(self.exact, self.psi - error)

    def upper(self, error: np.ndarray) -> np.ndarray:
        """Bound Psi (n,) from above; minus infinity for chosen candidates."""
        return np.minimum(self.exact, self.psi + error)

    def is_settled(self, error: np.ndarray) -> np.ndarray:
        """Say (n,) whether no rank since ``exact`` was found can be nearer."""
        return self.psi - error >= self.exact
