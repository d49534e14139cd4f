"""A few vectors that stand for many: pivots of a partial Cholesky factor of their covariance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def pivots(
    vectors: np.ndarray,
    most: int,
    covariance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    variance: float,
    least: float,
) -> np.ndarray:
    """Return the places of up to ``most`` of the vectors (n, d), each with the largest variance given those before.

    Ties go to the first. The search ends early where no vector has more variance left than ``least``.

    Parameters
    ----------
    covariance : callable
        From vectors (a, d) and (b, d) to their covariance (a, b).
    variance : float
        Of every vector by itself.
    """
    left = np.full(len(vectors), variance)
    factor, chosen = np.empty((min(most, len(vectors)), len(vectors))), []
    for row in factor:
        best = int(np.argmax(left))
        if left[best] <= least:
            break
        known = factor[: len(chosen)]
        row[:] = covariance(vectors[best : best + 1], vectors)[0] - known[:, best] @ known
        row /= np.sqrt(left[best])
        left -= row**2
        left[best] = 0.0
        chosen.append(best)
    return np.array(chosen, np.int64)
