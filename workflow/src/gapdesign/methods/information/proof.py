"""Proof of a design: every score by the covariance of the weights.

Nothing of the choice is used but what a structure's labels are: the covariance of the weights is inverted anew at every
rank, and information is a sum over eigenvalues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.methods.base import Selection, Task, Wrong
from gapdesign.methods.information.scores import Labels, Pool, only_falls
from gapdesign.methods.shared import submodular
from gapdesign.voigt import OFFSET

if TYPE_CHECKING:
    from gapdesign.methods.information import InformationOptions


def first_wrong_rank(task: Task, options: InformationOptions, design: Selection) -> Wrong | None:
    """Check a design and its certificate against every candidate of the pool.

    Raises
    ------
    InputError
        If scores can grow while more is learnt, so that nothing is proved by a certificate.
    """
    if not only_falls(options):
        raise InputError("scores: designs by `trace` have no certificate; verify one of another score.")
    return submodular.first_wrong_rank(task, _Inverted(Pool(task, options), options), design)


class _Inverted:
    """Scores of candidates, by the covariance of the weights given the labels of those chosen."""

    only_falls, chunk, power = True, 1, 1.0

    def __init__(self, pool: Pool, options: InformationOptions) -> None:
        self._pool, self._options = pool, options
        self._precision = np.eye(pool.dimension)
        for labels in pool.existing():
            self._precision += labels.learnt.T @ labels.learnt
        self._covariance = np.linalg.inv(self._precision)

    def choose(self, candidate: int) -> None:
        """Learn the labels of a candidate."""
        rows = self._pool.one(candidate).learnt
        self._precision += rows.T @ rows
        self._covariance = np.linalg.inv(self._precision)

    def scores(self, some: np.ndarray) -> np.ndarray:
        """Return the scores (n,) of some candidates (n,)."""
        return np.array([self._of(self._pool.one(int(candidate))) for candidate in some])

    def _of(self, labels: Labels) -> float:
        among = labels.rows @ self._covariance @ labels.rows.T
        return sum(weight * _score(name, labels, among) for name, weight in self._options.scores.items() if weight)


def _score(name: str, labels: Labels, among: np.ndarray) -> float:
    """Return a score of a structure, by the covariance (r, r) among its labels."""
    variances = np.diag(among)
    learnt = np.isfinite(labels.errors)
    errors = labels.errors[learnt]
    if name == "energy":
        return float(variances[labels.places == 0].sum()) / labels.size**2
    if name == "force":
        return float(variances[labels.places >= OFFSET].max(initial=0.0))
    if name == "largest":
        return float((variances[learnt] / errors**2).max(initial=0.0))
    known = among[np.ix_(learnt, learnt)] / np.outer(errors, errors)
    return 0.5 * float(np.log1p(np.maximum(np.linalg.eigvalsh(known), 0.0)).sum())
