"""What the labels of frames cost, and designs that a budget of core-hours pays for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign import notebook
from gapdesign.errors import InputError
from gapdesign.sets.features import beside, rows_of

if TYPE_CHECKING:
    from gapdesign.notebook.description import Features
    from gapdesign.sets.held import FrameSet


def of_engine(given: FrameSet, name: str) -> np.ndarray:
    """Return the core-hours (n,) of a label of each frame, as an engine estimates them with its default settings.

    Raises
    ------
    InputError
        If there is no such engine, or it computes no labels.
    """
    from gapdesign.engines import ENGINES

    able = [engine for engine, member in ENGINES.items() if member.computes]
    if name not in able:
        raise InputError(f"--engine {name}: no such engine estimates costs; choose from {', '.join(able)}.")
    engine = ENGINES[name](ENGINES[name].Options())
    return np.array([engine.core_hours(frame.bare()) for frame in given.frames])


def carried(given: FrameSet, key: str) -> np.ndarray:
    """Return the core-hours (n,) of a label of each frame that the frames carry under a name.

    Raises
    ------
    InputError
        If a frame has no such value, or it is no number above 0.
    """
    found = []
    for frame in given.frames:
        value = frame.atoms.info.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            has = "no value" if value is None else f"{value!r}"
            raise InputError(f"--cost {key}: frame {frame.number} of '{given.name}' has {has}; give core-hours.")
        if not 0 < value < np.inf:
            raise InputError(f"--cost {key}: frame {frame.number} of '{given.name}' has {value}, not a cost above 0.")
        found.append(float(value))
    return np.array(found)


def design(
    features: Features,
    costs: np.ndarray,
    budget: float,
    *,
    existing: Features | None = None,
    **settings: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose by a method of prefixes what a budget pays for: each next structure is its choice among the affordable.

    Parameters
    ----------
    features : Features
    costs : (n,)
        Core-hours of each.
    budget : float
        In core-hours.
    existing : Features, optional
    **settings
        Of :func:`gapdesign.select`, with a method of prefixes.

    Returns
    -------
    places, distances : (m,)
        In the order chosen, with the distance of each from those before.
    """
    places: list[int] = []
    distances: list[float] = []
    left, rest = budget, np.flatnonzero(costs <= budget)
    while len(rest):
        count = min(len(rest), max(16, int(2 * left / costs[rest].mean())))
        found = notebook.select(rows_of(features, rest), count, existing=beside(features, existing, places), **settings)
        chosen = rest[found.indices]
        paid = int(np.searchsorted(np.cumsum(costs[chosen]), left, side="right"))
        places += chosen[:paid].tolist()
        distances += found.distances[:paid].tolist()
        left -= costs[chosen[:paid]].sum()
        if len(chosen) < count and paid == len(chosen):
            break  # all that is left coincides with what was chosen
        rest = np.setdiff1d(rest[costs[rest] <= left], chosen[:paid])
    return np.array(places, np.int64), np.array(distances)


def drawn(costs: np.ndarray, budget: float, order: np.ndarray) -> np.ndarray:
    """Return what a budget pays for of frames in a given order (n,): those that do not fit are skipped."""
    taken, left = [], budget
    for place in order:
        if costs[place] <= left:
            taken.append(place)
            left -= costs[place]
    return np.array(taken, np.int64)
