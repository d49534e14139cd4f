"""Parts of a pool that stand for it: candidates to measure against, and smaller pools to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.shared.chance import shuffled
from gapdesign.shards import Blocks, HeldPool

if TYPE_CHECKING:
    from gapdesign.shards import FeaturePool


class SampledPool(Blocks):
    """At most ``count`` candidates of a pool, which are read like a whole one.

    Parameters
    ----------
    pool : FeaturePool or HeldPool
    count : int
    order : (size,) int64, optional
        Candidates of the pool in random order, the first of which are taken; without it, evenly spaced ones.
    """

    def __init__(self, pool: FeaturePool | HeldPool, count: int, order: np.ndarray | None = None) -> None:
        self._pool = pool
        self._indices = evenly(pool.size, count) if order is None else np.sort(order[:count])
        self.size, self.dimension = len(self._indices), pool.dimension

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return the features (n, dimension) of the candidates at the places ``start`` to ``stop`` (excluded)."""
        return self.rows(np.arange(start, stop))

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Return the features (n, dimension) of the candidates at ``places``."""
        return self._pool.rows(self._indices[np.asarray(places, np.int64)])

    def indices(self) -> np.ndarray:
        """Return the candidates (size,), increasing."""
        return self._indices

    def held(self) -> HeldPool:
        """Read all of it into memory."""
        return HeldPool(self.block(0, self.size))


def evenly(size: int, count: int) -> np.ndarray:
    """Return at most ``count`` of the places 0 to ``size``, evenly spaced."""
    return np.arange(min(size, count), dtype=np.int64) * size // min(size, count)


def order_of(seed: int, pool: str, size: int, *, is_ordered: bool) -> np.ndarray | None:
    """Return the candidates of a pool in random order, or None where their own order is random.

    Candidates that are drawn one by one are exchangeable, so that the first of them are a sample. Frames of a file or
    of a trajectory are not: the first half of a file may be another kind of structure than the second.

    Parameters
    ----------
    seed : int
        Of the study.
    pool : str
        Its name.
    size : int
        Candidates in it.
    is_ordered : bool
        Whether candidates with neighbouring indices are more alike than others.
    """
    return shuffled(f"{seed}/quality/{pool}/order", size) if is_ordered else None
