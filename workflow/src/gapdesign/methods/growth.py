"""Growth of a pool: after each doubling, whether a wider pool still gives something that its designs do not cover.

Two max-min designs are compared over the same candidates, all of the doubled pool: the one chosen from its first half,
and the one chosen from all of it. The covering radius of a design is the largest distance of any candidate from it. Its
radius over its own pool says less: that rises with the pool, and its rise hides what the wider pool is worth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    half_radius : float or None
        Covering radius, over the whole pool, of the design from the first half; None before the first doubling.
    radius : float
        Covering radius of the design from the whole pool.
    candidates : tuple of int
        That design.
    """

    size: int
    existing: str | None
    half_radius: float | None
    radius: float
    candidates: tuple[int, ...]

    @property
    def fall(self) -> float | None:
        """Share by which the doubling lowered the covering radius; None before the first one."""
        if self.half_radius is None:
            return None
        return 1 - self.radius / self.half_radius if self.half_radius > 0 else 0.0


@dataclass(frozen=True)
class Growth:
    """What is known about the growth of a pool.

    Attributes
    ----------
    is_wide : bool
        Whether the last doubling lowered no covering radius by more than was asked, so that the pool ends.
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
        """Yield rows of a table: pool, candidates, set continued, radii, and the share by which the radius fell."""
        for reach in self.reaches:
            own = {"existing": reach.existing or "", "half_radius": reach.half_radius, "radius": reach.radius}
            yield {"pool": pool, "candidates": reach.size, **own, "fall": reach.fall}


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
        The largest fall of a covering radius that ends the pool.
    """
    if before is not None and before.is_wide:
        return before
    reaches = []
    for existing, task in tasks.items():
        found = farthest().select(task)
        # With fewer ranks than asked for, all candidates left out coincide with some of them.
        radius = float(found.outside[-1]) if len(found.candidates) == task.budget else 0.0
        of_half = None if before is None else covering_radius(task, before.last[existing].candidates)
        reaches.append(Reach(task.pool.size, existing, of_half, radius, tuple(found.candidates.tolist())))
    falls = [reach.fall for reach in reaches if reach.fall is not None]
    is_wide = bool(falls) and max(falls) <= until
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
