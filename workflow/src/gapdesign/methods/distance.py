"""What methods share about distances: the pool's mean, and distances down a design."""

from __future__ import annotations

import numpy as np

from gapdesign.descriptors.covariance import Covariance, Layout

FIXED_POINT = 2.0**36
"""A sum of integers does not depend on the order of its terms, so features are added as multiples of 2^-36."""


def total(features: np.ndarray) -> np.ndarray:
    """Sum of the rows of features (n, dimension) as int64 multiples of 2^-36, the same however they are cut."""
    return np.rint(features.astype(float) * FIXED_POINT).astype(np.int64).sum(axis=0)


def mean_descriptor(sums: np.ndarray, count: int, layout: Layout) -> np.ndarray:
    """The mean of a pool's features, its parts scaled to unit length.

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
