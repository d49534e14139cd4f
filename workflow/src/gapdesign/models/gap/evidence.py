"""The likelihood of all labels under the linear model that gap_fit solves.

The labels of a design are A c and noise, where A are their rows in the functions of the potential, and the coefficients
c have the covariance K^-1, with K the covariance of the points. With K = U'U, the coefficients U c of the rows A U^-1
have unit covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, solve_triangular

from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.evidence import posterior, products
from gapdesign.models.shared.labels import labels_of
from gapdesign.models.shared.leastsquares import OFFSET
from gapdesign.progress import Pace

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
        yield rows(atoms), labels_of(atoms, energy)
        if pace.is_due():
            tell(f"likelihood of all labels: rows of {done} of {len(data)} structures")


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
        :mod:`gapdesign.models.shared.leastsquares`; nan where there is no label.

    Attributes
    ----------
    names
        The expected errors in the order of ``theta``: those of ``noise`` (eV per atom), ``noise_force`` (eV/angstrom)
        and ``noise_virial`` (eV per atom) that have labels.
    """

    def __init__(self, covariance: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        upper = leastsquares.prior(covariance)[:-1, :-1]
        self._parts = products((_telling(*part, upper) for part in parts), len(covariance), KINDS)
        self.names = tuple(self._parts)

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return L(theta) and its gradient (number of names,), or minus infinity and zeros where M is singular."""
        try:
            found = posterior(list(self._parts.values()), theta)
        except LinAlgError:
            return -np.inf, np.zeros(len(self.names))
        return found.value, found.slopes


def _telling(rows: np.ndarray, labels: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whitened rows, and labels without those in which no function has a part."""
    part = np.abs(rows).max(axis=1)
    # Whitened before they are squared, because K is close to singular.
    return solve_triangular(upper, rows.T, trans="T").T, np.where(part > NOTHING * part.max(), labels, np.nan)
