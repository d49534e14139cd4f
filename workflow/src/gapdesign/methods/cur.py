"""Method `cur`: structures drawn in proportion to their leverage (RK section 2; Mahoney and Drineas 2009).

The matrix has the linear features of a candidate (:func:`gapdesign.methods.rows.linear_features`) as each of its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods import distance
from gapdesign.methods.leverage import Leverage, LeverageOptions, chosen_by
from gapdesign.methods.maxmin.compression import one_blas_thread
from gapdesign.methods.rows import TransformedRows, linear_features

if TYPE_CHECKING:
    from gapdesign.methods import Selection, Task


class CurOptions(LeverageOptions):
    """Options of the method `cur`."""


def select(task: Task) -> Selection:
    """Draw by leverage; the score of a structure is its leverage in units of the pool's mean.

    Two passes over the pool; singular vectors are those of at most 8,192 candidates, evenly spaced.
    """
    options = task.options or CurOptions()
    with one_blas_thread():
        rows = TransformedRows(
            task.pool,
            lambda features: linear_features(features, task.covariance),
            memory=task.memory,
            threads=task.threads,
        )
        existing = rows.of(distance.existing_features(task)).astype(float)
        leverage = Leverage(rows.sample(), options.features or task.budget, existing)
        scores = np.empty(rows.size)
        rows.each(lambda span, block: scores.__setitem__(span, leverage.of(block)))
    return chosen_by(task, scores, options)
