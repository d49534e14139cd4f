"""Blind draws from a pool: simple random samples that change little when the pool grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.shared.distance import is_there
from gapdesign.streams import stream

if TYPE_CHECKING:
    from gapdesign.methods.base import Task


def shuffled(seed: str, size: int) -> np.ndarray:
    """Return all candidates (size,) int64 in random order: each has its own random number, and the smallest come first.

    Prefixes are simple random samples, and so are those of the order restricted to the first n candidates.
    """
    return np.argsort(stream(seed).random_raw(size), kind="stable").astype(np.int64)


def drawn(task: Task, count: int) -> np.ndarray:
    """Return the first ``count`` candidates in random order that coincide with no existing structure: (n,) int64."""
    candidates: list[int] = []
    for candidate in shuffled(task.seed, task.pool.size):
        if len(candidates) == count:
            break
        if not is_there(task, candidate):
            candidates.append(int(candidate))
    return np.array(candidates, np.int64)
