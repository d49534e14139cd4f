"""Linear models as least squares: the problem that gap_fit solves, with the rows of every label computed once.

A structure of n atoms has 7 + 3 n labels, each with a row: its energy above the isolated atoms (eV), the six components
xx, yy, zz, yz, xz, xy of its virial (eV, minus the stress times the volume), and x, y, z of each force (eV/angstrom).

With y the labels, A their rows and s their expected errors, the coefficients c minimise |(y - A c) / s|^2 + c' K c,
where K is the covariance of the basis's points (Bartok & Csanyi 2015, equation 21). The second term is |L' c|^2 with
K = L L', so the whole is one QR factorisation of [A / s; L'], and labels can be added to an existing factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import scipy

from gapdesign.errors import ProgramError
from gapdesign.voigt import OFFSET, VOIGT

BLOCK = 8192
"""Rows that are added to a factor at once."""


def offsets(sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the positions (n + 1,) at which the labels of each of n structures begin; the last is their end."""
    return np.concatenate([[0], np.cumsum(OFFSET + 3 * np.asarray(sizes, dtype=np.int64))])


def labels(
    size: int,
    *,
    energy: float | None = None,
    virial: np.ndarray | None = None,
    forces: np.ndarray | None = None,
) -> np.ndarray:
    """Return the labels (7 + 3 n,) of a structure of ``size`` atoms; nan where there is none.

    Parameters
    ----------
    energy
        Above that of the isolated atoms, in eV.
    virial : (3, 3)
        In eV.
    forces : (n, 3)
        In eV/angstrom.
    """
    found = np.full(OFFSET + 3 * size, np.nan)
    if energy is not None:
        found[0] = energy
    if virial is not None:
        found[1:OFFSET] = [virial[place] for place in VOIGT]
    if forces is not None:
        found[OFFSET:] = np.ravel(forces)
    return found


def sigmas(size: int, *, energy: float, force: float, virial: float) -> np.ndarray:
    """Return the expected errors (7 + 3 n,) of the labels of a structure of n atoms.

    They are scaled as gap_fit scales its `default_sigma`: those of the energy and the virial are per atom and grow with
    the square root of the number of atoms.
    """
    own = [energy * np.sqrt(size), *[virial * np.sqrt(size)] * len(VOIGT)]
    return np.concatenate([own, np.full(3 * size, force)])


def weighed(
    parts: Iterable[tuple[np.ndarray, np.ndarray]], *, energy: float, force: float, virial: float
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return rows, labels and expected errors of structures, as :func:`add` takes them, from rows and all labels."""
    errors = {"energy": energy, "force": force, "virial": virial}
    return [(rows, labels, sigmas((len(labels) - OFFSET) // 3, **errors)) for rows, labels in parts]


def prior(covariance: np.ndarray) -> np.ndarray:
    """Return the factor (m + 1, m + 1) without any label; its last column is for the labels.

    Raises
    ------
    ProgramError
        If the covariance (m, m) of the points is not positive definite.
    """
    count = len(covariance)
    factor = np.zeros((count + 1, count + 1))
    try:
        factor[:count, :count] = scipy.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ProgramError(
            "model.sparse: points of the basis are too alike for double precision; raise jitter, or lower"
            " points_per_length or points (replay.points in a replay)."
        ) from None
    return factor


def add(factor: np.ndarray, parts: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Add labels to a factor.

    Parameters
    ----------
    factor : (m + 1, m + 1)
        Upper triangular; it is not changed.
    parts
        Rows (k, m), labels (k,) and expected errors (k,) of some structures. A label that is nan is left out.

    Returns
    -------
    (m + 1, m + 1)
    """
    held: list[np.ndarray] = []
    count = 0
    for rows, labels, errors in parts:
        there = np.isfinite(labels)
        held.append(np.column_stack([rows, labels])[there] / errors[there, None])
        count += len(held[-1])
        if count > BLOCK:
            factor, held, count = _reduce([factor, *held]), [], 0
    return _reduce([factor, *held]) if held else factor


def _reduce(parts: list[np.ndarray]) -> np.ndarray:
    (factor,) = scipy.linalg.qr(np.concatenate(parts), mode="r", overwrite_a=True, check_finite=False)
    return factor[: factor.shape[1]]


def coefficients(factor: np.ndarray) -> np.ndarray:
    """Return the coefficients (m,) of a factor with all labels in it."""
    return scipy.linalg.solve_triangular(factor[:-1, :-1], factor[:-1, -1])
