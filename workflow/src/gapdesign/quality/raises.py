"""What more core-hours would buy: designs that a budget of them ends, chosen again with more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.budgets import select
from gapdesign.methods.shared.resources import block_rows
from gapdesign.quality.measures import measure, rounded

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.methods.base import Method, Task

PERCENT = (5, 10, 20)
"""By how much the budget is raised."""


def raised(method: type[Method], task: Task, design: Sequence[int]) -> pd.DataFrame:
    """Measure a design, and what its method chooses with a larger budget of core-hours.

    Parameters
    ----------
    method : type of Method
    task : Task
        That the design was chosen by.
    design : (n,) int64
        Its candidates.

    Returns
    -------
    pandas.DataFrame
        A row for the design and for each of :data:`PERCENT`: ``raised_percent``, ``core_hours``, the budget, ``spent``,
        what the labels cost of it, and the measures of :class:`gapdesign.quality.measures.Quality` against the whole
        pool.
    """
    import pandas as pd

    rows = []
    for percent in (0, *PERCENT):
        budget = task.core_hours * (1 + percent / 100)
        chosen = select(method, replace(task, core_hours=budget)).candidates if percent else np.asarray(design)
        of = block_rows(task.memory, task.pool.dimension, len(chosen))
        found = measure(task.pool.rows(chosen), task.pool, task.covariance, of)
        spent = {"raised_percent": percent, "core_hours": budget, "spent": float(task.costs[chosen].sum())}
        rows.append(rounded(spent | asdict(found)))
        task.progress(f"{len(chosen)} structures for {budget:g} core-hours")
    return pd.DataFrame(rows)
