"""Method `maxmin`: each next structure is the one farthest from all chosen before, exactly and in bounded memory (BR).

:mod:`.greedy` chooses by the average covariance, :mod:`.lazy` where distances of structures are expensive;
:mod:`.certificate` and :mod:`.exhaustive` prove the design of either, and :mod:`.spread` is what polishing raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapdesign.errors import InputError
from gapdesign.methods.base import Harm, Method, Selection, Task, Wrong

if TYPE_CHECKING:
    import numpy as np

    from gapdesign.methods.maxmin.spread import Spread


class MaxminMethod(Method):
    """The exact max-min order."""

    name = "maxmin"
    summary = "each next structure is the one farthest from all chosen before, by kernel distance"
    title = "max-min"
    reference = (
        "S. Golchi and J. L. Loeppky, Monte Carlo based designs for constrained domains (2015)",
        "10.48550/arXiv.1512.07328",
        "the max-min algorithm",
    )
    is_prefix = True
    is_light = True
    takes_start = True
    is_compressed = True
    is_certified = True
    is_default = True
    can_be_polished = True
    harmed = Harm(averages=16, pairs=18, environments=27, core_hours=6)

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose by the covariance, on compressed features, or by the task's distance of structures if it has one."""
        from gapdesign.methods.maxmin import greedy, lazy

        if task.structures is not None:
            return lazy.select(task)
        if task.compressed is None:
            raise InputError(f"--compressed: the method {cls.name} needs compressed shards; run `gapdesign compress`.")
        return greedy.select(task)

    @classmethod
    def first_wrong_rank(cls, task: Task, design: Selection) -> Wrong | None:
        """Check a design against every candidate of the pool, by another computation than the one that chose it."""
        from gapdesign.methods.maxmin import certificate, exhaustive

        told = {"candidates": design.candidates, "distances": design.distances, "outside": design.outside}
        told |= {"costs": task.costs, "core_hours": task.core_hours}
        if task.structures is not None:
            return exhaustive.first_wrong_rank(task.structures, progress=task.progress, **told)
        given = {"existing": task.existing, "memory": task.memory, "progress": task.progress}
        return certificate.first_wrong_rank(task.pool, task.covariance, **given, **told)

    @classmethod
    def criterion(cls, task: Task, features: np.ndarray) -> Spread:
        """Return the smallest distance of two structures."""
        from gapdesign.methods.maxmin.spread import Spread
        from gapdesign.methods.shared.distance import existing_features

        return Spread(features, existing_features(task), task.covariance)
