"""The test set of a replay: candidates that no potential is trained on, the same for all designs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gapdesign.errors import InputError
from gapdesign.methods.base import Task
from gapdesign.methods.shared.chance import shuffled
from gapdesign.methods.shared.parts import among


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
    if task.start is not None and task.start in left_out:
        raise InputError(
            f"start: candidate {task.start} is in the test set of the replay; name another, or set replay.test to 0."
        )
    rest = np.setdiff1d(np.arange(task.pool.size), left_out)
    return among(task, rest), rest
