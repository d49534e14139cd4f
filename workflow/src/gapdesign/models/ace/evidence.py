"""The likelihood of all labels of a linear model, and the noise and prior at which it is largest.

With y the labels, A their rows, W the inverse variances of their noise and the prior c_k ~ N(0, P_k) of the
coefficients, P_k = s^2 / g_k^2t where g_k is the roughness of function k, the labels are normally distributed with the
covariance W^-1 + A P A'. By Woodbury's identity the logarithm of their density needs only the products A'A, A'y
and y'y of energies, forces and virials, which are accumulated once:

    -2 L = sum_t n_t ln(2 pi sigma_t^2) + ln det(1 + H) + y'Wy - b'(1 + H)^-1 b,   H = P^1/2 A'WA P^1/2, b = P^1/2 A'Wy.

MacKay, Neural Computation 4, 415 (1992).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, get_lapack_funcs
from scipy.optimize import minimize

from gapdesign.models.ace.rows import OFFSET, Rows

if TYPE_CHECKING:
    from gapdesign.models.ace.options import AceBoundsOptions

KINDS = {"noise": slice(0, 1), "noise_virial": slice(1, OFFSET), "noise_force": slice(OFFSET, None)}
"""Noises, and the rows of a structure that have them."""

BLOCK = 4096
"""Rows that are multiplied at once."""

STARTS = tuple(zip((0.5, 0.25, 0.75) * 3, (0.6, 0.9, 0.3, 0.3, 0.6, 0.9, 0.9, 0.3, 0.6), strict=True))
"""Starts of the search: shares of the way from the lower to the upper bound, of all noises and of the prior."""

CLOSE = 1e-3
"""Largest distance of a logarithm from its bound at which it counts as at the bound."""


@dataclass
class Products:
    """Products of the rows of one kind of label.

    Attributes
    ----------
    rows : (d, d)
        A'A.
    mixed : (d,)
        A'y.
    labels
        y'y.
    count
        Number of labels.
    scale
        Sum of the logarithms of the factors by which the noise of the labels is larger than ``sigma``.
    """

    rows: np.ndarray
    mixed: np.ndarray
    labels: float = 0.0
    count: int = 0
    scale: float = 0.0


def products(parts: Iterable[Rows], size: int) -> dict[str, Products]:
    """Accumulate the products of the rows of labels, of ``size`` columns, and of labels.

    The noise of a total energy and of a virial grows with the square root of the number of atoms, as in gap_fit.
    """
    found = {kind: Products(np.zeros((size, size)), np.zeros(size)) for kind in KINDS}
    held: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}

    def flush(kind: str) -> None:
        if held[kind]:
            block = np.concatenate(held[kind])
            own, rows, labels = found[kind], block[:, :-1], block[:, -1]
            own.rows += rows.T @ rows
            own.mixed += labels @ rows
            own.labels += float(labels @ labels)
            held[kind].clear()

    for part in parts:
        for kind, place in KINDS.items():
            labels = part.labels[place]
            there = np.isfinite(labels)
            growth = 1.0 if kind == "noise_force" else np.sqrt(part.atoms)
            block = np.column_stack([part.values[place], labels])[there] / growth
            held[kind].append(block)
            found[kind].count += len(block)
            found[kind].scale += len(block) * float(np.log(growth))
            if sum(map(len, held[kind])) > BLOCK:
                flush(kind)
    for kind in KINDS:
        flush(kind)
    return {kind: own for kind, own in found.items() if own.count}


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
        parts = list(zip(self._parts.values(), np.exp(-2 * logarithms[:-2]), logarithms[:-2], strict=True))
        smoothness = float(np.exp(logarithms[-1]))
        spread = np.exp(logarithms[-2] - smoothness * self._rough)
        matrix = sum(weight * part.rows for part, weight, _ in parts) * spread[:, None] * spread
        matrix[np.diag_indices(len(matrix))] += 1
        potrf, potri = get_lapack_funcs(("potrf", "potri"), (matrix,))
        factor, failed = potrf(matrix, lower=True, clean=True)
        if failed:
            raise LinAlgError("the matrix of the likelihood is not positive definite")
        mixed = spread * sum(weight * part.mixed for part, weight, _ in parts)
        whitened = cho_solve((factor, True), mixed)
        inverse, _ = potri(factor, lower=True)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        certain = 1 - np.diag(inverse) - whitened**2
        mean, covariance = spread * whitened, inverse * spread[:, None] * spread
        total = 2 * float(np.log(np.diag(factor)).sum()) - float(mixed @ whitened)
        slopes = []
        for part, weight, logarithm in parts:
            total += part.count * (np.log(2 * np.pi) + 2 * logarithm) + 2 * part.scale + weight * part.labels
            residual = part.labels - 2 * part.mixed @ mean + mean @ part.rows @ mean
            slopes.append(weight * (residual + float(np.vdot(covariance, part.rows))) - part.count)
        slopes += [-certain.sum(), smoothness * (certain @ self._rough)]
        return -0.5 * float(total), np.array(slopes)


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


def maximise(evidence: Evidence, bounds: AceBoundsOptions, starts: int, tell: Callable[[str], object]) -> Found | None:
    """Maximise the likelihood from several starts; None if all of them failed."""
    limits = np.log([getattr(bounds, name) for name in evidence.names])
    ends: list[tuple[float, np.ndarray] | None] = []
    low, width = limits[:, 0], limits[:, 1] - limits[:, 0]
    for number, (noise, prior) in enumerate(STARTS[:starts]):
        start = low + width * np.concatenate([np.full(len(limits) - 2, noise), [prior, 0.5]])
        ends.append(_climb(evidence, start, limits))
        reached = "failed" if ends[-1] is None else f"log evidence {ends[-1][0]:.3f}"
        tell(f"start {number + 1} of {starts}: {reached}")
    best = max((end for end in ends if end is not None), key=lambda end: end[0], default=None)
    if best is None:
        return None
    values = dict(zip(evidence.names, np.exp(best[1]).tolist(), strict=True))
    near = np.abs(best[1][:, None] - limits).min(axis=1) < CLOSE
    at_bound = [name for name, is_near in zip(evidence.names, near, strict=True) if is_near]
    return Found(values, best[0], [end and end[0] for end in ends], at_bound)


def _climb(evidence: Evidence, start: np.ndarray, limits: np.ndarray) -> tuple[float, np.ndarray] | None:
    """Return the largest value from one start, and where it is."""
    best: tuple[float, np.ndarray] | None = None

    def down(logarithms: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best
        value, slopes = evidence(logarithms)
        if best is None or value > best[0]:
            best = value, logarithms.copy()
        return -value / evidence.count, -slopes / evidence.count

    with suppress(LinAlgError):
        minimize(down, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 200, "ftol": 1e-12})
    return best
