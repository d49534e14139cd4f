"""Statistics of errors, the same wherever errors are told: of designs, of replays and of properties."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

QUANTILE = 0.99
"""Share of absolute errors that :func:`tail` is larger than (BR section 4)."""

WORST = 20
"""One absolute error in so many is among those of which :func:`worst_twentieth` is the mean."""


def root_mean_square(values: ArrayLike) -> float:
    """Return the root mean square of some values; nan if there are none."""
    values = np.asarray(values, dtype=float)
    return root_mean(float(np.sum(values**2)), values.size)


def root_mean(squares: float, count: int) -> float:
    """Return the root mean square of ``count`` values whose squares have a known sum; nan if there are none."""
    return float(np.sqrt(squares / count)) if count else float("nan")


def tail(sizes: ArrayLike, axis: int | None = None) -> np.ndarray | float:
    """Return the 0.99 quantile of absolute errors, interpolated linearly; nan if there are none."""
    sizes = np.asarray(sizes, dtype=float)
    if not sizes.size:
        return float("nan")
    with np.errstate(invalid="ignore"):  # between two that are infinite
        return np.quantile(sizes, QUANTILE, axis=axis)


def worst_twentieth(sizes: ArrayLike, axis: int | None = None) -> np.ndarray | float:
    """Return the mean of the largest twentieth of absolute errors; nan if there are none.

    Of n errors these are the ceil(n / 20) largest. Their mean is steadier than :func:`tail`, which of 200 errors lies
    between the second and the third largest.
    """
    sizes = np.asarray(sizes, dtype=float)
    if axis is None:
        sizes, axis = sizes.ravel(), 0
    if not sizes.size:
        return float("nan")
    count = -(-sizes.shape[axis] // WORST)
    rising = np.sort(sizes, axis=axis)
    return np.take(rising, range(-count, 0), axis=axis).mean(axis=axis)
