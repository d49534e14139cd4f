"""What more core-hours would buy, as the design page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gapdesign.report.words import number

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "size": "structures",
    "spent": "their labels cost",
    "nearest_mean": "nearest neighbour, mean",
    "covering_radius": "covering radius",
    "covering_mean": "covering distance, mean",
    "posterior_std_max": "posterior deviation, largest",
}
"""Columns of the table that are shown, with their headings."""


def section(raised: pd.DataFrame | None) -> dict[str, Any]:
    """Gather the page's section on larger budgets.

    Parameters
    ----------
    raised
        The table ``quality/raised.csv``, if there is one.

    Returns
    -------
    dict
        ``columns``, and ``rows``: ``design``, ``budget`` in words, ``cells``.
    """
    if raised is None or not len(raised):
        return {"columns": [], "rows": []}
    rows = []
    for row in raised.to_dict("records"):
        more = f", {row['raised_percent']} % more" if row["raised_percent"] else ""
        cells = [number(int(row[name]) if name == "size" else row[name]) for name in COLUMNS]
        rows.append({"design": row["design"], "budget": f"{row['core_hours']:.4g}{more}", "cells": cells})
    return {"columns": list(COLUMNS.values()), "rows": rows}


def facts(raised: pd.DataFrame | None) -> list[str]:
    """Return what each design costs of its budget, in words."""
    if raised is None:
        return []
    return [
        f"labels of {row['design']}: {number(row['spent'])} of {number(row['core_hours'])} core-hours"
        for row in raised[raised["raised_percent"] == 0].to_dict("records")
    ]
