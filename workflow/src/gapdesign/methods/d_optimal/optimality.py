"""Optimal designs of linear models: criteria of an information matrix, and exchange (BR appendix A).

The information of a design with features X (n, p) about the weights is M = X'X, up to the variance of the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gapdesign.methods.shared.rows import first_largest, steady

GAIN = 1e-9
"""Smallest gain of log det M for which points are swapped."""


@dataclass(frozen=True)
class Scores:
    """Quality of a design for a linear model with noise of variance 1.

    Attributes
    ----------
    d : float
        log det M; more is better.
    a : float
        Trace of the inverse of M, the sum of the variances of the weights; less is better.
    e : float
        Smallest eigenvalue of M; more is better.
    g : float
        Largest variance of a prediction x' M^-1 x over the candidates; less is better, and p / n is the least
        that any weighted design can have (Kiefer and Wolfowitz 1960).
    """

    d: float
    a: float
    e: float
    g: float


def scores(design: np.ndarray, candidates: np.ndarray) -> Scores:
    """Return the criteria D, A, E and G of a design.

    Parameters
    ----------
    design : (n, p)
        Features of its members.
    candidates : (N, p)
        Features of all points of prediction.

    Returns
    -------
    Scores
        Where M is singular: minus infinity, infinity, 0 and infinity.
    """
    information = design.T @ design
    values = np.linalg.eigvalsh(information)
    if values[0] <= len(information) * np.finfo(float).eps * values[-1]:
        return Scores(-np.inf, np.inf, 0.0, np.inf)
    spread = np.einsum("ij,ij->i", candidates, np.linalg.solve(information, candidates.T).T)
    return Scores(float(np.log(values).sum()), float((1 / values).sum()), float(values[0]), float(spread.max()))


def greedy(features: np.ndarray, count: int, existing: np.ndarray, *, repeats: bool = False) -> list[int]:
    """Choose points by the largest leverage x' M^-1 x given those before, which raises log det M most at each step.

    M begins with a trace 1e-8 times that of an average point, so that the first p points are those of pivoted
    Gram-Schmidt.

    Parameters
    ----------
    features : (N, p)
    count : int
    existing : (m, p)
        Points that count as chosen.
    repeats : bool
        Whether a point may be chosen again.

    Returns
    -------
    list of int
    """
    ridge = 1e-8 * np.square(features).sum(axis=1).mean() / features.shape[1]
    inverse = np.linalg.inv(ridge * np.eye(features.shape[1]) + existing.T @ existing)
    leverage = np.einsum("ij,ij->i", features @ inverse, features)
    chosen: list[int] = []
    for _ in range(min(count, len(features)) if not repeats else count):
        # With fewer than p points a leverage is of the order of 1e8, and its last digits are rounding.
        best = first_largest(leverage / leverage.max())
        chosen.append(best)
        direction = inverse @ features[best]
        along = features @ direction
        inverse = inverse - np.outer(direction, direction) / (1 + features[best] @ direction)
        leverage = leverage - along * along / (1 + along[best])
        if not repeats:
            leverage[best] = -np.inf
    return chosen


def exchange(
    features: np.ndarray,
    chosen: list[int],
    existing: np.ndarray,
    *,
    repeats: bool = False,
    sweeps: int = 100,
    progress: Callable[[str], None] = lambda line: None,
) -> list[int]:
    """Swap points for candidates until no single swap raises log det M (Fedorov 1972).

    The best candidate replaces each member in turn (Cook and Nachtsheim 1980). With d(x, y) = x' M^-1 y, a swap of
    x for y multiplies det M by (1 + d(y, y)) (1 - d(x, x)) + d(x, y)^2 (Fedorov's delta).

    Parameters
    ----------
    features : (N, p)
    chosen : list of int
        Design to start from; together with ``existing`` at least p independent points.
    existing : (m, p)
        Points that stay.
    repeats : bool
        Whether a point may be in the design more than once.
    sweeps : int
        Largest number of sweeps over the members.

    Returns
    -------
    list of int
        The design, whose log det M no single swap raises by more than 1e-9.
    """
    members = list(chosen)
    for sweep in range(1, sweeps + 1):
        swaps = 0
        inverse, leverage = _inverse(features, members, existing)
        for place, member in enumerate(members):
            factor = _factors(features, features[member], inverse, leverage)
            if not repeats:
                factor[members] = -np.inf
            best = first_largest(factor)
            if factor[best] > np.exp(GAIN):
                members[place] = best
                inverse, leverage = _inverse(features, members, existing)
                swaps += 1
        progress(f"exchange, sweep {sweep}: {swaps} swaps")
        if not swaps:
            break
    return members


def _inverse(features: np.ndarray, members: list[int], existing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the inverse of M, and the leverage of every candidate (N,)."""
    design = np.concatenate([existing, features[members]])
    inverse = np.linalg.inv(design.T @ design)
    return inverse, np.einsum("ij,ij->i", features @ inverse, features)


def _factors(features: np.ndarray, out: np.ndarray, inverse: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """Return the factors (N,) by which swaps of the point ``out`` (p,) for every candidate multiply det M."""
    towards = inverse @ out
    return steady((1 + leverage) * (1 - out @ towards) + (features @ towards) ** 2)


def coordinate_exchange(
    features: Callable[[np.ndarray], np.ndarray],
    starts: np.ndarray,
    grid: np.ndarray,
    *,
    existing: np.ndarray | None = None,
    sweeps: int = 50,
    refinements: int = 20,
    progress: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """Find a D-optimal design over continuous parameters, one coordinate at a time (Meyer and Nachtsheim 1995).

    Candidates are made on the way: each coordinate of each point in turn is moved to the best of a grid of values; when
    that no longer helps, the grid shrinks around the present values, by half each time.

    Parameters
    ----------
    features : callable
        From parameters (n, k) to features (n, p).
    starts : (n, k)
        Parameters of the first design, each in [0, 1].
    grid : (g,)
        Values in [0, 1] that a coordinate may be moved to.
    existing : (m, p), optional
        Features of points that stay.
    sweeps : int
        Largest number of sweeps over all points, at each size of the grid.
    refinements : int
        Number of times that the grid shrinks.

    Returns
    -------
    (n, k)
        Parameters; moving any one coordinate to any value of the last grid does not help.
    """
    points = np.array(starts, float)
    design = features(points)
    stays = np.zeros((0, design.shape[1])) if existing is None else existing
    value = log_det(np.concatenate([stays, design]))
    for refinement in range(refinements + 1):
        width = 0.5**refinement
        for _ in range(sweeps):
            before = value
            for place, coordinate in np.ndindex(*points.shape):
                centre = points[place, coordinate]
                tried = grid if not refinement else np.clip(centre + width * (grid - 0.5), 0.0, 1.0)
                trials = np.repeat(points[[place]], len(tried), axis=0)
                trials[:, coordinate] = tried
                vectors = features(trials)
                values = np.array([log_det(np.concatenate([stays, _with(design, place, v)])) for v in vectors])
                best = first_largest(np.where(np.isfinite(values), values, -1e300))
                if values[best] > value + GAIN:
                    points[place], design[place], value = trials[best], vectors[best], values[best]
            if value <= before + GAIN:
                break
        progress(f"coordinate exchange, grid of width {width:.3g}: log det {value:.6g}")
    return points


def log_det(design: np.ndarray) -> float:
    """Return log det of X'X of a design (n, p); minus infinity if it is singular."""
    sign, value = np.linalg.slogdet(design.T @ design)
    return float(value) if sign > 0 else -np.inf


def _with(design: np.ndarray, place: int, vector: np.ndarray) -> np.ndarray:
    changed = design.copy()
    changed[place] = vector
    return changed
