"""Method `k_medoids`: the structures that are nearest to all others (RK section 2; Kaufman and Rousseeuw 1990).

FasterPAM (Schubert and Rousseeuw 2021, the package kmedoids) on kernel distances D needs the distance of every pair:
40 GB for 100,000 candidates. A larger pool is therefore represented by samples (CLARA, Kaufman and Rousseeuw 1990):
each sample has its medoids, and those with the smallest mean distance over the whole pool are the design.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.covariance import first_farthest
from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.resources import one_blas_thread, require
from gapdesign.methods.shared.rows import TransformedRows, first_largest
from gapdesign.streams import stream

if TYPE_CHECKING:
    from gapdesign.descriptors.covariance import Covariance


class KMedoidsOptions(Options):
    """Options of the method `k_medoids`."""

    sample: int = Field(
        5000,
        ge=2,
        description="Candidates in a sample, of which all distances are computed; a larger pool is represented by"
        " samples of this size. The memory is 16 bytes times its square.",
    )
    samples: int = Field(3, ge=1, description="Number of samples to try if the pool is larger than one sample.")


class KMedoidsMethod(Method):
    """Medoids of the pool."""

    name = "k_medoids"
    summary = "the set that is nearest to all other candidates"
    Options = KMedoidsOptions
    title = "k-medoids"
    by_average_only = True
    harmed = Harm(averages=2, pairs=9)

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose medoids; an existing set counts as fixed medoids.

        The score of a structure is the mean distance D of the sample's candidates to the nearest existing structure or
        rank so far. Ranks are ordered by how much each lowers that distance; a shorter design is not a prefix of a
        longer one.
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
    """Return the medoids of a sample (n,) of candidates, in order, and the mean distance after each."""
    vectors = rows.take(sample)
    pairs = distance.between(vectors, vectors, task.covariance)
    np.fill_diagonal(pairs, 0.0)
    nearest = np.full(len(sample), np.inf, np.float32)
    if len(existing):
        nearest = distance.between(vectors, existing, task.covariance).min(axis=1)
    places = medoids(pairs, nearest, min(task.budget, len(sample)))
    order, means = ordered(pairs, nearest, places)
    return [int(sample[place]) for place in order], means


def medoids(pairs: np.ndarray, nearest: np.ndarray, count: int) -> np.ndarray:
    """Find medoids for which no single swap lowers the sum of distances to the nearest medoid or fixed structure.

    Fixed structures enter as a cap: with d'(i, m) = min(d(i, m), nearest(i)), the sum over i of the least d'(i, m) is
    that sum, and FasterPAM minimises it like any other.

    Parameters
    ----------
    pairs : (n, n) float32
        Distances; zero on the diagonal.
    nearest : (n,) float32
        Distance of each from the nearest fixed structure; infinity if there is none.
    count : int

    Returns
    -------
    (count,) int
    """
    from kmedoids import fasterpam

    if count == len(pairs):
        return np.arange(count)
    capped = np.minimum(pairs, nearest[:, None])
    # A greedy start by the largest distance takes one row each, whereas the package's BUILD takes a matrix.
    middle = first_largest(-pairs.sum(axis=1, dtype=float))
    start, psi = [], np.where(np.isfinite(nearest), nearest, pairs[middle])
    for _ in range(count):
        best = first_farthest(np.where(np.isin(np.arange(len(pairs)), start), -1.0, psi))
        start.append(best)
        psi = np.minimum(psi, pairs[best])
    found = fasterpam(capped, np.array(start, dtype=np.uint64), max_iter=1000, n_cpu=1)
    return np.sort(found.medoids.astype(np.int64))


def ordered(pairs: np.ndarray, nearest: np.ndarray, places: np.ndarray) -> tuple[list[int], list[float]]:
    """Order medoids by how much each lowers the mean distance, and return that mean after each."""
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
    """Return the mean distance of the pool to the nearest member, the same for any cut into shards."""
    nearest = np.empty(rows.size)
    rows.each(lambda span, block: nearest.__setitem__(span, distance.between(block, members, covariance).min(axis=1)))
    return float(nearest.mean())
