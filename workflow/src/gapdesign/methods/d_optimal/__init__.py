"""Method `d_optimal`: max det X'X of linear features (BR appendix A; MaxVol of Podryabinkin and Shapeev 2017).

The features are the leading principal components of the linear features of the pool
(:func:`gapdesign.methods.shared.rows.linear_features`): a determinant needs at least as many structures as features,
and within the components it does not depend on the basis. With as many structures as features, it is MaxVol's square.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.d_optimal import optimality
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.resources import one_blas_thread, require
from gapdesign.methods.shared.rows import linear_rows, principal


class DOptimalOptions(Options):
    """Options of the method `d_optimal`."""

    features: int | None = Field(
        None,
        ge=1,
        description="Number p of principal components of the linear features in the model; at most as many as"
        " structures, by default half as many.",
    )


class DOptimalMethod(Method):
    """D-optimal designs by exchange, until no swap raises the determinant."""

    name = "d_optimal"
    summary = "the set with the largest det X'X of principal components"
    Options = DOptimalOptions
    title = "D-optimal"
    can_be_polished = True
    harmed = Harm(averages=21)

    @classmethod
    def mismatch(cls, options: DOptimalOptions, *, budget: int, existing: bool) -> str | None:
        """Refuse more features than structures, if their number is known."""
        if options.features is None or options.features <= budget or existing:
            return None
        wanted = f"{options.features} weights need as many structures"
        return f"d_optimal.features: {wanted}, and the budget is {budget}; lower it."

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose by exchange; the score of a structure is how much it raises log det X'X given the ranks before it.

        Ranks are the greedy order within the final set; the first p raise the determinant from that of a tiny ridge.
        Memory: 24 bytes for each candidate and component.
        """
        options = task.options or cls.Options()
        with one_blas_thread():
            rows = linear_rows(task, task.memory // 2)
            there = rows.of(distance.existing_features(task)).astype(float)
            count = _count(options, len(there) + task.budget)
            what = f"24 bytes for each of {rows.size} candidates and {count} components"
            require(task.memory // 2, 24 * rows.size * count, cls.name, what)
            directions, _ = principal(rows.sample(), count)
            features = np.empty((rows.size, directions.shape[1]))
            rows.each(lambda span, block: features.__setitem__(span, block @ directions))
            existing = there @ directions
            usable = np.flatnonzero(distance.free(task))
            if not len(usable):
                return distance.selection(task, [], [], passes=2)
            chosen = optimality.greedy(features[usable], task.budget, existing)
            chosen = optimality.exchange(features[usable], chosen, existing, progress=task.progress)
            members = features[usable[chosen]]
            order = optimality.greedy(members, len(members), existing)
        gains = optimality.raised(members[order], existing)
        return distance.selection(task, usable[np.array(chosen)[order]], gains, passes=2)

    @classmethod
    def criterion(cls, task: Task, features: np.ndarray) -> optimality.Determinant:
        """Return log det X'X of the same principal components of the pool."""
        existing = distance.existing_features(task)
        with one_blas_thread():
            rows = linear_rows(task, 0)  # of which a sample is read, and no more
            directions, _ = principal(rows.sample(), _count(task.options or cls.Options(), len(existing) + task.budget))
        return optimality.Determinant(features, existing, lambda part: rows.of(part).astype(float) @ directions)


def _count(options: DOptimalOptions, known: int) -> int:
    """Return the number of features in the model of so many structures.

    Raises
    ------
    InputError
        If there are fewer structures than features asked for.
    """
    if options.features is not None and options.features > known:
        wanted = f"{options.features} weights need as many structures"
        raise InputError(f"d_optimal.features: {wanted}, and there are {known}; lower it.")
    return options.features or max(1, known // 2)
