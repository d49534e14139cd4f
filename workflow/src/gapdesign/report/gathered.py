"""Studies of so many designs that those of a method are shown together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import TYPE_CHECKING

from gapdesign.crossval.errors import DERIVATIVES, WORST_TWENTIETH
from gapdesign.report.words import DASH, method_name, number

if TYPE_CHECKING:
    import pandas as pd


def by_method(methods: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the designs of each method, both in order."""
    found: dict[str, list[str]] = {}
    for design, method in methods.items():
        found.setdefault(method, []).append(design)
    return found


def gathered_errors(errors: pd.DataFrame, methods: Mapping[str, str]) -> pd.DataFrame:
    """Return the errors of every method's models on the test sets of every method: geometric means over pairs.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    methods
        Design to method.

    Returns
    -------
    pandas.DataFrame
        The columns of ``errors``, a row per pair of names from :func:`names_of`; fits of models to their own designs
        are left out. A statistic that is not finite for one pair is not finite here.
    """
    import pandas as pd

    off = gathered(errors, errors, methods)
    labelled = {*DERIVATIVES, *WORST_TWENTIETH[1:]}
    counts = ("n", "n_forces", "n_forces_zero")
    statistics = [name for name in off.columns if name not in ("model", "test_set", *counts)]
    found = []
    for (row, column), group in off.groupby(["model", "test_set"], sort=False):
        sums = {name: group[name].sum() for name in counts}
        # An energy that is missing is no number; a force or virial that is missing has no label.
        means = {name: mean(group[name].dropna() if name in labelled else group[name]) for name in statistics}
        found.append({"model": row, "test_set": column, **sums, **means})
    return pd.DataFrame(found, columns=errors.columns)


def gathered(table: pd.DataFrame, errors: pd.DataFrame, methods: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of a table that are no fits, with models and test sets under the names they are gathered by.

    Parameters
    ----------
    table
        One of the tables of ``crossval/``.
    errors, methods
        As for :func:`gathered_errors`.
    """
    rows, columns = names_of(errors, methods)
    off = table[table["model"] != table["test_set"]] if len(table) else table
    return off.assign(model=off["model"].map(rows), test_set=off["test_set"].map(columns)) if len(off) else off


def names_of(errors: pd.DataFrame, methods: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return models and test sets, each to the name that it is gathered under.

    That is the name of its method, or for a test set without a model its own.
    """
    models = dict.fromkeys(errors["model"])
    rows = {model: method_name(methods[model]) for model in models}
    taken = set(rows.values())
    own = {name: f"{name} (test set)" if name in taken else name for name in errors["test_set"]}
    return rows, own | rows


def mean(values: Iterable[float]) -> float:
    """Return the geometric mean of values from 0; nan where one is missing, infinite where one is.

    >>> round(mean([1, 100]), 9), mean([0, 3]), mean([])
    (10.0, 0.0, nan)
    """
    found = [float(value) for value in values]
    if not found or any(map(math.isnan, found)):
        return math.nan
    if math.inf in found:
        return math.inf
    return math.exp(math.fsum(map(math.log, found)) / len(found)) if min(found) > 0 else 0.0


def spread(values: Iterable[float | None], write: Callable[[float], str] = number) -> tuple[str, str]:
    """Write the median of some values, and the lowest and the highest; those that are missing are left out.

    >>> spread([3.0, 1.0, None, 2.0]), spread([2.0, 2.0]), spread([])
    (('2.00', '1.00 to 3.00'), ('2.00', ''), ('–', ''))
    """
    known = sorted(float(value) for value in values if value is not None and not math.isnan(value))
    if not known:
        return DASH, ""
    low, high = write(known[0]), write(known[-1])
    return write(median(known)), "" if low == high else f"{low} to {high}"
