"""Method `variance`: largest posterior variance, in rounds of active learning (BR section 2).

BR minimised the largest prediction variance of a kernel ridge model in an active-learning framework, and got designs
worse than random ones; they do not print the details. This module reads them as rounds: each computes the posterior
variance of every candidate, takes the ``batch`` candidates with the largest variance together, and only then updates
the posterior. Since variances within a round ignore one another, a round takes near-copies of one extreme. With a
batch of one and no noise this is the greedy choice of `maxent`, and no swap follows. A first round without an existing
set is drawn blindly, since every prior variance is the same.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.covariance import first_farthest
from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.chance import shuffled
from gapdesign.methods.shared.conditional import Conditional, rows_and_existing
from gapdesign.methods.shared.resources import one_blas_thread
from gapdesign.progress import Pace


class VarianceOptions(Options):
    """Options of the method `variance`."""

    batch: int = Field(
        10, ge=1, description="Structures per round; the posterior variance is computed again after each round."
    )
    noise: float = Field(
        1e-6, ge=0, description="Variance of a label's noise, where the prior variance of a structure is 1."
    )


class VarianceMethod(Method):
    """Rounds of active learning."""

    name = "variance"
    summary = "those with the largest posterior variance, in rounds"
    Options = VarianceOptions
    title = "largest-variance"
    by_average_only = True
    harmed = Harm(averages=10)

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose in rounds; the score of a structure is its posterior variance before its round.

        Of equal variances the first candidate wins. Copies of existing structures are left out. Memory: 8 bytes for
        each candidate and known structure.
        """
        options = task.options or cls.Options()
        with one_blas_thread():
            rows, existing = rows_and_existing(task, cls.name)
            process = Conditional(rows, task.covariance, existing, len(existing) + task.budget, options.noise)
            process.know_existing()
            chosen, scores = _rounds(task, process, options.batch)
        return distance.selection(task, chosen, scores, passes=len(chosen) + 1)


def _rounds(task: Task, process: Conditional, batch: int) -> tuple[list[int], list[float]]:
    chosen: list[int] = []
    scores: list[float] = []
    pace, free = Pace(), distance.free(task)
    while len(chosen) < task.budget:
        count = min(batch, task.budget - len(chosen))
        if chosen or len(distance.existing_features(task)):
            taken = _largest(np.where(free, process.variance[: process.size], -np.inf), count)
        else:
            order = shuffled(task.seed, process.size)
            taken = order[free[order]][:count].tolist()
        if not taken:
            break
        scores += [float(max(process.variance[candidate], 0.0)) for candidate in taken]
        free[taken] = False
        chosen += taken
        for candidate in taken:
            if process.variance[candidate] + process.noise > task.covariance.overlap:
                process.know(candidate)
        if pace.is_due():
            task.progress(f"rank {len(chosen)} of {task.budget}, largest variance {process.variance.max():.3g}")
    return chosen, scores


def _largest(variances: np.ndarray, count: int) -> list[int]:
    """Return the places of the largest variances (N,), at most ``count``, of equal ones the first; -inf is left out."""
    taken: list[int] = []
    while len(taken) < count and variances.max() > -np.inf:
        taken.append(first_farthest(variances))
        variances[taken[-1]] = -np.inf
    return taken
