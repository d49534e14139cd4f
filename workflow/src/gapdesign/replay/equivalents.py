"""The number of structures drawn blindly that equal a design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods import is_baseline
from gapdesign.replay.fits import judged

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("energy_rmse_mev", "energy_q99_mev", "force_rmse_mev")


def equivalents(errors: pd.DataFrame, *, core: str | None, is_priced: bool = False) -> pd.DataFrame:
    """Return, for every design and budget, the number of random structures, or core-hours, with the same errors.

    Parameters
    ----------
    errors
        Returned by :func:`gapdesign.replay.fits.errors`, with ``design``, ``method``, ``budget`` and ``draw``.
    core
        The pool in every training set, if there is one. Errors are those of the common test set or, without one, of
        all structures where there is a core, and of those that each design leaves out where there is none.
    is_priced
        Whether budgets are core-hours.

    Returns
    -------
    DataFrame
        A row per non-random design, budget and measure: ``error`` (mean over its draws), ``random_error`` (mean
        over all random draws of that budget) and ``random_structures``, or ``random_core_hours`` if budgets are
        core-hours, by the power law between the two budgets of random designs that enclose the error; nan where it is
        outside of all of them, for the reason in ``note``.
    """
    import pandas as pd

    needed = "random_core_hours" if is_priced else "random_structures"
    rows = judged(errors[errors["design"] != ""], core)
    is_blind = rows["method"].map(is_baseline).astype(bool)
    blind = rows[is_blind].groupby("budget")[list(MEASURES)].mean()
    table = []
    for (design, budget), own in rows[~is_blind].groupby(["design", "budget"], sort=False):
        for measure in MEASURES:
            error = float(own[measure].mean())
            table.append({
                "design": design, "budget": budget, "measure": measure, "error": error,
                "random_error": float(blind[measure].get(budget, np.nan)),
                needed: crossing(blind.index.to_numpy(), blind[measure].to_numpy(), error),
                "note": _note(blind[measure], error),
            })  # fmt: skip
    columns = ["design", "budget", "measure", "error", "random_error", needed, "note"]
    return pd.DataFrame(table, columns=columns)


def _note(blind: pd.Series, error: float) -> str:
    """Return why no number of random structures has an error; empty if one has."""
    if np.isfinite(crossing(blind.index.to_numpy(), blind.to_numpy(), error)):
        return ""
    known = blind[np.isfinite(blind)]
    if not np.isfinite(error):
        return "no error was measured"
    if len(known) < 2:
        return "fewer than two budgets of random designs to compare with"
    if error < known.min():
        return f"a smaller error than random designs of any budget up to {known.index.max()}"
    return f"a larger error than random designs of the smallest budget, {known.index.min()}"


def crossing(budgets: Sequence[int], errors: Sequence[float], error: float) -> float:
    """Return the budget at which a falling curve first reaches an error, by power laws between points; nan if none.

    >>> round(crossing([10, 100], [8.0, 2.0], 4.0), 1)
    31.6
    """
    budgets, errors = np.log(np.asarray(budgets, float)), np.log(np.asarray(errors, float))
    wanted = np.log(error)
    for k in range(len(budgets) - 1):
        if errors[k] >= wanted >= errors[k + 1] and errors[k] > errors[k + 1]:
            share = (errors[k] - wanted) / (errors[k] - errors[k + 1])
            return float(np.exp(budgets[k] + share * (budgets[k + 1] - budgets[k])))
    return np.nan
