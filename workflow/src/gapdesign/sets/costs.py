"""What the labels of frames cost, in core-hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.methods.costs import number

if TYPE_CHECKING:
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
    return np.array(
        [
            number(frame.atoms.info, key, f"--cost {key}: frame {frame.number} of '{given.name}'")
            for frame in given.frames
        ]
    )
