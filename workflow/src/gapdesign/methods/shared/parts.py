"""Tasks on a part of their pool, and tasks that continue what was chosen already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gapdesign.descriptors.environments import Environments
from gapdesign.methods.base import Task
from gapdesign.methods.shared.distance import existing_features, mean_descriptor, total
from gapdesign.methods.shared.resources import block_rows, hold
from gapdesign.shards import SampledPool


def among(task: Task, candidates: np.ndarray) -> Task:
    """Return the task of choosing from some candidates (n,), increasing, of a pool; it numbers them from 0.

    A candidate to start from that is not among them is forgotten.
    """
    if len(candidates) == task.pool.size:
        return task
    start = task.start if task.start is not None and task.start in candidates else None
    pool = SampledPool(task.pool, len(candidates), candidates)
    environments = None if task.environments is None else _Some(task.environments, candidates)
    structures = None if task.structures is None else task.structures.among(candidates)
    sums = sum(total(block) for _, block in pool.blocks(block_rows(task.memory, pool.dimension, 0)))
    compressed = None if task.compressed is None else SampledPool(task.compressed, len(candidates), candidates)
    codes = None if task.codes is None else SampledPool(task.codes, len(candidates), candidates)
    return replace(
        task,
        pool=pool,
        mean=mean_descriptor(sums, pool.size, task.covariance.layout),
        start=None if start is None else int(np.searchsorted(candidates, start)),
        compressed=None if compressed is None else hold(compressed, task.memory),
        codes=codes,
        environments=environments,
        rows=None if task.rows is None else _Some(task.rows, candidates),
        structures=structures,
        derivatives=None if task.derivatives is None else _renumbered(task.derivatives, candidates),
        costs=None if task.costs is None else task.costs[candidates],
        earlier=None,
    )


def beside(task: Task, candidates: np.ndarray) -> Task:
    """Return the task of continuing a design that has some candidates (n,) of the pool, in the order chosen."""
    if not len(candidates):
        return task
    environments = None
    if task.environments is not None:
        known = [] if task.existing_environments is None else [task.existing_environments]
        environments = Environments.joined([*known, *(task.environments.one(int(k)) for k in candidates)])
    rows = task.existing_rows
    if task.rows is not None:
        rows = [*rows, *(task.rows.one(int(k)) for k in candidates)]
    return replace(
        task,
        existing=np.concatenate([existing_features(task), task.pool.rows(candidates)]),
        existing_environments=environments,
        existing_rows=rows,
        structures=None if task.structures is None else task.structures.beside(candidates),
    )


class _Some:
    """Environments or rows of some candidates of a pool, numbered from 0."""

    def __init__(self, whole: Any, candidates: np.ndarray) -> None:
        self._whole, self._candidates = whole, candidates

    def __len__(self) -> int:
        return len(self._candidates)

    def one(self, k: int) -> Any:
        """Candidate ``k`` alone."""
        return self._whole.one(int(self._candidates[k]))


def _renumbered(
    derivatives: Callable[[int], Mapping[int, np.ndarray]], candidates: np.ndarray
) -> Callable[[int], Mapping[int, np.ndarray]]:
    return lambda k: derivatives(int(candidates[k]))
