"""Method `cur`: structures drawn in proportion to their leverage (RK section 2; Mahoney and Drineas 2009).

Each row of the matrix holds the linear features of a candidate
(:func:`gapdesign.methods.shared.rows.linear_features`).
"""

from __future__ import annotations

import numpy as np

from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.leverage import Leverage, LeverageOptions, chosen_by
from gapdesign.methods.shared.resources import one_blas_thread
from gapdesign.methods.shared.rows import linear_rows


class CurOptions(LeverageOptions):
    """Options of the method `cur`."""


class CurMethod(Method):
    """Draws by the leverage of structures."""

    name = "cur"
    summary = "drawn at random by the leverage of structures"
    Options = CurOptions
    title = "CUR"
    by_chance = True
    harmed = Harm(averages=3)

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Draw by leverage; the score of a structure is its leverage in units of the pool's mean.

        It reads the pool twice; singular vectors are those of at most 8,192 candidates, evenly spaced.
        """
        options = task.options or cls.Options()
        with one_blas_thread():
            rows = linear_rows(task)
            existing = rows.of(distance.existing_features(task)).astype(float)
            leverage = Leverage(rows.sample(), options.features or task.budget, existing)
            scores = np.empty(rows.size)
            rows.each(lambda span, block: scores.__setitem__(span, leverage.of(block)))
        return chosen_by(task, scores, options)
