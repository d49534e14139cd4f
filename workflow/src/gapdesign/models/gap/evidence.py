"""The likelihood of all labels under the linear model that gap_fit solves (its evidence), with its gradient.

The labels y of a design are A c and noise, where A are their rows in the functions of the potential, and the
coefficients c have the covariance K^-1, with K the covariance of the points. With K = U'U, B = A U^-1 and w = U c, the
labels are normal with the covariance B B' + S, where S has the squares of the expected errors s. Of each kind of label
there are n, and their residuals have the squares r'r = y'y - 2 b'w + w'G w, with G = B'B and b = B'y. Then

    -2 L = w'w + sum (r'r / s^2 + 2 n ln s) + ln det M + const,   M = 1 + sum G / s^2,

at the w that minimises this, and the derivative of L by ln s is r'r / s^2 + tr(M^-1 G) / s^2 - n (D. J. C. MacKay,
Neural Comput. 4, 415, 1992). G and b are sums over structures, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import get_lapack_funcs, solve_triangular

from gapdesign.models.gap import leastsquares
from gapdesign.models.gap.rows import OFFSET
from gapdesign.progress import Pace
from gapdesign.structures import VOIGT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from gapdesign.models.gap.rows import LabelRows

KINDS = {"noise": slice(0, 1), "noise_force": slice(OFFSET, None), "noise_virial": slice(1, OFFSET)}
"""Expected errors, and the labels of a structure that each belongs to."""

NOTHING = 1e-9
"""Largest part in a label, relative to those in others of its structure, that counts as none."""


def labelled(
    data: Sequence[Atoms],
    energies: Sequence[float] | np.ndarray,
    rows: LabelRows,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows (7 + 3 n, m) and labels (7 + 3 n,) of each structure of n atoms; nan where there is no label.

    Parameters
    ----------
    data
        Structures, with the labels they have besides energies: ``REF_virial`` (nine numbers) and ``REF_forces``.
    energies
        Total energies above the isolated atoms, in eV.
    rows
        Gives the rows of a structure.
    tell
        Receives a line of progress from time to time.
    """
    pace = Pace()
    for done, (atoms, energy) in enumerate(zip(data, energies, strict=True), 1):
        labels = np.full(OFFSET + 3 * len(atoms), np.nan)
        labels[0] = energy
        if "REF_virial" in atoms.info:
            virial = np.reshape(atoms.info["REF_virial"], (3, 3))
            labels[1:OFFSET] = [virial[place] for place in VOIGT]
        if "REF_forces" in atoms.arrays:
            labels[OFFSET:] = atoms.arrays["REF_forces"].ravel()
        yield rows(atoms), labels
        if pace.is_due():
            tell(f"likelihood of all labels: rows of {done} of {len(data)} structures")


@dataclass
class _Residuals:
    """The squares y'y - 2 b'w + w'G w of the residuals of n labels, as a function of w."""

    gram: np.ndarray
    cross: np.ndarray
    square: float = 0.0
    count: int = 0

    def add(self, rows: np.ndarray, labels: np.ndarray) -> None:
        self.gram += rows.T @ rows
        self.cross += rows.T @ labels
        self.square += float(labels @ labels)
        self.count += len(labels)

    def squares(self, w: np.ndarray) -> float:
        return self.square - 2 * float(self.cross @ w) + float(w @ self.gram @ w)


class Evidence:
    """The log-likelihood of all labels as a function of the logarithms of the expected errors.

    A label in which no function has a part, such as a force that is zero by symmetry, tells nothing of the errors and
    is left out.

    Parameters
    ----------
    covariance : (m, m)
        Of the points, in eV^2.
    parts
        Rows (7 + 3 n, m) and labels (7 + 3 n,) of structures of n atoms, in the order of
        :class:`gapdesign.models.gap.rows.LabelRows`; nan where there is no label.

    Attributes
    ----------
    names
        The expected errors in the order of ``theta``: those of ``noise`` (eV per atom), ``noise_force`` (eV/angstrom)
        and ``noise_virial`` (eV per atom) that have labels.
    """

    def __init__(self, covariance: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        size = len(covariance)
        upper = leastsquares.prior(covariance)[:-1, :-1]
        kinds = {name: _Residuals(np.zeros((size, size)), np.zeros(size)) for name in KINDS}
        self._constant = 0.0
        for rows, labels in parts:
            units = leastsquares.sigmas((len(labels) - OFFSET) // 3, energy=1.0, force=1.0, virial=1.0)
            part = np.abs(rows).max(axis=1)
            there = np.isfinite(labels) & (part > NOTHING * part.max())
            # Whitened before they are squared, because K is close to singular.
            white = solve_triangular(upper, rows.T, trans="T").T / units[:, None]
            for name, span in KINDS.items():
                kinds[name].add(white[span][there[span]], (labels / units)[span][there[span]])
            self._constant += float(np.log(2 * np.pi * units[there] ** 2).sum())
        self._kinds = {name: own for name, own in kinds.items() if own.count}
        self.names = tuple(self._kinds)

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return L(theta) and its gradient (number of names,), or minus infinity and zeros where M is singular."""
        kinds, weights = list(self._kinds.values()), np.exp(-2 * theta)
        whole = sum(weight * own.gram for weight, own in zip(weights, kinds, strict=True))
        whole[np.diag_indices_from(whole)] += 1.0
        potrf, potrs, potri = get_lapack_funcs(("potrf", "potrs", "potri"), (whole,))
        factor, failed = potrf(whole.T, lower=True, overwrite_a=True, clean=False)
        if failed:
            return -np.inf, np.zeros(len(self.names))
        cross = sum(weight * own.cross for weight, own in zip(weights, kinds, strict=True))
        w, _ = potrs(factor, cross, lower=True)
        log_det = 2 * float(np.log(factor.diagonal()).sum())
        inverse, _ = potri(factor, lower=True, overwrite_c=True)
        # potri fills the lower triangle only, and G is symmetric.
        twice = np.tril(inverse) + np.tril(inverse, -1)
        squares = weights * [own.squares(w) for own in kinds]
        traces = weights * [np.vdot(twice, own.gram) for own in kinds]
        counts = np.array([own.count for own in kinds])
        value = -0.5 * (float(w @ w) + squares.sum() + 2 * float(counts @ theta) + log_det + self._constant)
        return value, squares + traces - counts
