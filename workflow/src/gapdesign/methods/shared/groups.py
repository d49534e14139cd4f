"""Groups of candidates: by the `config_type` of their frames, or else by the prototypes that they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Groups:
    """The group of every candidate of a pool.

    Attributes
    ----------
    names : tuple of str
        In alphabetical order; the empty name is that of candidates without a group.
    of : (N,) int32
        Place of each candidate's group in ``names``.
    """

    names: tuple[str, ...]
    of: np.ndarray

    @classmethod
    def read(cls, shards: Sequence[str | Path]) -> Groups:
        """Read the groups of all candidates of a pool from its shards, one of which is held at a time."""
        from gapdesign.shards import in_order
        from gapdesign.structures import read_batch

        return cls.named(read_batch(path).groups() for path in in_order(shards)[0])

    @classmethod
    def named(cls, parts: Iterable[Sequence[str]]) -> Groups:
        """Return the groups of candidates from the names of these, part by part."""
        place: dict[str, int] = {}
        found = [np.array([place.setdefault(name, len(place)) for name in names], np.int32) for names in parts]
        known = sorted(place)
        order = np.array([known.index(name) for name in place], np.int32)
        return cls(tuple(known), order[np.concatenate(found)])

    @property
    def sizes(self) -> dict[str, int]:
        """Number of candidates of each group."""
        return self.count(slice(None))

    def members(self, name: str) -> np.ndarray:
        """Return the candidates (n,) of a group, increasing."""
        return np.flatnonzero(self.of == self.names.index(name))

    def count(self, candidates: np.ndarray | slice) -> dict[str, int]:
        """Return how many of some candidates each group has."""
        counts = np.bincount(self.of[candidates], minlength=len(self.names)).tolist()
        return dict(zip(self.names, counts, strict=True))

    def among(self, candidates: np.ndarray) -> Groups:
        """Return the groups of some candidates (n,), numbered from 0."""
        return Groups(self.names, self.of[candidates])
