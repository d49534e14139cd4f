"""Distances for all methods: the pool's mean, copies of existing structures, and distances down a design."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.methods.base import Selection, Task

FIXED_POINT = 2.0**36
"""A sum of integers does not depend on the order of its terms, so features are added as multiples of 2^-36."""

ROWS = 2048
"""Number of candidates that are compared with others at once."""


def total(features: np.ndarray) -> np.ndarray:
    """Return the sum of the rows of features (n, dimension) as int64 multiples of 2^-36, exact in any order."""
    sums = np.zeros(features.shape[1], np.int64)
    rows = max(1, 2**17 // features.shape[1])  # what a processor's cache holds
    for start in range(0, len(features), rows):
        sums += np.rint(features[start : start + rows].astype(float) * FIXED_POINT).astype(np.int64).sum(axis=0)
    return sums


def mean_descriptor(sums: np.ndarray, count: int, layout: Layout) -> np.ndarray:
    """Return the mean of a pool's features, with its parts scaled to unit length.

    Parameters
    ----------
    sums : (dimension,) int64
        Sum of :func:`total` over the pool.
    count : int
        Candidates in the pool.

    Returns
    -------
    (dimension,) float32
    """
    mean = sums / FIXED_POINT / count
    for part in (*layout.soap, layout.composition, layout.pair):
        if part is not None and (norm := np.sqrt(np.add.reduce(mean[part] ** 2))) > 0:
            mean[part] /= norm
    return mean.astype(np.float32)


def between(a: np.ndarray, b: np.ndarray, covariance: Covariance) -> np.ndarray:
    """Return kernel distances D (n, m) float32 of vectors (n, dimension) and (m, dimension) on the grid."""
    distances = np.empty((len(a), len(b)), np.float32)
    own = covariance.diagonal(b)
    for start in range(0, len(a), ROWS):
        part = a[start : start + ROWS]
        squared = covariance.diagonal(part)[:, None] + own - 2 * covariance.gram(part, b)
        distances[start : start + ROWS] = np.sqrt(np.maximum(squared, 0.0))
    return distances


def descending(features: np.ndarray, covariance: Covariance, first: float) -> np.ndarray:
    """Return the kernel distance of each row of a design (n, dimension) to the nearest row before it.

    Parameters
    ----------
    first : float
        Distance of the first row.

    Returns
    -------
    (n,) float64
    """
    distances = [first]
    distances += [np.sqrt(covariance.distance2(features[:k], features[k]).min()) for k in range(1, len(features))]
    return np.array(distances[: len(features)])


def existing_features(task: Task) -> np.ndarray:
    """Return the features (m, dimension) of the existing structures, if any."""
    return task.existing if task.existing is not None else np.zeros((0, task.pool.dimension), np.float32)


def is_copy(task: Task, candidate: int, chosen: Sequence[int] | np.ndarray) -> bool:
    """Return whether a candidate coincides with one of some others (n,)."""
    if not len(chosen):
        return False
    if task.structures is not None:
        others = [task.structures[int(other)] for other in chosen]
        return task.structures.psi(task.structures[candidate], others) <= task.structures.distance.overlap
    (features,) = task.pool.rows([candidate])
    return task.covariance.distance2(task.pool.rows(chosen), features).min() <= task.covariance.overlap


def copies(features: np.ndarray, others: np.ndarray, covariance: Covariance) -> np.ndarray:
    """Return whether each row (n,) of features (n, dimension) coincides with one of others (m, dimension)."""
    found = np.zeros(len(features), bool)
    if not len(features) or not len(others):
        return found
    cross = covariance.gram(features, others)
    squared = covariance.diagonal(features) + (covariance.diagonal(others) - 2 * cross).min(axis=1)
    for place in np.flatnonzero(squared <= covariance.overlap + 2 * covariance.rounding):
        found[place] = covariance.distance2(others, features[place]).min() <= covariance.overlap
    return found


def is_there(task: Task, candidate: int) -> bool:
    """Return whether a candidate coincides with an existing structure."""
    if not len(existing_features(task)):
        return False
    if task.structures is not None:
        psi = task.structures.psi(task.structures[candidate], task.structures.existing)
        return psi <= task.structures.distance.overlap
    (features,) = task.pool.rows([candidate])
    return task.covariance.distance2(task.existing, features).min() <= task.covariance.overlap


def free(task: Task) -> np.ndarray:
    """Return whether each candidate (N,) coincides with no existing structure."""
    free = np.ones(task.pool.size, bool)
    existing = existing_features(task)
    if not len(existing):
        return free
    if task.structures is not None:
        return np.array([not is_there(task, candidate) for candidate in range(task.pool.size)])
    own = task.covariance.diagonal(existing)
    near = task.covariance.overlap + 2 * task.covariance.rounding
    for start, block in task.pool.blocks(ROWS):
        cross = task.covariance.gram(block, existing)
        distance2 = task.covariance.diagonal(block) + (own - 2 * cross).min(axis=1)
        for place in np.flatnonzero(distance2 <= near):
            free[start + place] = not is_there(task, start + int(place))
    return free


def down_the_design(task: Task, candidates: Sequence[int]) -> np.ndarray:
    """Return the distance (n,) of each candidate from existing structures and the candidates before it."""
    if not len(candidates):
        return np.zeros(0)
    if task.structures is None:
        return down_the_features(task, task.pool.rows(candidates))
    first = _from_mean(task, np.concatenate([existing_features(task), task.pool.rows(candidates[:1])]))
    ranks = [*task.structures.existing, *(task.structures[candidate] for candidate in candidates)]
    later = range(len(existing_features(task)), len(ranks))
    return np.array([np.sqrt(task.structures.psi(ranks[k], ranks[:k])) if k else first for k in later])


def down_the_features(task: Task, features: np.ndarray) -> np.ndarray:
    """Return the distance (n,) of each row of features (n, dimension) from existing structures and rows before it."""
    existing = existing_features(task)
    whole = np.concatenate([existing, features])
    return descending(whole, task.covariance, _from_mean(task, whole))[len(existing) :]


def _from_mean(task: Task, features: np.ndarray) -> float:
    """Return the distance of the first row of features from the mean of the pool."""
    return float(np.sqrt(task.covariance.distance2(features[:1], task.mean)[0]))


def selection(task: Task, candidates: Sequence[int], scores: Sequence[float], *, passes: int = 1) -> Selection:
    """Make a design with its distances, for methods that choose by something else: ``scores``."""
    order = np.array(candidates, np.int64)
    return Selection(order, down_the_design(task, candidates), scores=np.array(scores, float), passes=passes)
