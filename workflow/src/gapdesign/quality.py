"""What is known about a design before any label is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from gapdesign.descriptors.covariance import Covariance
from gapdesign.files import FeaturePool

OVERLAPPING = 1e-3
"""Pairs of structures with a smaller D2 tell the model the same."""

ORTHOGONAL = 1.9
"""Pairs of structures with a larger D2 tell each other nothing."""

JITTER = 1e-10
"""Added to the diagonal of the normalised covariance, so that near-copies leave it positive definite."""


@dataclass(frozen=True)
class Quality:
    """Measures of one design; D is the kernel distance.

    Attributes
    ----------
    size : int
        Structures in the design.
    nearest_min, nearest_median, nearest_mean : float
        Distance D from each member to the nearest other.
    overlapping_share, orthogonal_share : float
        Shares of the pairs of members with D2 below 1e-3 and above 1.9.
    covering_radius, covering_mean : float
        Largest and mean distance D from a candidate of the pool to the nearest member.
    log_det, condition : float
        Of the members' normalised covariance K with 1e-10 on its diagonal.
    posterior_std_max, posterior_std_mean : float
        Standard deviation of a Gaussian process that knows the design, over the pool, in units of the prior's.
    """

    size: int
    nearest_min: float
    nearest_median: float
    nearest_mean: float
    overlapping_share: float
    orthogonal_share: float
    covering_radius: float
    covering_mean: float
    log_det: float
    condition: float
    posterior_std_max: float
    posterior_std_mean: float


def squared_distances(a: np.ndarray, b: np.ndarray, covariance: Covariance) -> np.ndarray:
    """D2 (n, m) of all pairs of features (n, d) and (m, d)."""
    cross = covariance.gram(a, b)
    return np.maximum(covariance.diagonal(a)[:, None] + covariance.diagonal(b) - 2 * cross, 0.0)


def pair_distances(features: np.ndarray, covariance: Covariance) -> np.ndarray:
    """D2 of each pair of n structures once: (n (n - 1) / 2,)."""
    return squared_distances(features, features, covariance)[np.triu_indices(len(features), 1)]


def measure(features: np.ndarray, pool: FeaturePool, covariance: Covariance, block_rows: int) -> Quality:
    """All measures of one design against the pool it was chosen from.

    Parameters
    ----------
    features : (n, dimension)
        Features of the members.
    pool : FeaturePool
    covariance : Covariance
    block_rows : int
        Rows of the pool that may be held at once.

    Returns
    -------
    Quality
        With a single member, measures of pairs are NaN.
    """
    n = len(features)
    pairs = pair_distances(features, covariance)
    within = squared_distances(features, features, covariance)
    np.fill_diagonal(within, np.inf)
    nearest = np.sqrt(within.min(axis=1)) if n > 1 else np.array([np.nan])
    gram = covariance.gram(features, features)
    gram[np.diag_indices(n)] += JITTER
    lower = np.linalg.cholesky(gram)
    eigenvalues = np.linalg.eigvalsh(gram)
    covering_max = covering_sum = deviation_max = deviation_sum = 0.0
    for _, block in pool.blocks(block_rows):
        cross = covariance.gram(block, features)
        prior = covariance.diagonal(block)
        squared = prior[:, None] + covariance.diagonal(features) - 2 * cross
        distance = np.sqrt(np.maximum(squared.min(axis=1), 0.0))
        explained = (solve_triangular(lower, cross.T, lower=True) ** 2).sum(axis=0)
        deviation = np.sqrt(np.maximum(prior - explained, 0.0))
        covering_max, covering_sum = max(covering_max, distance.max()), covering_sum + distance.sum()
        deviation_max, deviation_sum = max(deviation_max, deviation.max()), deviation_sum + deviation.sum()
    return Quality(
        size=n,
        nearest_min=float(nearest.min()),
        nearest_median=float(np.median(nearest)),
        nearest_mean=float(nearest.mean()),
        overlapping_share=float((pairs < OVERLAPPING).mean()) if n > 1 else np.nan,
        orthogonal_share=float((pairs > ORTHOGONAL).mean()) if n > 1 else np.nan,
        covering_radius=float(covering_max),
        covering_mean=float(covering_sum / pool.size),
        log_det=float(2 * np.log(np.diag(lower)).sum()),
        condition=float(eigenvalues[-1] / max(eigenvalues[0], JITTER)),
        posterior_std_max=float(deviation_max),
        posterior_std_mean=float(deviation_sum / pool.size),
    )


def nearest_to_others(design: str, features: Mapping[str, np.ndarray], covariance: Covariance) -> dict[str, float]:
    """Distance D from each member of a design to the nearest member of every other (KP, tables I to III).

    Returns
    -------
    dict
        ``nearest_<other>_mean``, ``_median`` and ``_max``, in the order of ``features``; NaN for the design itself.
    """
    row = {}
    for other, members in features.items():
        nearest = np.sqrt(squared_distances(features[design], members, covariance).min(axis=1))
        for name, summary in (("mean", np.mean), ("median", np.median), ("max", np.max)):
            row[f"nearest_{other}_{name}"] = float(summary(nearest)) if other != design else np.nan
    return row
