"""Method `k_medoids`: the structures that lie nearest to all others (RK section 2; Kaufman and Rousseeuw 1990).

FasterPAM (Schubert and Rousseeuw 2021, the package kmedoids) on kernel distances D needs the distance of every pair: of
100,000 candidates 40 GB. A larger pool is therefore seen through samples of it (CLARA, Kaufman and Rousseeuw 1990):
medoids of each sample are found, and those with the smallest mean distance over the whole pool are the design.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.methods.base import Method, Selection, Task
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.resources import one_blas_thread, require
from gapdesign.methods.shared.rows import BLOCK, TransformedRows, first_largest
from gapdesign.streams import stream

if TYPE_CHECKING:
    from gapdesign.descriptors.covariance import Covariance


class KMedoidsOptions(Options):
    """Options of the method `k_medoids`."""

    sample: int = Field(
        5000,
        ge=2,
        description="Candidates whose distances are all computed; a larger pool is seen through samples of so many. The"
        " memory is 16 bytes times its square.",
    )
    samples: int = Field(3, ge=1, description="Samples that are tried where the pool is larger than one.")


class KMedoidsMethod(Method):
    """Medoids of the pool."""

    name = "k_medoids"
    summary = "the set that lies nearest to all other candidates"
    Options = KMedoidsOptions
    title = "k-medoids"
    by_average_only = True

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose medoids; those of an existing set are fixed, and the others are found beside them.

        The score of a structure is the mean distance D of the sample's candidates to the nearest of what exists and of
        the ranks so far. Ranks are ordered by how much each lowers that; a shorter design is not a prefix of a longer
        one.
        """
        options = task.options or cls.Options()
        usable = np.flatnonzero(distance.free(task))
        size = min(options.sample, len(usable))
        require(task.memory, 16 * size**2, cls.name, f"the distances of all pairs of {size} candidates")
        with one_blas_thread():
            rows = TransformedRows(task.pool, memory=task.memory // 2, threads=task.threads)
            existing = rows.of(distance.existing_features(task)).astype(float)
            found: tuple[float, list[int], list[float]] | None = None
            for number in range(options.samples if size < len(usable) else 1):
                lots = stream(f"{task.seed}/sample/{number}").random_raw(len(usable))
                sample = usable[np.sort(np.argsort(lots, kind="stable")[:size])]
                chosen, scores = _of_sample(task, rows, sample, existing)
                members = np.concatenate([existing, rows.take(chosen)])
                mean = _mean_distance(rows, task.covariance, members)
                task.progress(f"sample {number + 1}: mean distance of the pool to the medoids {mean:.6g}")
                if found is None or mean < found[0]:
                    found = (mean, chosen, scores)
        return distance.selection(task, found[1], found[2], passes=1)


def _of_sample(
    task: Task, rows: TransformedRows, sample: np.ndarray, existing: np.ndarray
) -> tuple[list[int], list[float]]:
    """Medoids of a sample (n,) of candidates, in order, and the mean distance after each."""
    vectors = rows.take(sample)
    pairs = kernel_distances(vectors, vectors, task.covariance)
    np.fill_diagonal(pairs, 0.0)
    nearest = np.full(len(sample), np.inf, np.float32)
    if len(existing):
        nearest = kernel_distances(vectors, existing, task.covariance).min(axis=1)
    places = medoids(pairs, nearest, min(task.budget, len(sample)))
    order, means = ordered(pairs, nearest, places)
    return [int(sample[place]) for place in order], means


def kernel_distances(a: np.ndarray, b: np.ndarray, covariance: Covariance) -> np.ndarray:
    """Kernel distances D (n, m) float32 of vectors (n, dimension) and (m, dimension) on the grid."""
    distances = np.empty((len(a), len(b)), np.float32)
    own = covariance.diagonal(b)
    for start in range(0, len(a), BLOCK):
        part = a[start : start + BLOCK]
        squared = covariance.diagonal(part)[:, None] + own - 2 * covariance.gram(part, b)
        distances[start : start + BLOCK] = np.sqrt(np.maximum(squared, 0.0))
    return distances


def medoids(pairs: np.ndarray, nearest: np.ndarray, count: int) -> np.ndarray:
    """Medoids such that no single swap lowers the sum of distances to the nearest of them and of what is fixed.

    What is fixed enters as a cap: with d'(i, m) = min(d(i, m), nearest(i)), the sum over i of the least d'(i, m) is
    that sum, and FasterPAM minimises it as it would any other.

    Parameters
    ----------
    pairs : (n, n) float32
        Distances; zero on the diagonal.
    nearest : (n,) float32
        Distance of each from the nearest that is fixed; infinity if nothing is.
    count : int

    Returns
    -------
    (count,) int
    """
    from kmedoids import fasterpam

    if count == len(pairs):
        return np.arange(count)
    capped = np.minimum(pairs, nearest[:, None])
    # A greedy start by the largest distance costs one row each, where the package's BUILD costs a matrix.
    middle = first_largest(-pairs.sum(axis=1, dtype=float))
    start, psi = [], np.where(np.isfinite(nearest), nearest, pairs[middle])
    for _ in range(count):
        best = int(np.argmax(np.where(np.isin(np.arange(len(pairs)), start), -1.0, psi)))
        start.append(best)
        psi = np.minimum(psi, pairs[best])
    found = fasterpam(capped, np.array(start, dtype=np.uint64), max_iter=1000, n_cpu=1)
    return np.sort(found.medoids.astype(np.int64))


def ordered(pairs: np.ndarray, nearest: np.ndarray, places: np.ndarray) -> tuple[list[int], list[float]]:
    """Medoids in the order in which each lowers the mean distance most, and that mean after each."""
    columns, near = pairs[:, places].astype(float), nearest.astype(float)
    order: list[int] = []
    means: list[float] = []
    for _ in range(len(places)):
        left = np.minimum(columns, near[:, None]).mean(axis=0)
        left[order] = np.inf
        best = first_largest(-left)
        order.append(best)
        means.append(float(left[best]))
        near = np.minimum(near, columns[:, best])
    return [int(places[k]) for k in order], means


def _mean_distance(rows: TransformedRows, covariance: Covariance, members: np.ndarray) -> float:
    """Mean distance of the pool to the nearest member, the same however the pool is cut."""
    nearest = np.empty(rows.size)
    rows.each(lambda span, block: nearest.__setitem__(span, kernel_distances(block, members, covariance).min(axis=1)))
    return float(nearest.mean())
