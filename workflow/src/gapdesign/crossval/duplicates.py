"""Test structures that a model was trained on, and its errors without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.deviations import tail
from gapdesign.quality.measures import squared_distances

if TYPE_CHECKING:
    import pandas as pd

DUPLICATE = 1e-6
"""A test structure whose D2 to a training structure is smaller counts as seen by the model."""


def flag_duplicates(table: pd.DataFrame, features: Mapping[str, np.ndarray], covariance: Covariance) -> pd.DataFrame:
    """Add the column ``duplicate``, which says whether the model was trained on a structure with D2 below 1e-6.

    Parameters
    ----------
    table : DataFrame
        From :func:`.predictions.predictions`, of any number of models.
    features : mapping
        Features (n, dimension) of each design, by rank.
    """
    flags = np.zeros(len(table), dtype=bool)
    for (model, test_set), rows in table.groupby(["model", "test_set"], sort=False).indices.items():
        trained = table["rank"].to_numpy()[(table["model"] == model) & (table["test_set"] == model)]
        tested = table["rank"].to_numpy()[rows]
        between = squared_distances(features[test_set][tested], features[model][trained], covariance)
        flags[rows] = between.min(axis=1) < DUPLICATE
    flagged = table.copy()
    flagged.insert(table.columns.get_loc("error_mev") + 1, "duplicate", flags)
    return flagged


def duplicates(table: pd.DataFrame) -> pd.DataFrame:
    """Count the test structures that each model has seen; give its 0.99 quantile without them, in meV per atom.

    Returns
    -------
    DataFrame
        One row per model and test set other than its own; NaN where no structure is left.
    """
    import pandas as pd

    rows = []
    for (model, test_set), group in table.groupby(["model", "test_set"], sort=False):
        if model != test_set:
            unseen = group["error_mev"].abs()[~group["duplicate"]]
            rows.append(
                {
                    "model": model,
                    "test_set": test_set,
                    "n_duplicates": int(group["duplicate"].sum()),
                    "q99_mev_without": float(tail(unseen)),
                }
            )
    return pd.DataFrame(rows, columns=["model", "test_set", "n_duplicates", "q99_mev_without"])
