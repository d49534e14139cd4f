"""Optimal designs of linear models: criteria of an information matrix, and exchange (BR appendix A).

The information of a design with features X (n, p) about the weights is M = X'X, up to the variance of the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gapdesign.methods.shared import coordinates
from gapdesign.methods.shared.coordinates import Criterion
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


class Determinant(Criterion):
    """log det X'X of linear features.

    Parameters
    ----------
    features, existing : (n, d), (m, d)
    linear : callable
        Turns features (n, d) into those of the model X (n, p); by default they are these.
    """

    words = "log det X'X"

    def __init__(
        self,
        features: np.ndarray,
        existing: np.ndarray,
        linear: Callable[[np.ndarray], np.ndarray] = lambda features: features,
    ) -> None:
        super().__init__(features, existing)
        self._linear = linear
        self._members, self._stays = linear(self.features), linear(existing)
        self._value = self.value()

    def value(self) -> float:
        """Return log det X'X; minus infinity if it is singular."""
        return log_det(np.concatenate([self._stays, self._members]))

    def better(self, place: int, trials: np.ndarray) -> int | None:
        """Return the trial with the largest determinant, if it raises that."""
        design = np.concatenate([self._stays, self._members])
        values = []
        for vector in self._linear(trials):
            design[len(self._stays) + place] = vector
            values.append(log_det(design))
        best = first_largest(np.where(np.isfinite(values), values, -1e300))
        return best if values[best] > self._value + GAIN else None

    def move(self, place: int, features: np.ndarray) -> None:
        """Move the member at ``place`` to features (d,)."""
        super().move(place, features)
        self._members[place] = self._linear(features[None])[0]
        self._value = self.value()

    def scores(self) -> np.ndarray:
        """Return how much each member (n,), in order, raises log det X'X of those before it and a tiny ridge."""
        return np.array(raised(self._members, self._stays))


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
    """Find a D-optimal design over continuous parameters, without candidates.

    Parameters
    ----------
    features : callable
        From parameters (n, k) to features (n, p).
    starts : (n, k)
        Parameters of the first design, each in [0, 1].
    grid, sweeps, refinements, progress
        As of :func:`gapdesign.methods.shared.coordinates.exchange`.
    existing : (m, p), optional
        Features of points that stay.

    Returns
    -------
    (n, k)
        Parameters.
    """
    first = features(starts)
    criterion = Determinant(first, np.zeros((0, first.shape[1])) if existing is None else existing)

    def describe(_: int, trials: np.ndarray) -> coordinates.Trials:
        return coordinates.Trials(np.arange(len(trials)), features(trials))

    given = {"grid": grid, "sweeps": sweeps, "refinements": refinements, "progress": progress}
    return coordinates.exchange(criterion, starts, describe, **given)


def raised(members: np.ndarray, existing: np.ndarray) -> list[float]:
    """Return how much each member (n, p), in order, raises log det of a ridge and the structures before it."""
    ridge = 1e-8 * np.square(members).sum(axis=1).mean() / members.shape[1]
    information = ridge * np.eye(members.shape[1]) + existing.T @ existing
    gains = []
    for row in members:
        gains.append(float(np.log1p(row @ np.linalg.solve(information, row))))
        information = information + np.outer(row, row)
    return gains


def log_det(design: np.ndarray) -> float:
    """Return log det of X'X of a design (n, p); minus infinity if it is singular."""
    sign, value = np.linalg.slogdet(design.T @ design)
    return float(value) if sign > 0 else -np.inf
