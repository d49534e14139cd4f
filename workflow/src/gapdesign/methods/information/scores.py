"""A linear model that learns labels, and what a structure scores in it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from gapdesign.errors import InputError
from gapdesign.methods.shared.resources import require
from gapdesign.models.shared.leastsquares import sigmas
from gapdesign.rows.pool import atoms_of
from gapdesign.voigt import OFFSET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gapdesign.descriptors.environments import EnvironmentPool, Environments
    from gapdesign.methods.base import Task
    from gapdesign.methods.information import InformationOptions

NOTHING = 1e-7
"""Length of a row over its expected error that teaches nothing: forces that are zero by symmetry."""

ATOM = -1
"""Place of the energies of single atoms among the labels of a structure."""


class Labels(NamedTuple):
    """Labels of a structure in the model.

    Attributes
    ----------
    rows : (r, p)
        In eV and eV/angstrom, for weights of unit variance.
    errors : (r,)
        Expected errors; infinite for labels that count in scores and are not learnt.
    places : (r,) int
        Their places among all labels of the structure: 0 is the energy, 1 to 6 the virial, then the forces;
        :data:`ATOM` for energies of single atoms.
    size : int
        Number of atoms.
    """

    rows: np.ndarray
    errors: np.ndarray
    places: np.ndarray
    size: int

    @property
    def learnt(self) -> np.ndarray:
        """Rows (k, p) of labels that are learnt, over their expected errors."""
        there = np.isfinite(self.errors)
        return self.rows[there] / self.errors[there, None]


class Posterior:
    """Weights of the model, of unit variance before any label, given what was learnt."""

    def __init__(self, dimension: int) -> None:
        self.precision = np.eye(dimension)
        self.factor: np.ndarray | None = None

    def learn(self, rows: np.ndarray) -> None:
        """Learn labels by their rows (k, p) over expected errors."""
        self.precision += rows.T @ rows
        self.factor = cholesky(self.precision, lower=True, check_finite=False)

    def turned(self, rows: np.ndarray) -> np.ndarray:
        """Return T (r, p), where T T' is the covariance of labels with rows (r, p)."""
        if self.factor is None:
            return rows
        return solve_triangular(self.factor, rows.T, lower=True, check_finite=False).T

    def back(self, turned: np.ndarray) -> np.ndarray:
        """Return S X' (p, r) for rows X, by what :meth:`turned` makes of them, where S is the covariance of weights."""
        if self.factor is None:
            return turned.T
        return solve_triangular(self.factor, turned.T, lower=True, trans="T", check_finite=False)


class Raw(NamedTuple):
    """Rows of a structure of n atoms, of weights in units of the task's scale.

    Attributes
    ----------
    labels : (7 + 3 n, p)
    atoms : (n, p)
        Of the energies of single atoms; none where these are not learnt.
    """

    labels: np.ndarray
    atoms: np.ndarray


class Pool:
    """Labels of all candidates of a task, as an option of the method asks for them.

    As many as a third of the task's memory holds are kept.

    Parameters
    ----------
    task : Task
    options : InformationOptions

    Raises
    ------
    InputError
        If the rows, or environments where these are learnt, are missing, or the memory does not hold the model.
    """

    def __init__(self, task: Task, options: InformationOptions) -> None:
        if task.rows is None:
            raise InputError("--rows: the method weighs labels by their rows; run `gapdesign rows`.")
        if options.errors.environment is not None and (task.environments is None or task.functions is None):
            raise InputError("--environments: energies of single atoms are learnt by their environments; give these.")
        self._task, self._options = task, options
        self.dimension = task.rows.one(0).shape[1]
        what = f"matrices of {self.dimension} rows and columns"
        require(task.memory, 8.0 * 4 * self.dimension**2, "information", what)
        self._room = task.memory * 2**20 // 3
        self._kept: OrderedDict[int, Raw] = OrderedDict()

    def one(self, candidate: int) -> Labels:
        """Labels of a candidate."""
        raw = self._kept.get(candidate)
        if raw is None:
            raw = Raw(self._task.rows.one(candidate), self._atoms(self._task.environments, candidate))
            self._kept[candidate] = raw
            self._room -= sum(part.nbytes for part in raw)
            while self._room < 0:
                self._room += sum(part.nbytes for part in self._kept.popitem(last=False)[1])
        else:
            self._kept.move_to_end(candidate)
        return self._of(raw)

    def existing(self) -> Iterator[Labels]:
        """Yield the labels of existing structures."""
        for k, rows in enumerate(self._task.existing_rows):
            yield self._of(Raw(rows, self._atoms(self._task.existing_environments, k)))

    def _atoms(self, environments: Environments | EnvironmentPool | None, k: int) -> np.ndarray:
        """Return the rows (n, p) of the energies of the atoms of a structure, if these are learnt."""
        if self._options.errors.environment is None:
            return np.zeros((0, self.dimension), np.float32)
        own = environments.one(k)
        rows = self._task.functions.values(own.vectors, own.species).astype(np.float32)
        return np.repeat(rows, own.multiplicities, axis=0)

    def _of(self, raw: Raw) -> Labels:
        errors, scores, size = self._options.errors, self._options.scores, atoms_of(raw.labels)
        given = {name: getattr(errors, name) or np.inf for name in ("energy", "force", "virial")}
        environment = errors.environment or np.inf
        expected = sigmas(size, **given)
        wanted = np.isfinite(expected)
        wanted[0] |= scores.get("energy", 0) > 0
        wanted[OFFSET:] |= scores.get("force", 0) > 0
        places = np.flatnonzero(wanted)
        rows = self._task.scale * np.concatenate([raw.labels[places], raw.atoms]).astype(float)
        expected = np.concatenate([expected[places], np.full(len(raw.atoms), environment)])
        places = np.concatenate([places, np.full(len(raw.atoms), ATOM)])
        # What counts in scores alone is measured by the smallest error that is expected.
        least = np.where(np.isfinite(expected), expected, min(*given.values(), environment))
        there = np.sqrt(np.einsum("rp,rp->r", rows, rows)) > NOTHING * least
        return Labels(rows[there], expected[there], places[there], size)


def score(labels: Labels, posterior: Posterior, options: InformationOptions) -> float:
    """Return what a structure scores in the model."""
    if not len(labels.rows):
        return 0.0
    turned = posterior.turned(labels.rows)
    variances = np.einsum("rp,rp->r", turned, turned)
    learnt = np.isfinite(labels.errors)
    found = 0.0
    for name, weight in options.scores.items():
        if weight:
            found += weight * _SCORES[name](labels, turned, variances, learnt, posterior)
    return found


def _entropy(labels: Labels, turned: np.ndarray, _: np.ndarray, learnt: np.ndarray, __: Posterior) -> float:
    rows = turned[learnt] / labels.errors[learnt, None]
    products = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    return 0.5 * float(np.linalg.slogdet(np.eye(len(products)) + products)[1])


def _energy(labels: Labels, _: np.ndarray, variances: np.ndarray, __: np.ndarray, ___: Posterior) -> float:
    return float(variances[labels.places == 0].sum()) / labels.size**2


def _force(labels: Labels, _: np.ndarray, variances: np.ndarray, __: np.ndarray, ___: Posterior) -> float:
    return float(variances[labels.places >= OFFSET].max(initial=0.0))


def _largest(labels: Labels, _: np.ndarray, variances: np.ndarray, learnt: np.ndarray, __: Posterior) -> float:
    return float((variances[learnt] / labels.errors[learnt] ** 2).max(initial=0.0))


def _trace(labels: Labels, turned: np.ndarray, _: np.ndarray, learnt: np.ndarray, posterior: Posterior) -> float:
    rows = turned[learnt] / labels.errors[learnt, None]
    root = cholesky(np.eye(len(rows)) + rows @ rows.T, lower=True, check_finite=False)
    fallen = solve_triangular(root, posterior.back(rows).T, lower=True, check_finite=False)
    return float(np.einsum("rp,rp->", fallen, fallen)) / len(posterior.precision)


_SCORES = {"entropy": _entropy, "energy": _energy, "force": _force, "largest": _largest, "trace": _trace}


def only_falls(options: InformationOptions) -> bool:
    """Return whether what a structure scores can only fall while more is learnt, which makes old scores bounds."""
    return not options.scores.get("trace", 0)
