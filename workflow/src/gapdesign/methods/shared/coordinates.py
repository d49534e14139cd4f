"""Coordinate exchange: designs over continuous parameters, one coordinate at a time (Meyer and Nachtsheim 1995)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np

from gapdesign.progress import Pace


class Criterion(ABC):
    """The quality of a design, which moves of single members raise.

    Parameters
    ----------
    features : (n, d)
        Features of the members. They are copied.
    existing : (m, d)
        Features of structures that stay.

    Attributes
    ----------
    words
        Name of the quality in prose, such as "log det X'X".
    """

    words: ClassVar[str]

    def __init__(self, features: np.ndarray, existing: np.ndarray) -> None:
        self.features, self.existing = np.array(features), existing

    @abstractmethod
    def value(self) -> float:
        """Return the quality of the whole design; more is better."""

    @abstractmethod
    def better(self, place: int, trials: np.ndarray) -> int | None:
        """Return the best of some features (m, d) for the member at ``place``; None if none is better than its own.

        A member that moves there does not lower :meth:`value`.
        """

    def scores(self) -> np.ndarray | None:
        """Return the score (n,) of each member beside those before it, if the method has scores."""
        return None

    def move(self, place: int, features: np.ndarray) -> None:
        """Move the member at ``place`` to features (d,)."""
        self.features[place] = features

    def others(self, place: int) -> np.ndarray:
        """Return the features of all structures but the member at ``place``: those that stay, and other members."""
        return np.concatenate([self.existing, self.features[:place], self.features[place + 1 :]])


class Trials(NamedTuple):
    """Points that may be tried.

    Attributes
    ----------
    kept : (m,) int
        Which of the points asked for; the others are not allowed.
    features : (m, d)
    """

    kept: np.ndarray
    features: np.ndarray


def exchange(
    criterion: Criterion,
    points: np.ndarray,
    describe: Callable[[int, np.ndarray], Trials],
    *,
    grid: np.ndarray,
    sweeps: int,
    refinements: int,
    progress: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """Move members of a design, one coordinate at a time, as long as that raises its quality.

    Each coordinate of each member in turn moves to the best of a grid of values. When no move helps, the grid shrinks
    around the present values, by half each time.

    Parameters
    ----------
    criterion : Criterion
        It ends with the features of the points that are returned.
    points : (n, k)
        Parameters of its members, each in [0, 1].
    describe : callable
        Called with the place of a member and points (m, k) for it.
    grid : (g,)
        Values in [0, 1] to try.
    sweeps : int
        Largest number of sweeps over all members, at each size of the grid.
    refinements : int
        Number of times that the grid shrinks.
    progress : callable
        Called with a line of text now and then.

    Returns
    -------
    (n, k)
        Parameters. Unless the sweeps ended it, no move of one coordinate to a value of the last grid helps.
    """
    points, pace = np.array(points, float), Pace()
    for refinement in range(refinements + 1):
        width, moves = 0.5**refinement, 0
        for sweep in range(1, sweeps + 1):
            before = moves
            for place, coordinate in np.ndindex(*points.shape):
                centre = points[place, coordinate]
                tried = grid if not refinement else np.clip(centre + width * (grid - 0.5), 0.0, 1.0)
                trials = np.repeat(points[[place]], len(tried), axis=0)
                trials[:, coordinate] = tried
                allowed = describe(place, trials)
                best = criterion.better(place, allowed.features) if len(allowed.kept) else None
                if best is not None:
                    points[place] = trials[allowed.kept[best]]
                    criterion.move(place, allowed.features[best])
                    moves += 1
                if pace.is_due():
                    progress(f"coordinate exchange, grid of width {width:.3g}, sweep {sweep}: member {place}")
            if moves == before:
                break
        progress(
            f"coordinate exchange, grid of width {width:.3g}: {moves} moves, {criterion.words} {criterion.value():.6g}"
        )
    return points
