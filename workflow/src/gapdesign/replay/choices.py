"""Designs of a replay: one for every budget, and several draws where a method draws by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.base import Method, Task
from gapdesign.methods.designs import CORE_HOURS, select

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.methods.quotas import Quotas


def choices(
    method: type[Method],
    task: Task,
    design: str,
    *,
    budgets: Sequence[float],
    draws: int,
    quotas: Mapping[int, Quotas] | None = None,
    is_priced: bool = False,
) -> pd.DataFrame:
    """Choose a design for every budget; a prefix order is chosen once, for the largest, and cut for the others.

    Of budgets of core-hours each has a choice of its own.

    Parameters
    ----------
    method : type of Method
    task : Task
        Its budget is not used. If it has costs, the table has them too.
    design : str
        The design's name.
    budgets : sequence of int or float
        Numbers of structures or, if ``is_priced``, core-hours; increasing.
    draws : int
        Number of designs of a method that draws by chance; the first has the seed of the task.
    quotas : mapping, optional
        Budget to the quotas of a design of this size, which then is no prefix of a larger one.
    is_priced : bool
        Whether budgets are core-hours.

    Returns
    -------
    pandas.DataFrame
        Columns ``design``, ``draw``, ``budget``, ``rank``, ``candidate``, and ``core_hours`` where costs are known.
    """
    import pandas as pd

    tables = []
    for draw in range(draws if method.by_chance else 1):
        mine = replace(task, seed=f"{task.seed}/draw/{draw}" if draw else task.seed)
        if is_priced:
            mine = replace(mine, budget=task.pool.size)
            chosen = {hours: select(method, replace(mine, core_hours=hours)).candidates for hours in budgets}
        else:
            mine = replace(mine, core_hours=None)
            searched = budgets[-1:] if method.is_prefix and quotas is None else budgets
            chosen = {
                budget: select(method, replace(mine, budget=budget), quotas=quotas and quotas[budget]).candidates
                for budget in searched
            }
        for budget in budgets:
            candidates = chosen[budget] if budget in chosen else chosen[budgets[-1]][:budget]
            place = {"design": design, "draw": draw, "budget": budget}
            costs = {} if task.costs is None else {CORE_HOURS: task.costs[candidates]}
            tables.append(pd.DataFrame({**place, "rank": np.arange(len(candidates)), "candidate": candidates, **costs}))
        task.progress(f"{design}, draw {draw}: chosen for budgets of {', '.join(map(str, budgets))}")
    return pd.concat(tables, ignore_index=True)
