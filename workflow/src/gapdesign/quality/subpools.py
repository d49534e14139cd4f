"""Designs chosen again from less of their pool: from a random half of the candidates, a quarter, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.base import Method, Task
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.methods.shared.resources import block_rows, hold
from gapdesign.shards import SampledPool

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.shards import FeaturePool

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


def regrow(method: type[Method], task: Task, sizes: Sequence[int], *, order: np.ndarray | None = None) -> pd.DataFrame:
    """Choose a design again from smaller pools, each of which contains the ones before.

    Parameters
    ----------
    method : type of Method
    task : Task
        On the whole pool, whose mean descriptor is not used: every smaller pool has its own. Both pools are read from
        files.
    sizes : sequence of int
        Candidates of the smaller pools, increasing.
    order : (size,) int64, optional
        Candidates of the pool in random order, the first of which make up the smaller pools; by default, where their
        own order is random, those with the smallest indices.

    Returns
    -------
    pandas.DataFrame
        Columns ``candidates`` (of the smaller pool), ``rank``, ``candidate``.
    """
    import pandas as pd

    tables = [pd.DataFrame({name: np.zeros(0, np.int64) for name in ("candidates", "rank", "candidate")})]
    for size in sizes:
        members = np.arange(size) if order is None else np.sort(order[:size])
        smaller = replace(
            task,
            pool=_part(task.pool, size, order),
            start=int(np.searchsorted(members, task.start)) if task.start in members else None,
            compressed=None if task.compressed is None else hold(_part(task.compressed, size, order), task.memory),
            codes=None if task.codes is None else _part(task.codes, size, order),
        )
        blocks = smaller.pool.blocks(block_rows(task.memory, task.pool.dimension, 0))
        sums = sum(total(block) for _, block in blocks)
        smaller = replace(smaller, mean=mean_descriptor(sums, size, task.covariance.layout))
        chosen = members[method.select(smaller).candidates]
        tables.append(pd.DataFrame({"candidates": size, "rank": np.arange(len(chosen)), "candidate": chosen}))
        task.progress(f"{len(chosen)} of {size} candidates chosen")
    return pd.concat(tables, ignore_index=True)


def _part(pool: FeaturePool, size: int, order: np.ndarray | None) -> FeaturePool | SampledPool:
    return pool.first(size) if order is None else SampledPool(pool, size, order)
