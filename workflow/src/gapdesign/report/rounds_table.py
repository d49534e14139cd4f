"""What rounds were worth, as the page shows it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gapdesign.report.words import number, percent

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "structures": ("structures", number),
    "added": ("added", number),
    "energy_rmse_mev": ("energies off by, meV/atom", number),
    "energy_max_mev": ("at most", number),
    "force_rmse_mev_a": ("forces off by, meV/Å", number),
    "expected_gain": ("expected gain", percent),
    "gain_energy": ("seen, energies", percent),
    "gain_force": ("seen, forces", percent),
}
"""Columns that are shown, with their headings and how they are written."""


def section(rounds: pd.DataFrame | None) -> dict[str, Any]:
    """Gather the page's section on rounds.

    Parameters
    ----------
    rounds
        The table ``rounds.csv``, if there is one.

    Returns
    -------
    dict
        ``columns``, and ``rows``: ``design``, ``after``, ``stopped`` and ``cells``.
    """
    if rounds is None or not len(rounds):
        return {"columns": [], "rows": []}
    # What a round gained is seen when the next one adds structures, and belongs to its own row.
    seen = {row["after"]: (row["seen_energy_gain"], row["seen_force_gain"]) for row in rounds.to_dict("records")}
    rows = []
    for row in rounds.to_dict("records"):
        row["gain_energy"], row["gain_force"] = seen.get(row["design"], (math.nan, math.nan))
        cells = [write(row[name]) for name, (_, write) in COLUMNS.items()]
        rows.append({"design": row["design"], "after": row["after"], "stopped": bool(row["stopped"]), "cells": cells})
    return {"columns": [heading for heading, _ in COLUMNS.values()], "rows": rows}
