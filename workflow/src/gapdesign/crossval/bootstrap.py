"""Resampled test sets: how far the worst error of a model depends on single structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.deviations import tail, worst_twentieth

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 1000
"""Number of bootstrap draws of each test set."""

STATISTICS = {"worst_mev": tail, "worst_twentieth_mev": worst_twentieth}
"""Columns of the table, and the statistic of a test set whose largest value each of them has."""


def bootstrap(table: pd.DataFrame, rng: np.random.Generator, draws: int = DRAWS) -> pd.DataFrame:
    """Resample the structures of every test set, with replacement, and recompute each model's worst error.

    This shows how far the worst error depends on single test structures, not how it would change with other designs. In
    each draw all models are tested on the same structures, so that their ratios can be estimated too (B. Efron, Ann.
    Stat. 7, 1, 1979, https://doi.org/10.1214/aos/1176344552).

    Parameters
    ----------
    table : DataFrame
        From :func:`.predictions.predictions`, of any number of models.
    rng
        Source of the draws.
    draws
        Number of draws.

    Returns
    -------
    DataFrame
        ``draw``, ``model``, ``worst_mev``, the largest 0.99 quantile of the absolute error over the test sets that the
        model was not fitted to, and ``worst_twentieth_mev``, the largest mean of the worst twentieth, in meV per atom;
        one row per draw and model that has such a test set.
    """
    import pandas as pd

    worst: dict[str, dict[str, np.ndarray]] = {name: {} for name in STATISTICS}
    for test_set, group in table.groupby("test_set", sort=False):
        sizes = group.pivot(index="rank", columns="model", values="error_mev").abs()
        drawn = rng.integers(len(sizes), size=(draws, len(sizes)))
        for model in sizes.columns.drop(test_set, errors="ignore"):
            values = sizes[model].to_numpy()[drawn]
            for name, statistic in STATISTICS.items():
                found = statistic(values, axis=1)
                worst[name][model] = np.maximum(worst[name].get(model, found), found)
    models = [model for model in dict.fromkeys(table["model"]) if model in worst["worst_mev"]]
    return pd.DataFrame(
        {
            "draw": np.repeat(np.arange(draws), len(models)),
            "model": models * draws,
            **{
                name: np.column_stack([of_models[model] for model in models]).ravel() if models else []
                for name, of_models in worst.items()
            },
        }
    )
