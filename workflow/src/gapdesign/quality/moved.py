"""Polished designs beside the candidates of their pool, which their structures are no longer among."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.shards import FeaturePool


class Moved(NamedTuple):
    """A polished design.

    Attributes
    ----------
    frames : sequence of Atoms
        Its structures, each with the ``candidate`` that it began as in its ``info``.
    features : (n, dimension) float32
    """

    frames: Sequence[Atoms]
    features: np.ndarray


class Enlarged:
    """A pool with the structures of polished designs numbered behind its candidates.

    Parameters
    ----------
    pool : FeaturePool
    designs : mapping of str to Moved

    Attributes
    ----------
    size : int
        Number of candidates; the others are not counted.
    dimension : int
    structures : dict of int to Atoms
        The structures of polished designs by their numbers.
    members : dict of str to (n,) int64
        These numbers by design, in the order of the ranks.
    """

    def __init__(self, pool: FeaturePool, designs: Mapping[str, Moved]) -> None:
        self.size, self.dimension, self._pool = pool.size, pool.dimension, pool
        self.structures: dict[int, Atoms] = {}
        self.members: dict[str, np.ndarray] = {}
        for name, moved in designs.items():
            begin = pool.size + len(self.structures)
            self.members[name] = np.arange(begin, begin + len(moved.frames))
            self.structures |= dict(zip(self.members[name].tolist(), moved.frames, strict=True))
        nothing = np.zeros((0, pool.dimension), pool.dtype)
        self._features = np.concatenate([nothing, *(moved.features for moved in designs.values())])

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the features (n, dimension) of structures by number."""
        indices = np.asarray(indices, np.int64)
        rows, is_candidate = np.empty((len(indices), self.dimension), self._pool.dtype), indices < self.size
        rows[is_candidate] = self._pool.rows(indices[is_candidate])
        rows[~is_candidate] = self._features[indices[~is_candidate] - self.size]
        return rows

    def begun(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the numbers in ``candidate`` replaced by those of the candidates that they began as."""
        began = {number: int(atoms.info["candidate"]) for number, atoms in self.structures.items()}
        return table.assign(candidate=table["candidate"].replace(began)) if began else table
