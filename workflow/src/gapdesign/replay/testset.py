"""The test set of a replay: candidates that no potential is trained on, the same for all designs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.methods.base import Task
from gapdesign.methods.shared.chance import shuffled
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.methods.shared.resources import block_rows, hold
from gapdesign.quality.samples import SampledPool

if TYPE_CHECKING:
    from gapdesign.descriptors.environments import EnvironmentPool, Environments


def size_of(share: float, candidates: int) -> int:
    """Return the number of candidates of a pool that are left out for the test."""
    return round(share * candidates)


def left_out(seed: int, pool: str, candidates: int, share: float) -> np.ndarray:
    """Return the candidates (n,) int64 of a pool that no potential is trained on, increasing.

    They are a simple random sample by the seed of the study and the name of the pool.
    """
    return np.sort(shuffled(f"{seed}/replay/test/{pool}", candidates)[: size_of(share, candidates)])


def test_members(seed: int, sizes: Mapping[str, int], core: str | None, test: float | str) -> dict[str, np.ndarray]:
    """Return the test set as candidates (n,) of each pool that has any.

    Parameters
    ----------
    seed : int
        Of the study.
    sizes : mapping
        Pool to number of candidates.
    core : str, optional
        The pool that is part of every training set.
    test : float or str
        Share of the candidates of every pool but the core, or the name of a pool that is the test set as a whole.
    """
    if isinstance(test, str):
        return {test: np.arange(sizes[test])}
    members = {name: left_out(seed, name, size, test) for name, size in sizes.items() if name != core}
    return {name: mine for name, mine in members.items() if len(mine)}


def without(task: Task, left_out: np.ndarray) -> tuple[Task, np.ndarray]:
    """Return the task of choosing from a pool without some candidates, and the candidates (n,) that remain.

    The new task numbers the candidates that remain from 0.

    Raises
    ------
    InputError
        If `start` names a candidate that is left out.
    """
    rest = np.setdiff1d(np.arange(task.pool.size), left_out)
    if not len(left_out):
        return task, rest
    if task.start is not None and task.start in left_out:
        raise InputError(
            f"start: candidate {task.start} is in the test set of the replay; name another, or set replay.test to 0."
        )
    pool = SampledPool(task.pool, len(rest), rest)
    environments = None if task.environments is None else _Some(task.environments, rest)
    structures = None if task.structures is None else task.structures.among(rest)
    sums = sum(total(block) for _, block in pool.blocks(block_rows(task.memory, pool.dimension, 0)))
    compressed = None if task.compressed is None else SampledPool(task.compressed, len(rest), rest)
    changed = replace(
        task,
        pool=pool,
        mean=mean_descriptor(sums, pool.size, task.covariance.layout),
        start=None if task.start is None else int(np.searchsorted(rest, task.start)),
        compressed=None if compressed is None else hold(compressed, task.memory),
        environments=environments,
        structures=structures,
        derivatives=None if task.derivatives is None else _renumbered(task.derivatives, rest),
    )
    return changed, rest


class _Some:
    """Environments of some candidates of a pool, numbered from 0."""

    def __init__(self, environments: EnvironmentPool | Environments, candidates: np.ndarray) -> None:
        self._environments, self._candidates = environments, candidates

    def __len__(self) -> int:
        return len(self._candidates)

    def one(self, k: int) -> Environments:
        """Candidate ``k`` alone."""
        return self._environments.one(int(self._candidates[k]))


def _renumbered(
    derivatives: Callable[[int], Mapping[int, np.ndarray]], candidates: np.ndarray
) -> Callable[[int], Mapping[int, np.ndarray]]:
    return lambda k: derivatives(int(candidates[k]))
