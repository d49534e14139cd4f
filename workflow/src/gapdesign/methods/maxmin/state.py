"""State of a selection at its end, from which one with a larger budget or a larger pool continues.

It is not a result: without it a design is the same, but takes longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gapdesign.files import atomic, read_array
from gapdesign.shards import shard_range


@dataclass(frozen=True)
class State:
    """State of a selection at its end.

    Attributes
    ----------
    size : int
        Candidates in the pool.
    candidates : (n,) int64
        The design.
    distances2 : (n + 1,) float64
        Squared kernel distance of each rank from those before, and of the rank that would have come next.
    bounds : dict of arrays
        Bounds of the candidates, in a form that the method defines.
    """

    size: int
    candidates: np.ndarray
    distances2: np.ndarray
    bounds: dict[str, np.ndarray]

    @classmethod
    def nothing(cls) -> State:
        """Return the state of a method that cannot continue a selection."""
        return cls(0, np.zeros(0, np.int64), np.zeros(0), {})

    def write(self, path: str | Path, identity: str, sums: Sequence[Path]) -> None:
        """Write it with its dependencies: the ``identity`` of the task, and the ``sums`` of the pool's features."""
        total = sum(map(read_array, sums))
        own = {"size": self.size, "candidates": self.candidates, "distances2": self.distances2}
        with atomic(path) as temporary, temporary.open("wb") as target:
            np.savez(target, identity=identity, total=total, **own, **self.bounds)

    @classmethod
    def read(cls, path: Path, identity: str, sums: Sequence[Path]) -> State | None:
        """Read a file of :meth:`write`, if it belongs to the same task on this pool or on the first part of it.

        Parameters
        ----------
        sums : sequence of path
            The sums of the features of every shard of the present pool.

        Returns
        -------
        State or None
            None if the file is missing, damaged, or belongs to another task; the selection then starts afresh.
        """
        try:
            with path.open("rb") as source, np.load(source, allow_pickle=False) as archive:
                fields = dict(archive)
            size, known = int(fields.pop("size")), fields.pop("total")
            if fields.pop("identity") != identity or not np.array_equal(known, total_of_first(size, sums)):
                return None
            return cls(size, fields.pop("candidates"), fields.pop("distances2"), fields)
        except Exception:
            return None


def total_of_first(size: int, sums: Sequence[Path]) -> np.ndarray | None:
    """Return the sum of the features of the first ``size`` candidates if a shard ends there, else None."""
    first = [path for path in sums if shard_range(path)[1] <= size]
    if max((shard_range(path)[1] for path in first), default=0) != size:
        return None
    return sum(read_array(path) for path in first)
