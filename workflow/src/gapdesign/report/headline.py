"""The comparison that a study is made for, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from gapdesign.report.words import listing, method_name, number, span

if TYPE_CHECKING:
    import pandas as pd


def worst_off_sample(errors: pd.DataFrame) -> pd.DataFrame:
    """Find where each model is at its worst on a design that it was not fitted to (BR section 4).

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.

    Returns
    -------
    pandas.DataFrame
        Columns ``model``, ``test_set`` and ``q99_mev`` (meV/atom), a row a model that has an off-sample test,
        in the table's order. A model with an off-sample error that is not finite has that test set and NaN.
    """
    import pandas as pd

    rows = []
    for model, group in errors.groupby("model", sort=False) if len(errors) else ():
        off = group[group["test_set"] != model]
        if off.empty:
            continue
        broken = off[~off["q99_mev"].map(math.isfinite)]
        if broken.empty:
            worst = off.loc[off["q99_mev"].idxmax()]
            rows.append((model, worst["test_set"], float(worst["q99_mev"])))
        else:
            rows.append((model, broken.iloc[0]["test_set"], math.nan))
    return pd.DataFrame(rows, columns=["model", "test_set", "q99_mev"])


def headline(errors: pd.DataFrame, methods: Mapping[str, str]) -> str:
    """Say how the designs of each method compare by their models' worst off-sample 0.99 quantile.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    methods
        Design to method. Other methods are compared with ``random`` where there is one.

    Returns
    -------
    str
        One sentence with its numbers, to two significant digits, and more where the comparison failed, where
        the ranges overlap, or where a model has no finite error.
    """
    if not len(errors):
        return "No model has been cross-validated."
    table = worst_off_sample(errors)
    if table.empty:
        return _fit_only(errors)
    groups: dict[str, list[float]] = {}
    broken = [str(model) for model in table["model"][table["q99_mev"].isna()]]
    for model, value in zip(table["model"], table["q99_mev"], strict=True):
        if not math.isnan(value):
            groups.setdefault(methods.get(model, "other"), []).append(value)
    sentences = [_compare(groups)] if groups else []
    if broken:
        noun = "Model" if len(broken) == 1 else "Models"
        sentences.append(
            f"{noun} {listing(broken)} gave off-sample errors that are not finite, and stand"
            f"{'s' if len(broken) == 1 else ''} outside this comparison."
        )
    return " ".join(sentences)


def _fit_only(errors: pd.DataFrame) -> str:
    first = errors.iloc[0]
    return (
        f"There is one design, {first['model']}, hence no off-sample test: on the structures it was fitted "
        f"to, the 0.99 quantile of its model is {number(float(first['q99_mev']), 2)} meV/atom."
    )


def _compare(groups: Mapping[str, list[float]]) -> str:
    others = [method for method in groups if method != "random"]
    order = [*others, *(["random"] if "random" in groups else [])]
    phrases = [
        f"{span(groups[method])}{' meV/atom' if place == 0 else ''} for {_designs(method, groups)}"
        for place, method in enumerate(order)
    ]
    start = f"The worst off-sample 0.99 quantile is {listing(phrases)}"
    if len(order) == 1:
        return f"{start}; there is no design of another method to compare with."
    if "random" not in groups or min(min(values) for values in groups.values()) <= 0:
        return f"{start}."
    ratios = {method: _geometric_mean(groups["random"]) / _geometric_mean(groups[method]) for method in others}
    if len(others) == 1:
        text = f"{start}: {_times(ratios[others[0]])} (geometric mean)."
    else:
        each = listing(f"{_times(ratios[method])} for {method_name(method)}" for method in others)
        text = f"{start}: against random, by geometric means, {each}."
    return text + _reservations(groups, ratios)


def _reservations(groups: Mapping[str, list[float]], ratios: Mapping[str, float]) -> str:
    failed = [method for method, ratio in ratios.items() if not _times(ratio).endswith("smaller")]
    unclear = [method for method in ratios if method not in failed and max(groups[method]) >= min(groups["random"])]
    text = ""
    if failed:
        names = listing((method_name(method) for method in failed), "or")
        text += f" No gain over random was found here for {names} designs."
    if unclear:
        names = listing(method_name(method) for method in unclear)
        text += f" The ranges of {names} and random designs overlap, so the gain is not a settled one."
    return text


def _designs(method: str, groups: Mapping[str, list[float]]) -> str:
    if len(groups[method]) == 1:
        return f"the {method_name(method)} design"
    return f"{method_name(method)} designs"


def _times(ratio: float) -> str:
    larger = ratio < 1
    text = number(1 / ratio if larger else ratio, 2)
    return "the same" if text == "1.0" else f"{text} times {'larger' if larger else 'smaller'}"


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(fmean(map(math.log, values)))
