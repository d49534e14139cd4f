"""The noise and prior at which the labels of a linear model are most likely.

The prior of a coefficient is c_k ~ N(0, P_k), P_k = s^2 / g_k^2t, where g_k is the roughness of function k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError
from scipy.optimize import minimize

from gapdesign.models.ace.rows import Rows
from gapdesign.models.shared import evidence
from gapdesign.models.shared.evidence import Products
from gapdesign.models.shared.leastsquares import OFFSET

if TYPE_CHECKING:
    from gapdesign.models.ace.options import AceBoundsOptions

KINDS = {"noise": slice(0, 1), "noise_virial": slice(1, OFFSET), "noise_force": slice(OFFSET, None)}
"""Noises, and the rows of a structure that have them."""

STARTS = tuple(zip((0.5, 0.25, 0.75) * 3, (0.6, 0.9, 0.3, 0.3, 0.6, 0.9, 0.9, 0.3, 0.6), strict=True))
"""Starts of the search: shares of the way from the lower to the upper bound, of all noises and of the prior."""

IRREGULAR = "models.ace.bounds: no start of the search found a regular matrix; raise the lower bounds."
"""What is said where all starts fail."""

CLOSE = 1e-3
"""Largest distance of a logarithm from its bound at which it counts as at the bound."""


def products(parts: Iterable[Rows], size: int) -> dict[str, Products]:
    """Accumulate the products of the rows of labels, of ``size`` columns, and of labels."""
    return evidence.products(((part.values, part.labels) for part in parts), size, KINDS)


class Evidence:
    """The logarithm of the likelihood, as a function of logarithms of the noises and of the two numbers of the prior.

    Parameters
    ----------
    parts
        Products of the kinds of labels that there are.
    roughness : (d,)
        That of the functions, 1 or more.

    Attributes
    ----------
    names
        Names of the arguments.
    evaluations
        Number of evaluations so far.
    """

    def __init__(self, parts: Mapping[str, Products], roughness: np.ndarray) -> None:
        self._parts, self._rough = parts, np.log(roughness)
        self.names = (*parts, "prior", "smoothness")
        self.count = sum(part.count for part in parts.values())
        self.evaluations = 0

    def __call__(self, logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        """Return L and its gradient.

        Raises
        ------
        LinAlgError
            If the matrix is not positive definite in double precision.
        """
        self.evaluations += 1
        smoothness = float(np.exp(logarithms[-1]))
        found, _ = self._posterior(logarithms)
        certain = 1 - np.diag(found.covariance) - found.mean**2
        return found.value, np.array([*found.slopes, -certain.sum(), smoothness * (certain @ self._rough)])

    def coefficients(self, values: Mapping[str, float]) -> np.ndarray:
        """Return the most likely coefficients (d,) at noises and numbers of the prior by name."""
        found, spread = self._posterior(np.log([values[name] for name in self.names]))
        return spread * found.mean

    def _posterior(self, logarithms: np.ndarray) -> tuple[evidence.Posterior, np.ndarray]:
        """Return what is known of the coefficients, and their spread (d,) before any label is seen."""
        spread = np.exp(logarithms[-2] - np.exp(logarithms[-1]) * self._rough)
        return evidence.posterior(list(self._parts.values()), logarithms[:-2], spread), spread


class Found(NamedTuple):
    """The largest likelihood.

    Attributes
    ----------
    values
        Noises, and the numbers of the prior, by name.
    log_evidence
        L there.
    starts
        L at the end of each start; None for a start that failed.
    at_bound
        Names of values that are at a bound.
    """

    values: dict[str, float]
    log_evidence: float
    starts: list[float | None]
    at_bound: list[str]


def maximise(
    likelihood: Evidence, bounds: AceBoundsOptions, starts: int, tell: Callable[[str], object]
) -> Found | None:
    """Maximise the likelihood from several starts; None if all of them failed."""
    limits = np.log([getattr(bounds, name) for name in likelihood.names])
    ends: list[tuple[float, np.ndarray] | None] = []
    low, width = limits[:, 0], limits[:, 1] - limits[:, 0]
    for number, (noise, prior) in enumerate(STARTS[:starts]):
        start = low + width * np.concatenate([np.full(len(limits) - 2, noise), [prior, 0.5]])
        ends.append(_climb(likelihood, start, limits))
        reached = "failed" if ends[-1] is None else f"log evidence {ends[-1][0]:.3f}"
        tell(f"start {number + 1} of {starts}: {reached}")
    best = max((end for end in ends if end is not None), key=lambda end: end[0], default=None)
    if best is None:
        return None
    values = dict(zip(likelihood.names, np.exp(best[1]).tolist(), strict=True))
    near = np.abs(best[1][:, None] - limits).min(axis=1) < CLOSE
    at_bound = [name for name, is_near in zip(likelihood.names, near, strict=True) if is_near]
    return Found(values, best[0], [end and end[0] for end in ends], at_bound)


def _climb(likelihood: Evidence, start: np.ndarray, limits: np.ndarray) -> tuple[float, np.ndarray] | None:
    """Return the largest value from one start, and where it is."""
    best: tuple[float, np.ndarray] | None = None

    def down(logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best
        value, slopes = likelihood(logarithms)
        if best is None or value > best[0]:
            best = value, logarithms.copy()
        return -value / likelihood.count, -slopes / likelihood.count

    with suppress(LinAlgError):
        minimize(down, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 200, "ftol": 1e-12})
    return best
