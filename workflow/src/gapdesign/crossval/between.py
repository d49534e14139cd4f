"""How certain a ratio of errors is, from the spread between designs of the same method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, exp, log, sqrt
from statistics import fmean

ENOUGH = 4
"""Designs of each of two methods from which a permutation test can show anything: 4 and 4 have 70 ways."""

MOST_WAYS = 200_000
"""Ways to share out designs that are all tried."""


@dataclass(frozen=True)
class Between:
    """What designs of two methods say of the ratio of their errors.

    Attributes
    ----------
    low, high : float
        Ends of its 95 % interval: that of Student for the difference of two means, of logarithms, which are taken to
        vary equally in both methods.
    p : float or None
        Share of all ways to share out the designs between the methods in which means of logarithms differ at least as
        much, in either direction (the exact permutation test); None for few designs, or for too many ways.
    """

    low: float
    high: float
    p: float | None


def between(own: Sequence[float], others: Sequence[float]) -> Between | None:
    """Judge the ratio of the geometric means of ``others`` and ``own``, errors above 0 of one design each.

    Returns
    -------
    Between or None
        None unless there are two designs of each or more.
    """
    counts = len(own), len(others)
    if min(counts) < 2:
        return None
    from scipy.special import stdtrit

    logs = [[log(value) for value in values] for values in (own, others)]
    means = [fmean(values) for values in logs]
    squares = sum((value - mean) ** 2 for values, mean in zip(logs, means, strict=True) for value in values)
    freedom = sum(counts) - 2
    half = float(stdtrit(freedom, 0.975)) * sqrt(squares / freedom * sum(1 / count for count in counts))
    middle = means[1] - means[0]
    return Between(_exp(middle - half), _exp(middle + half), _permuted(*logs))


def _exp(value: float) -> float:
    return exp(min(value, 700.0))  # of errors as far apart as doubles can be


def _permuted(own: list[float], others: list[float]) -> float | None:
    if min(len(own), len(others)) < ENOUGH or comb(len(own) + len(others), len(own)) > MOST_WAYS:
        return None
    import numpy as np
    from scipy.stats import permutation_test

    def difference(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        return np.abs(first.mean(axis=axis) - second.mean(axis=axis))

    found = permutation_test(
        (np.array(own), np.array(others)),
        difference,
        vectorized=True,
        n_resamples=np.inf,
        alternative="greater",
    )
    return float(found.pvalue)
