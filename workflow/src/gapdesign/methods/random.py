"""Method `random`: structures drawn blindly, representative of the pool (BR's RND, RK's SRS)."""

from __future__ import annotations

import numpy as np

from gapdesign.methods import Selection, Task
from gapdesign.methods.distance import descending
from gapdesign.streams import stream


def select(task: Task) -> Selection:
    """Draw without replacement.

    Every candidate has a random number of its own, and those with the smallest come first: a simple
    random sample whose prefixes are simple random samples too, and of which a pool that grows keeps
    what is not outbid. Candidates that coincide with an existing structure are passed over.
    """
    lots = stream(task.seed).random_raw(task.pool.size)
    order = np.argsort(lots, kind="stable").astype(np.int64)
    candidates: list[int] = []
    for candidate in order:
        if len(candidates) == task.budget:
            break
        if not _is_there(task, candidate):
            candidates.append(int(candidate))
    return Selection(np.array(candidates, np.int64), _distances(task, candidates))


def _is_there(task: Task, candidate: int) -> bool:
    """Whether a candidate coincides with an existing structure."""
    if task.existing is None or not len(task.existing):
        return False
    if task.structures is not None:
        psi = task.structures.psi(task.structures[candidate], task.structures.existing)
        return psi <= task.structures.distance.overlap
    (features,) = task.pool.rows([candidate])
    return task.covariance.distance2(task.existing, features).min() <= task.covariance.overlap


def _distances(task: Task, candidates: list[int]) -> np.ndarray:
    """Distance (n,) of each candidate from what exists and the candidates before it."""
    existing = task.existing if task.existing is not None else np.zeros((0, task.pool.dimension), np.float32)
    features = np.concatenate([existing, task.pool.rows(candidates)])
    first = float(np.sqrt(task.covariance.distance2(features[:1], task.mean)[0]))
    if task.structures is None:
        return descending(features, task.covariance, first)[len(existing) :]
    ranks = [*task.structures.existing, *(task.structures[candidate] for candidate in candidates)]
    later = range(len(existing), len(ranks))
    return np.array([np.sqrt(task.structures.psi(ranks[k], ranks[:k])) if k else first for k in later])
