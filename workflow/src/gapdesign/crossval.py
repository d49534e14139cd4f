"""Tests of every model on every design: the n x n table (BR section 4, figures 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.quality.measures import squared_distances

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

DUPLICATE = 1e-6
"""A test structure whose D2 to a training structure is smaller counts as seen by the model."""

DRAWS = 1000
"""Number of bootstrap draws of each test set."""


def predictions(model: str, designs: Mapping[str, Sequence[Atoms]], energies: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Put the predictions of one model beside the labels of every design.

    Parameters
    ----------
    model : str
        Name of the design that the model was fitted to.
    designs : mapping
        Labelled structures of every design.
    energies : mapping
        Predicted total energies of each design's structures, in eV, in the same order.

    Returns
    -------
    DataFrame
        One row per structure: energies in eV per atom, the error (predicted minus reference) in meV per atom.
    """
    import pandas as pd

    rows = []
    for test_set, frames in designs.items():
        for atoms, energy in zip(frames, energies[test_set], strict=True):
            reference, predicted = atoms.info["REF_energy"] / len(atoms), float(energy) / len(atoms)
            rows.append(
                {
                    "model": model,
                    "test_set": test_set,
                    "rank": atoms.info["rank"],
                    "pool": atoms.info["pool"],
                    "candidate": atoms.info["candidate"],
                    "n_atoms": len(atoms),
                    "reference_ev": reference,
                    "predicted_ev": predicted,
                    "error_mev": 1000 * (predicted - reference),
                }
            )
    return pd.DataFrame(rows)


def flag_duplicates(table: pd.DataFrame, features: Mapping[str, np.ndarray], covariance: Covariance) -> pd.DataFrame:
    """Add the column ``duplicate``, which says whether the model was trained on a structure with D2 below 1e-6.

    Parameters
    ----------
    table : DataFrame
        From :func:`predictions`, of any number of models.
    features : mapping
        Features (n, dimension) of each design, by rank.
    """
    flags = np.zeros(len(table), dtype=bool)
    for (model, test_set), rows in table.groupby(["model", "test_set"], sort=False).indices.items():
        trained = table["rank"].to_numpy()[(table["model"] == model) & (table["test_set"] == model)]
        tested = table["rank"].to_numpy()[rows]
        between = squared_distances(features[test_set][tested], features[model][trained], covariance)
        flags[rows] = between.min(axis=1) < DUPLICATE
    return table.assign(duplicate=flags)


def errors(table: pd.DataFrame) -> pd.DataFrame:
    """Compute statistics of the error of each model on each design, in meV per atom.

    Returns
    -------
    DataFrame
        ``std_mev`` is the standard deviation about the mean, ``q99_mev`` the 0.99 quantile of the absolute
        error, interpolated linearly.
    """
    import pandas as pd

    rows = []
    for (model, test_set), error in table.groupby(["model", "test_set"], sort=False)["error_mev"]:
        size = error.abs().to_numpy()
        rows.append(
            {
                "model": model,
                "test_set": test_set,
                "n": len(size),
                "std_mev": float(np.std(error.to_numpy())),
                "q99_mev": float(np.quantile(size, 0.99)),
                "rmse_mev": float(np.sqrt(np.mean(size**2))),
                "mae_mev": float(size.mean()),
                "max_mev": float(size.max()),
            }
        )
    return pd.DataFrame(rows)


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
                    "q99_mev_without": float(np.quantile(unseen, 0.99)) if len(unseen) else np.nan,
                }
            )
    return pd.DataFrame(rows, columns=["model", "test_set", "n_duplicates", "q99_mev_without"])


def bootstrap(table: pd.DataFrame, rng: np.random.Generator, draws: int = DRAWS) -> pd.DataFrame:
    """Resample the structures of every test set, with replacement, and recompute each model's worst error.

    This shows how far the worst error depends on single test structures, not how it would change with other designs. In
    each draw all models are tested on the same structures, so that their ratios can be estimated too (B. Efron, Ann.
    Stat. 7, 1, 1979, https://doi.org/10.1214/aos/1176344552).

    Parameters
    ----------
    table : DataFrame
        From :func:`predictions`, of any number of models.
    rng
        Source of the draws.
    draws
        Number of draws.

    Returns
    -------
    DataFrame
        ``draw``, ``model`` and ``worst_mev``, the largest 0.99 quantile of the absolute error over the test sets that
        the model was not fitted to, in meV per atom; one row per draw and model that has such a test set.
    """
    import pandas as pd

    worst: dict[str, np.ndarray] = {}
    for test_set, group in table.groupby("test_set", sort=False):
        sizes = group.pivot(index="rank", columns="model", values="error_mev").abs()
        drawn = rng.integers(len(sizes), size=(draws, len(sizes)))
        for model in sizes.columns.drop(test_set, errors="ignore"):
            found = np.quantile(sizes[model].to_numpy()[drawn], 0.99, axis=1)
            worst[model] = np.maximum(worst[model], found) if model in worst else found
    models = [model for model in dict.fromkeys(table["model"]) if model in worst]
    return pd.DataFrame(
        {
            "draw": np.repeat(np.arange(draws), len(models)),
            "model": models * draws,
            "worst_mev": np.column_stack([worst[model] for model in models]).ravel() if models else [],
        }
    )
