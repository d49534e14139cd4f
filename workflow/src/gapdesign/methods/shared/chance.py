"""Blind draws from a pool: simple random samples, of which a pool that grows keeps what is not outbid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.shared.distance import is_there
from gapdesign.streams import stream

if TYPE_CHECKING:
    from gapdesign.methods.base import Task


def shuffled(seed: str, size: int) -> np.ndarray:
    """All candidates (size,) int64 in random order: each has a random number of its own, and the smallest come first.

    Prefixes are simple random samples, and so is what the order has of the first n candidates.
    """
    return np.argsort(stream(seed).random_raw(size), kind="stable").astype(np.int64)


def drawn(task: Task, count: int) -> np.ndarray:
    """The first ``count`` candidates in random order that coincide with no existing structure: (n,) int64."""
    candidates: list[int] = []
    for candidate in shuffled(task.seed, task.pool.size):
        if len(candidates) == count:
            break
        if not is_there(task, candidate):
            candidates.append(int(candidate))
    return np.array(candidates, np.int64)
