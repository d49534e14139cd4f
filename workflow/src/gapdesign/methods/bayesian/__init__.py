"""Method `bayesian`: Bayesian selection (RK section 2.1, equations 1 to 6).

A model linear in features has a posterior over its weights with precision P = Phi' L Phi + P0, which depends on the
choice of structures and not on their labels. The structure with the highest score is chosen, its rows are added, and
so on. P0 is the identity: weights have a prior deviation of 1, and rows are of about unit length.

RK write the entropy score as the posterior entropy, -log det(P + Phi*' L Phi*) (equation 4), and say to pick the
highest. The most informative structure is the one that leaves the least entropy, so the sign is reversed here: the
score is log det(P + Phi*' L Phi*) - log det P, as in D-optimal design. Scores only fall as the design grows.

P is never factorised again: with S its inverse and new rows U of precisions l, S falls by W' W, with
C' C = diag(1 / l) + U S U' and W = C'^-1 U S (Woodbury 1950), and x' S y of any two rows by (W x) . (W y). A rank takes
one pass over all rows.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import scipy
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.covariance import dot
from gapdesign.errors import InputError
from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.bayesian.environment_rows import EnvironmentRows
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.resources import one_blas_thread, require
from gapdesign.methods.shared.rows import TransformedRows, first_largest, in_two, linear_rows
from gapdesign.progress import Pace


class BayesianOptions(Options):
    """Options of the method `bayesian`."""

    score: Literal["entropy", "energy", "force"] = Field(
        "entropy",
        description="Quantity that is largest for the next structure. `entropy`: information about the weights."
        " `energy`: posterior variance of its energy per atom. `force`: largest posterior variance of a component of a"
        " force; it needs a descriptor with derivatives (see docs/features.md), and 16 bytes for each atom and"
        " feature of every candidate, and therefore a small pool.",
    )
    rows: Literal["structure", "environments"] = Field(
        "structure",
        description="Rows that a structure adds to the posterior. `structure`: one, its mean features with the pairs;"
        " then `entropy` and `energy` pick the same. `environments`: the SOAP vector of every atom, kept in memory for"
        " the whole pool. With the score `force`, always the latter and its derivatives.",
    )
    noise: float = Field(
        0.01,
        gt=0,
        description="Standard deviation of the noise of a row, where the weights have a prior deviation of 1.",
    )

    @property
    def environments(self) -> bool:
        """True if environments of the pool are needed."""
        return self.rows == "environments" or self.score == "force"


class Scorer(Protocol):
    """Scores of all candidates."""

    def start(self, inverse: np.ndarray) -> None:
        """Begin with the inverse S (p, p) of a precision."""

    def scores(self) -> np.ndarray:
        """Scores (N,)."""

    def fall(self, directions: np.ndarray) -> None:
        """Account for a fall of S by W' W, with W (n, p)."""

    def rows(self, candidate: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows (n, p) that a candidate adds to the posterior, and their precisions (n,)."""


class BayesianMethod(Method):
    """Greedy choice by the information that labels give about a linear model."""

    name = "bayesian"
    summary = "each next structure is the one that a linear model learns most from, or is least certain of"
    Options = BayesianOptions
    title = "Bayesian"
    is_prefix = True
    harmed = Harm(averages=17, environments=30)

    @classmethod
    def reads_environments(cls, options: BayesianOptions) -> bool:
        """Return whether the rows of its model are those of atoms."""
        return options.environments

    @classmethod
    def reads_derivatives(cls, options: BayesianOptions) -> bool:
        """Return whether forces count."""
        return options.score == "force"

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose one by one; the score of a structure is that by which it was chosen.

        Scores are compared as multiples of 2^-40, the first of equal ones wins, and copies of existing structures are
        left out.
        """
        options = task.options or cls.Options()
        with one_blas_thread():
            scorer, prior = _scorer(task, options)
            chosen, scores = pick(scorer, prior, task.budget, distance.free(task), progress=task.progress)
        return distance.selection(task, chosen, scores, passes=len(chosen) + 1)


def pick(
    scorer: Scorer, precision: np.ndarray, budget: int, free: np.ndarray, *, progress=lambda line: None
) -> tuple[list[int], list[float]]:
    """Choose greedily by any score.

    Parameters
    ----------
    scorer : Scorer
    precision : (p, p)
        P before the first choice: P0 and the contribution of existing structures.
    budget : int
    free : (N,) bool
        Candidates that may be chosen.

    Returns
    -------
    list of int, list of float
        Candidates, and the score of each when it was chosen.
    """
    inverse = np.linalg.inv(precision)
    scorer.start(inverse)
    free, pace = free.copy(), Pace()
    chosen: list[int] = []
    scores: list[float] = []
    while len(chosen) < budget and free.any():
        values = np.where(free, scorer.scores(), -np.inf)
        best = first_largest(values)
        free[best] = False
        chosen.append(best)
        scores.append(float(values[best]))
        rows, weights = scorer.rows(best)
        known = rows @ inverse
        factor = scipy.linalg.cholesky(np.diag(1 / weights) + known @ rows.T, lower=True)
        directions = scipy.linalg.solve_triangular(factor, known, lower=True)
        inverse -= directions.T @ directions
        scorer.fall(directions)
        if pace.is_due():
            progress(f"rank {len(chosen)} of {budget}, score {scores[-1]:.4g}")
    return chosen, scores


def _scorer(task: Task, options: BayesianOptions) -> tuple[Scorer, np.ndarray]:
    """Return the scorer of the candidates, and the precision after the existing set."""
    weight = 1 / options.noise**2
    if options.environments:
        scorer = EnvironmentRows(task, options.score, weight)
        return scorer, np.eye(scorer.dimension) + scorer.information_of_existing()
    rows = linear_rows(task)
    needed = 8.0 * rows.dimension**2 * 4 + 16 * rows.size
    require(task.memory, needed, "bayesian", f"a matrix of {rows.dimension} rows and columns")
    existing = rows.of(distance.existing_features(task)).astype(float)
    return OneRow(rows, options.score, weight), np.eye(rows.dimension) + weight * existing.T @ existing


class OneRow:
    """Scores of candidates with one row each: its posterior variance v, or log(1 + l v), the information of a label.

    Sums are made element by element in one order, so that scores do not depend on blocks or threads.
    """

    def __init__(self, rows: TransformedRows, score: str, weight: float) -> None:
        if score == "force":
            raise InputError("bayesian.score: 'force' needs rows of environments.")
        self._rows, self._entropy, self._weight = rows, score == "entropy", weight
        self._variance = np.empty(rows.size)

    def start(self, inverse: np.ndarray) -> None:
        """Begin with the inverse of a precision (p, p)."""
        if np.array_equal(inverse, np.eye(len(inverse))):
            self._rows.each(lambda span, block: self._variance.__setitem__(span, dot(block, block)))
        else:
            high, low = in_two(inverse)

            def work(span: slice, block: np.ndarray) -> None:
                self._variance[span] = dot(block @ high + block @ low, block)

            self._rows.each(work)

    def scores(self) -> np.ndarray:
        """Scores (N,)."""
        return np.log1p(self._weight * np.maximum(self._variance, 0.0)) if self._entropy else self._variance

    def fall(self, directions: np.ndarray) -> None:
        """Subtract (x . w)^2 from the variance of every row x, for the one direction w."""

        def work(span: slice, block: np.ndarray) -> None:
            along = dot(block, directions)
            self._variance[span] -= along * along

        self._rows.each(work)

    def rows(self, candidate: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the candidate's row and its precision."""
        return self._rows.take([candidate]), np.array([self._weight])
