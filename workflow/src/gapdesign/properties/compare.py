"""Comparison of every model's properties with those of the reference engine and published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.deviations import root_mean_square
from gapdesign.properties import CURVES

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "reference"
"""The reference engine's name among the models."""

COLUMNS = (
    *("model", "prototype", "property", "value", "reference", "error", "published", "published_error"),
    *("unit", "reason"),
)


def compare(
    values: Mapping[str, pd.DataFrame],
    curves: Mapping[str, pd.DataFrame],
    published: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Put the values of all models side by side.

    Parameters
    ----------
    values, curves
        Tables by model, including the reference engine, if it was measured, as ``REFERENCE``.
    published
        Published values by prototype and property.

    Returns
    -------
    DataFrame
        One row per value, with the columns ``COLUMNS``. Errors are the value minus the reference's and minus the
        published one, in the value's unit. Phonons also have ``phonon_rms``, the root-mean-square difference of all
        frequencies on the path from the reference's, in THz.
    """
    import pandas as pd

    known = {}
    if REFERENCE in values:
        known = {(row["prototype"], row["property"]): row["value"] for row in values[REFERENCE].to_dict("records")}
    rows = []
    for model, table in values.items():
        records = table.to_dict("records")
        if model != REFERENCE and REFERENCE in curves:
            records += _phonon_deviations(curves[model], curves[REFERENCE])
        for row in records:
            place = row["prototype"], row["property"]
            reference = np.nan if model == REFERENCE else known.get(place, np.nan)
            said = published.get(row["prototype"], {}).get(row["property"], np.nan)
            own = row["value"] if row["value"] is not None else np.nan
            rows.append(
                row
                | {"model": model, "reference": reference, "error": own - reference}
                | {"published": said, "published_error": own - said}
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _phonon_deviations(curves: pd.DataFrame, reference: pd.DataFrame) -> list[dict[str, object]]:
    rows = []
    for prototype, mine in curves[curves["curve"] == "phonons"].groupby("prototype", sort=False):
        theirs = reference[(reference["curve"] == "phonons") & (reference["prototype"] == prototype)]
        if len(theirs) == len(mine):
            rms = root_mean_square(mine["y"].to_numpy() - theirs["y"].to_numpy())
            rows.append({"prototype": prototype, "property": "phonon_rms", "value": rms, "unit": "THz", "reason": ""})
    return rows


def together(curves: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Stack the curves of all models, with the model in the first column."""
    import pandas as pd

    columns = ["model", *CURVES]
    tables = [table.assign(model=model)[columns] for model, table in curves.items() if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
