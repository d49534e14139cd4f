"""Growth of a pool: after each doubling, whether a wider pool still gives something that its designs do not cover.

The covering radius of a design is the largest distance of any candidate from it. A max-min design from the half is
measured over that half and over the doubled pool, whose other half it has not seen: by how much its radius rises says
what the doubling has found. The design from the doubled pool, over the same candidates, says by how much that lowers
the radius. A design's radius over its own pool, from one size to the next, says nothing: it rises as long as the pool
does, however wide that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.files import read_json, write_json
from gapdesign.methods import METHODS, default
from gapdesign.methods.base import Method, Task


def farthest() -> type[Method]:
    """Return the method by whose designs pools are judged: the max-min order."""
    return METHODS[default()]


@dataclass(frozen=True)
class Reach:
    """The design of a pool that may grow, and how far its candidates are from it.

    Attributes
    ----------
    size : int
        Candidates of the pool.
    existing : str or None
        File of the structures that the design continues, if there is one.
    radius : float
        Covering radius of the design from the whole pool.
    half_before, half_after : float or None
        Covering radius of the design from the first half, over that half and over the whole pool; None before the first
        doubling.
    candidates : tuple of int
        The design from the whole pool.
    """

    size: int
    existing: str | None
    radius: float
    half_before: float | None
    half_after: float | None
    candidates: tuple[int, ...]

    @property
    def rise(self) -> float | None:
        """Share by which the doubling raised the covering radius of the design from the half; None before the first."""
        if self.half_before is None or self.half_after is None:
            return None
        if self.half_before > 0:
            return self.half_after / self.half_before - 1
        return inf if self.half_after > 0 else 0.0

    @property
    def fall(self) -> float | None:
        """Share by which the radius of the design from the whole pool is lower than that; None before the first."""
        if self.half_after is None:
            return None
        return 1 - self.radius / self.half_after if self.half_after > 0 else 0.0

    def is_wide(self, until: float) -> bool:
        """Return whether the doubling did neither by more than a share."""
        return self.rise is not None and self.fall is not None and max(self.rise, self.fall) <= until


@dataclass(frozen=True)
class Growth:
    """What is known about the growth of a pool.

    Attributes
    ----------
    is_wide : bool
        Whether the last doubling changed no covering radius by more than was asked, so that the pool ends.
    reaches : tuple of Reach
        By size, one for each set that designs continue.
    """

    is_wide: bool
    reaches: tuple[Reach, ...]

    @property
    def size(self) -> int:
        """Candidates of the pool."""
        return self.reaches[-1].size

    @property
    def last(self) -> dict[str | None, Reach]:
        """The designs of the largest pool so far, by the sets that they continue."""
        return {reach.existing: reach for reach in self.reaches if reach.size == self.size}

    def write(self, path: str | Path) -> None:
        """Write it as JSON."""
        write_json(path, {"is_wide": self.is_wide, "reaches": [asdict(reach) for reach in self.reaches]})

    @classmethod
    def read(cls, path: str | Path) -> Growth:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or something else.
        """
        try:
            given = read_json(path)
            reaches = (Reach(**entry | {"candidates": tuple(entry["candidates"])}) for entry in given["reaches"])
            return cls(given["is_wide"], tuple(reaches))
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: not the growth of a pool ({error}); delete it and run it again.") from error

    def rows(self, pool: str) -> Iterator[dict[str, Any]]:
        """Yield rows of a table: pool, candidates, set continued, radii, and the shares by which they rose and fell."""
        for reach in self.reaches:
            radii = {name: getattr(reach, name) for name in ("half_before", "half_after", "radius", "rise", "fall")}
            yield {"pool": pool, "candidates": reach.size, "existing": reach.existing or "", **radii}


def judged(tasks: Mapping[str | None, Task], before: Growth | None, until: float) -> Growth:
    """Judge a pool at one of the sizes at which it may end.

    Nothing is taken from the selection in the half: every rank of the design lies in the new half with the
    probability 1/2, so that an earlier selection is seldom right beyond its first rank.

    Parameters
    ----------
    tasks : mapping
        The task of choosing a design of the largest budget from the whole pool, for each set that designs continue.
    before : Growth, optional
        What was found for the half, if there is one.
    until : float
        The largest rise and fall of a covering radius that end the pool.
    """
    if before is not None and before.is_wide:
        return before
    reaches = []
    for existing, task in tasks.items():
        found = farthest().select(task)
        # With fewer ranks than asked for, all candidates left out coincide with some of them.
        radius = float(found.outside[-1]) if len(found.candidates) == task.budget else 0.0
        half = None if before is None else before.last[existing]
        of_half = (None, None) if half is None else (half.radius, covering_radius(task, half.candidates))
        reaches.append(Reach(task.pool.size, existing, radius, *of_half, tuple(found.candidates.tolist())))
    is_wide = all(reach.is_wide(until) for reach in reaches)
    return Growth(is_wide, (*(() if before is None else before.reaches), *reaches))


def covering_radius(task: Task, candidates: Sequence[int]) -> float:
    """Return the largest distance of any candidate of a task's pool from a design and the existing set.

    It is the distance at which the next rank would be chosen, and so has the same bits however the pool is read; 0 if
    every candidate coincides with one of these.
    """
    known = task.pool.rows(np.array(candidates, np.int64))
    if task.existing is not None:
        known = np.concatenate([task.existing, known])
    found = farthest().select(replace(task, existing=known, budget=1, start=None, earlier=None))
    return float(found.distances[0]) if len(found.candidates) else 0.0
