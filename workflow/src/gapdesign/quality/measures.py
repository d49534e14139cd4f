"""Measures of a design that are known before any label is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.shards import FeaturePool, HeldPool

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
    """Return D2 (n, m) of all pairs of features (n, d) and (m, d)."""
    return _squared(covariance.diagonal(a), covariance.diagonal(b), covariance.gram(a, b))


def _squared(own_a: np.ndarray, own_b: np.ndarray, cross: np.ndarray) -> np.ndarray:
    return np.maximum(own_a[:, None] + own_b - 2 * cross, 0.0)


def pair_distances(features: np.ndarray, covariance: Covariance, gram: np.ndarray | None = None) -> np.ndarray:
    """Return D2 of each pair of n structures once: (n (n - 1) / 2,); covariance (n, n) is computed if not given."""
    own = covariance.diagonal(features)
    gram = covariance.gram(features, features) if gram is None else gram
    return _squared(own, own, gram)[np.triu_indices(len(features), 1)]


def measure(features: np.ndarray, pool: FeaturePool | HeldPool, covariance: Covariance, block_rows: int) -> Quality:
    """Return all measures of one design against the pool it was chosen from.

    Parameters
    ----------
    features : (n, dimension)
        Features of the members.
    pool : FeaturePool or HeldPool
    covariance : Covariance
    block_rows : int
        Number of rows of the pool that may be held at once.

    Returns
    -------
    Quality
        With a single member, measures of pairs are NaN.
    """
    return measure_prefixes(features, [len(features)], pool, covariance, block_rows)[0]


def measure_prefixes(
    features: np.ndarray,
    sizes: Sequence[int],
    pool: FeaturePool | HeldPool,
    covariance: Covariance,
    block_rows: int,
) -> list[Quality]:
    """Return all measures of the first members of a design, for several sizes, in the one pass of :func:`measure`.

    The factor of the covariance of the first members is the leading block of the whole factor, so what they explain
    of a candidate is a partial sum of what all explain.

    Parameters
    ----------
    features : (n, dimension)
        Features of the members, in selection order.
    sizes : sequence of int
        Increasing, from 1 to n.
    pool, covariance, block_rows
        As for :func:`measure`.

    Returns
    -------
    list of Quality
        One per size.
    """
    features = features[: sizes[-1]]
    prefixes = Prefixes(features, sizes, covariance)
    for _, block in pool.blocks(block_rows):
        prefixes.add(covariance.gram(block, features), covariance.diagonal(block))
    return prefixes.measured()


class Prefixes:
    """The first members of a design, for several sizes, to be measured against blocks of a pool.

    Parameters
    ----------
    features : (n, dimension)
        Features of the members, in selection order. They are not kept.
    sizes : sequence of int
        Increasing, from 1 to n.
    covariance : Covariance
    """

    def __init__(self, features: np.ndarray, sizes: Sequence[int], covariance: Covariance) -> None:
        self._sizes, self._starts, self._overlap = sizes, [0, *sizes[:-1]], covariance.overlap
        self._own, gram = covariance.diagonal(features), covariance.gram(features, features)
        within = _squared(self._own, self._own, gram)
        gram[np.diag_indices(len(gram))] += JITTER
        self._lower = np.linalg.cholesky(gram)
        logarithms = 2 * np.log(np.diag(self._lower))
        self._without_pool = [
            _among(within[:n, :n]) | {"log_det": float(logarithms[:n].sum()), "condition": _condition(gram[:n, :n])}
            for n in sizes
        ]
        self._seen = 0
        self._covering, self._deviation = (np.zeros((2, len(sizes))) for _ in range(2))  # largest, sum

    def add(self, cross: np.ndarray, prior: np.ndarray) -> None:
        """Measure against a block: its covariance (rows, n) with the members, and with itself (rows,)."""
        from scipy.linalg import solve_triangular

        squared = np.minimum.reduceat(prior[:, None] + self._own - 2 * cross, self._starts, axis=1)
        # The root of what rounding leaves of zero is large, and differs with the cut of the pool.
        squared[squared <= self._overlap] = 0.0
        _collect(self._covering, np.minimum.accumulate(squared, axis=1).T)
        explained = np.add.reduceat(solve_triangular(self._lower, cross.T, lower=True) ** 2, self._starts, axis=0)
        _collect(self._deviation, prior - np.add.accumulate(explained, axis=0))
        self._seen += len(prior)

    def measured(self) -> list[Quality]:
        """Return the measures against all blocks, one per size."""
        return [
            Quality(
                size=n,
                **self._without_pool[k],
                covering_radius=float(self._covering[0, k]),
                covering_mean=float(self._covering[1, k] / self._seen),
                posterior_std_max=float(self._deviation[0, k]),
                posterior_std_mean=float(self._deviation[1, k] / self._seen),
            )
            for k, n in enumerate(self._sizes)
        ]


def _collect(into: np.ndarray, squares: np.ndarray) -> None:
    """Add the roots of squares (sizes, rows) to their largest and their sum (2, sizes)."""
    roots = np.sqrt(np.maximum(squares, 0.0))
    np.maximum(into[0], roots.max(axis=1), out=into[0])
    into[1] += roots.sum(axis=1)


def _condition(gram: np.ndarray) -> float:
    eigenvalues = np.linalg.eigvalsh(gram)
    return float(eigenvalues[-1] / max(eigenvalues[0], JITTER))


def _among(within: np.ndarray) -> dict[str, float]:
    """Return the measures of the pairs of members, from their D2 (n, n); NaN for a single member."""
    nearest = nearest_distances(within)
    pairs = within[np.triu_indices(len(within), 1)]
    return {
        "nearest_min": float(nearest.min()),
        "nearest_median": float(np.median(nearest)),
        "nearest_mean": float(nearest.mean()),
        "overlapping_share": float((pairs < OVERLAPPING).mean()) if len(pairs) else np.nan,
        "orthogonal_share": float((pairs > ORTHOGONAL).mean()) if len(pairs) else np.nan,
    }


def nearest_distances(within: np.ndarray) -> np.ndarray:
    """Return the distance D (n,) from each member to the nearest other, from the D2 (n, n) of all; NaN for one."""
    if len(within) == 1:
        return np.array([np.nan])
    others = within.copy()
    np.fill_diagonal(others, np.inf)
    return np.sqrt(others.min(axis=1))


def nearest_to_others(design: str, features: Mapping[str, np.ndarray], covariance: Covariance) -> dict[str, float]:
    """Return the distance D from each member of a design to the nearest member of every other (KP, tables I to III).

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


def rounded(row: Mapping[str, object]) -> dict[str, object]:
    """Round the floats of a row to nine digits: the last digits of a sum over a pool depend on how it is cut."""
    return {key: float(f"{value:.9g}") if isinstance(value, float) else value for key, value in row.items()}
