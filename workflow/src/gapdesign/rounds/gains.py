"""What the next structures are expected to be worth: the fall of a model's own deviation over the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular

if TYPE_CHECKING:
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.shards import FeaturePool, HeldPool

JITTER = 1e-10
"""Smallest share of noise, so that near-copies leave a covariance positive definite."""


def expected_gain(
    known: np.ndarray,
    added: np.ndarray,
    pool: FeaturePool | HeldPool,
    covariance: Covariance,
    *,
    noise: float,
    rows: int = 2048,
) -> float:
    """Return the share by which structures are expected to lower the error of energies over a pool.

    It is that by which the root mean square of the deviation of a Gaussian process with the covariance of structures
    falls when it has learnt them.

    Parameters
    ----------
    known, added : (m, d) and (n, d)
        Features of what is labelled, and of what is added.
    pool : FeaturePool or HeldPool
    covariance : Covariance
    noise : float
        Variance of the noise of labels, in units of that of the energies.
    rows : int
        Candidates that are held at once.
    """
    features = np.concatenate([known, added])
    matrix = covariance.gram(features, features)
    matrix[np.diag_indices_from(matrix)] += max(noise, JITTER)
    lower = cholesky(matrix, lower=True)
    before = after = 0.0
    for _, block in pool.blocks(rows):
        explained = solve_triangular(lower, covariance.gram(block, features).T, lower=True) ** 2
        prior = covariance.diagonal(block)
        first = explained[: len(known)].sum(axis=0)
        before += float(np.maximum(prior - first, 0.0).sum())
        after += float(np.maximum(prior - first - explained[len(known) :].sum(axis=0), 0.0).sum())
    return 1 - float(np.sqrt(after / before)) if before > 0 else 0.0
