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
        ``measures`` that there are, and ``rows``: ``design``, ``budget``, and for each measure the error, that of as
        many random structures, and how many random structures have the same.
    """
    if equivalents is None or not len(equivalents):
        return {"measures": [], "rows": []}
    known = equivalents[equivalents["error"].notna()]
    measures = [name for name in MEASURES if (known["measure"] == name).any()]
    rows = []
    for (design, budget), mine in known.groupby(["design", "budget"], sort=False):
        cells = mine.set_index("measure").to_dict("index")
        rows.append({"design": design, "budget": int(budget), "cells": [cells.get(name) for name in measures]})
    return {"measures": [MEASURES[name] for name in measures], "rows": rows}
