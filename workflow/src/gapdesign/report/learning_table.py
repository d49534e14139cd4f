"""The number of random structures that equal a design, as the page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MEASURES = {
    "energy_rmse_mev": "energy error, meV/atom",
    "energy_q99_mev": "0.99 quantile of it, meV/atom",
    "force_rmse_mev": "force error, meV/Å",
}
"""Measures of a replay, in the order of the table."""


def section(equivalents: pd.DataFrame | None) -> dict[str, Any]:
    """Gather the page's section on learning curves.

    Parameters
    ----------
    equivalents
        The table ``replay/equivalents.csv``, if there is one.

    Returns
    -------
    dict
        ``unit`` of budgets, ``measures`` that there are, and ``rows``: ``design``, ``budget``, and for each measure the
        ``error``, ``random_error``, that of random designs of the same budget, and the budget ``needed`` of random
        designs for the same error.
    """
    if equivalents is None or not len(equivalents):
        return {"unit": "structures", "measures": [], "rows": []}
    is_priced = "random_core_hours" in equivalents
    needed = "random_core_hours" if is_priced else "random_structures"
    equivalents = equivalents.rename(columns={needed: "needed"})
    known = equivalents[equivalents["error"].notna()]
    measures = [name for name in MEASURES if (known["measure"] == name).any()]
    rows = []
    for (design, budget), mine in known.groupby(["design", "budget"], sort=False):
        cells = mine.set_index("measure").to_dict("index")
        number = float(budget) if is_priced else int(budget)
        rows.append({"design": design, "budget": number, "cells": [cells.get(name) for name in measures]})
    unit = "core-hours" if is_priced else "structures"
    return {"unit": unit, "measures": [MEASURES[name] for name in measures], "rows": rows}
