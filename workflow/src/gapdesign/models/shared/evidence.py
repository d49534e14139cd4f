"""The likelihood of all labels of a linear model (its evidence), with its gradient by the noise of each kind of label.

The labels y are A c and noise, where A are their rows, and the coefficients c have the covariance P. With W the inverse
variances of the noise, the labels are normal with the covariance W^-1 + A P A'. By Woodbury's identity the logarithm of
their density needs only the products A'A, A'y and y'y of each kind of label, which are sums over structures, so that
memory does not grow with their number:

    -2 L = sum_t n_t ln(2 pi sigma_t^2) + ln det M + y'Wy - b'M^-1 b,   M = 1 + P^1/2 A'WA P^1/2,   b = P^1/2 A'Wy.

MacKay, Neural Computation 4, 415 (1992).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, get_lapack_funcs

from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import OFFSET

BLOCK = 4096
"""Rows that are multiplied at once."""


class Products:
    """Products of the rows of one kind of label, and of the labels.

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

    def __init__(self, size: int) -> None:
        self.rows, self.mixed = np.zeros((size, size)), np.zeros(size)
        self.labels, self.count, self.scale = 0.0, 0, 0.0
        self._held: list[np.ndarray] = []

    def add(self, rows: np.ndarray, labels: np.ndarray, units: np.ndarray) -> None:
        """Add rows (k, d) and labels (k,), whose noise is ``units`` (k,) times as large as ``sigma``."""
        self._held.append(np.column_stack([rows, labels]) / units[:, None])
        self.count += len(labels)
        self.scale += float(np.log(units).sum())
        if sum(map(len, self._held)) > BLOCK:
            self.flush()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all numbers as arrays, which :meth:`of` reads."""
        return {"rows": self.rows, "mixed": self.mixed, "totals": np.array([self.labels, self.count, self.scale])}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Products:
        """Return what :meth:`arrays` was made of."""
        made = cls(0)
        made.rows, made.mixed = arrays["rows"], arrays["mixed"]
        made.labels, count, made.scale = arrays["totals"].tolist()
        made.count = int(count)
        return made

    def __add__(self, other: Products) -> Products:
        """Return the products of both sets of labels."""
        mine, others = self.arrays(), other.arrays()
        return Products.of({name: value + others[name] for name, value in mine.items()})

    def flush(self) -> None:
        """Multiply what is held."""
        if self._held:
            block = np.concatenate(self._held)
            rows, labels = block[:, :-1], block[:, -1]
            self.rows += rows.T @ rows
            self.mixed += labels @ rows
            self.labels += float(labels @ labels)
            self._held.clear()


def products(
    parts: Iterable[tuple[np.ndarray, np.ndarray]], size: int, kinds: Mapping[str, slice]
) -> dict[str, Products]:
    """Accumulate the products of the labels of structures.

    The noise of a total energy and of a virial grows with the square root of the number of atoms, as in gap_fit.

    Parameters
    ----------
    parts
        Rows (7 + 3 n, size) and labels (7 + 3 n,) of structures of n atoms; nan where there is no label.
    kinds
        Names of the kinds of labels, and where they are in a structure; a kind without labels is left out.
    """
    found = {kind: Products(size) for kind in kinds}
    for rows, labels in parts:
        units = leastsquares.sigmas((len(labels) - OFFSET) // 3, energy=1.0, force=1.0, virial=1.0)
        for kind, place in kinds.items():
            there = np.isfinite(labels[place])
            found[kind].add(rows[place][there], labels[place][there], units[place][there])
    for own in found.values():
        own.flush()
    return {kind: own for kind, own in found.items() if own.count}


def joined(first: Mapping[str, Products], second: Mapping[str, Products]) -> dict[str, Products]:
    """Return the products of two sets of labels, in the order of the first, then of the second."""
    both = {kind: first[kind] + second[kind] if kind in second else first[kind] for kind in first}
    return both | {kind: own for kind, own in second.items() if kind not in first}


class Posterior(NamedTuple):
    """The likelihood at some noises, and what is known of P^-1/2 c then.

    Attributes
    ----------
    value
        L.
    slopes : (kinds,)
        Derivatives of L by the logarithms of the noises.
    mean : (d,)
        M^-1 b.
    covariance : (d, d)
        M^-1.
    """

    value: float
    slopes: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray


def posterior(parts: Sequence[Products], logarithms: np.ndarray, spread: np.ndarray | None = None) -> Posterior:
    """Return the likelihood with its derivatives.

    Parameters
    ----------
    parts
        Products of each kind of label.
    logarithms : (kinds,)
        Of the noises.
    spread : (d,), optional
        Standard deviations of the coefficients, P^1/2; 1 by default.

    Raises
    ------
    LinAlgError
        If M is not positive definite in double precision.
    """
    weights = np.exp(-2 * np.asarray(logarithms))
    matrix = sum(weight * part.rows for weight, part in zip(weights, parts, strict=True))
    mixed = sum(weight * part.mixed for weight, part in zip(weights, parts, strict=True))
    if spread is not None:
        matrix, mixed = matrix * spread[:, None] * spread, mixed * spread
    matrix[np.diag_indices_from(matrix)] += 1
    potrf, potri = get_lapack_funcs(("potrf", "potri"), (matrix,))
    factor, failed = potrf(matrix, lower=True, clean=True)
    if failed:
        raise LinAlgError("the matrix of the likelihood is not positive definite")
    mean = cho_solve((factor, True), mixed)
    inverse, _ = potri(factor, lower=True)
    # potri fills the lower triangle only.
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    coefficients, covariance = mean, inverse
    if spread is not None:
        coefficients, covariance = spread * mean, inverse * spread[:, None] * spread
    total = 2 * float(np.log(np.diag(factor)).sum()) - float(mixed @ mean)
    slopes = []
    for part, weight, logarithm in zip(parts, weights, logarithms, strict=True):
        total += part.count * (np.log(2 * np.pi) + 2 * logarithm) + 2 * part.scale + weight * part.labels
        residual = part.labels - 2 * part.mixed @ coefficients + coefficients @ part.rows @ coefficients
        slopes.append(weight * (residual + float(np.vdot(covariance, part.rows))) - part.count)
    return Posterior(-0.5 * float(total), np.array(slopes), mean, inverse)
