"""Designs chosen again from less of their pool: from the first half of the candidates, a quarter, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.base import Method, Task
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.methods.shared.resources import block_rows

if TYPE_CHECKING:
    import pandas as pd

EFFORT = 2_500_000
"""Candidates times ranks of the largest smaller pool from which a method that is not light chooses again."""


def subpool_sizes(size: int, budget: int, halvings: int, *, is_light: bool) -> list[int]:
    """Return the candidates of the smaller pools from which a method chooses again, increasing.

    Parameters
    ----------
    size : int
        Candidates in the whole pool.
    budget : int
        Structures to choose.
    halvings : int
        Largest number of smaller pools; none is smaller than twice the budget.
    is_light : bool
        Whether the method chooses from any pool at little cost.
    """
    halves = {size // 2**k for k in range(1, halvings + 1)}
    largest = size if is_light else EFFORT // budget
    return sorted(half for half in halves if 2 * budget <= half <= largest)


def regrow(method: type[Method], task: Task, sizes: Sequence[int]) -> pd.DataFrame:
    """Choose a design again from the beginnings of its pool.

    Parameters
    ----------
    method : type of Method
    task : Task
        On the whole pool, whose mean descriptor is not used: every smaller pool has its own. Both pools are read from
        files.
    sizes : sequence of int
        Candidates of the smaller pools, increasing; at least one.

    Returns
    -------
    pandas.DataFrame
        Columns ``candidates`` (of the smaller pool), ``rank``, ``candidate``.
    """
    import pandas as pd

    tables, sums, known = [], np.zeros(task.pool.dimension, np.int64), 0
    for size in sizes:
        part = task.pool.first(size)
        for start, stop in part.ranges(block_rows(task.memory, part.dimension, 0)):
            if stop > known:
                sums += total(part.block(max(start, known), stop))
        known = size
        smaller = replace(
            task,
            pool=part,
            mean=mean_descriptor(sums, size, task.covariance.layout),
            start=task.start if task.start is not None and task.start < size else None,
            compressed=task.compressed.first(size) if task.compressed is not None else None,
        )
        chosen = method.select(smaller).candidates
        tables.append(pd.DataFrame({"candidates": size, "rank": np.arange(len(chosen)), "candidate": chosen}))
        task.progress(f"{len(chosen)} of the first {size} candidates chosen")
    return pd.concat(tables, ignore_index=True)
