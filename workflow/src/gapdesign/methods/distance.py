"""What methods share about distances: the pool's mean, the farthest candidate, distances down a design."""

from __future__ import annotations

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.files import FeaturePool

_FIXED_POINT = 2.0**36


def mean_descriptor(pool: FeaturePool, covariance: Covariance, block_rows: int) -> np.ndarray:
    """The mean of a pool's features, its parts scaled to unit length.

    Features are rounded to multiples of 2^-36 and added as integers, so the sum does not depend on
    how the pool is cut.

    Returns
    -------
    (dimension,) float32
    """
    total = np.zeros(pool.dimension, dtype=np.int64)
    for _, features in pool.blocks(block_rows):
        total += np.rint(features.astype(float) * _FIXED_POINT).astype(np.int64).sum(axis=0)
    mean = total / _FIXED_POINT / pool.size
    layout = covariance.layout
    for part in (*layout.soap, layout.composition, layout.pair):
        if part is not None and (norm := np.sqrt(np.add.reduce(mean[part] ** 2))) > 0:
            mean[part] /= norm
    return mean.astype(np.float32)


def farthest(pool: FeaturePool, covariance: Covariance, point: np.ndarray, block_rows: int) -> int:
    """Candidate with the largest distance from ``point`` (dimension,); of equal ones the first."""
    rounding = covariance.rounding
    best, near = -np.inf, []
    for start, features in pool.blocks(block_rows):
        similarity = covariance.gram(features, point[None])[:, 0]
        # Self terms are 1 to the rounding of float32, which is far above that of float64: take them as they are.
        value = covariance.diagonal(features) - 2 * similarity
        best = max(best, value.max())
        near = [(k, v) for k, v in near if v >= best - 2 * rounding]
        near += [(start + int(k), value[k]) for k in np.flatnonzero(value >= best - 2 * rounding)]
    candidates = np.array(sorted(k for k, _ in near))
    return int(candidates[np.argmax(covariance.distance2(pool.rows(candidates), point))])


def descending(features: np.ndarray, covariance: Covariance, first: float) -> np.ndarray:
    """Kernel distance of each row of a design (n, dimension) to the nearest row before it.

    Parameters
    ----------
    first : float
        What the first row is given.

    Returns
    -------
    (n,) float64
    """
    distances = [first]
    distances += [np.sqrt(covariance.distance2(features[:k], features[k]).min()) for k in range(1, len(features))]
    return np.array(distances[: len(features)])
