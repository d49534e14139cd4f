"""The comparison that a study is made for, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from gapdesign.methods import is_baseline
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
        Columns ``model``, ``test_set`` and ``q99_mev`` (meV/atom), a row per model that has an off-sample
        test, in the table's order. A model with an off-sample error that is not finite has that test set and NaN.
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


def headline(errors: pd.DataFrame, methods: Mapping[str, str], bootstrap: pd.DataFrame | None = None) -> str:
    """Compare the designs of each method by their models' worst off-sample 0.99 quantile, in words.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    methods
        Design to method. Other methods are compared with the one that draws blindly, where there is one.
    bootstrap
        The table ``crossval/bootstrap.csv``, for intervals of the ratios; without it there are none.

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
    sentences = [_compare(groups, _intervals(bootstrap, methods))] if groups else []
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


def _intervals(bootstrap: pd.DataFrame | None, methods: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Return each method's interval of the ratio of random designs to its own, from the 0.025 to the 0.975 quantile."""
    import numpy as np

    if bootstrap is None or not len(bootstrap):
        return {}
    table = bootstrap.assign(method=bootstrap["model"].map(methods), logarithm=np.log(bootstrap["worst_mev"]))
    means = table.groupby(["draw", "method"])["logarithm"].mean().unstack()
    blind = _baseline(means)
    if blind is None or not np.isfinite(means.to_numpy()).all():
        return {}
    ratios = np.exp(means.rsub(means[blind], axis=0)).drop(columns=blind)
    return {method: tuple(np.quantile(ratios[method], [0.025, 0.975])) for method in ratios}


def _compare(groups: Mapping[str, list[float]], intervals: Mapping[str, tuple[float, float]]) -> str:
    blind = _baseline(groups)
    others = [method for method in groups if method != blind]
    order = [*others, *([] if blind is None else [blind])]
    phrases = [
        f"{span(groups[method])}{' meV/atom' if place == 0 else ''} for {_designs(method, groups)}"
        for place, method in enumerate(order)
    ]
    start = f"The worst off-sample 0.99 quantile is {listing(phrases)}"
    if len(order) == 1:
        return f"{start}; there is no design of another method to compare with."
    if blind is None or min(min(values) for values in groups.values()) <= 0:
        return f"{start}."
    ratios = {method: _geometric_mean(groups[blind]) / _geometric_mean(groups[method]) for method in others}
    if len(others) == 1:
        interval = _interval(ratios[others[0]], intervals.get(others[0]))
        text = f"{start}: {_times(ratios[others[0]])} (geometric mean{interval and f'; {interval}'})."
    else:
        each = []
        for method in others:
            interval = _interval(ratios[method], intervals.get(method))
            each.append(f"{_times(ratios[method])} for {method_name(method)}{interval and f' ({interval})'}")
        text = f"{start}: against {method_name(blind)}, by geometric means, {listing(each)}."
    return text + _reservations(groups, blind, ratios, intervals)


def _baseline(methods: Iterable[str]) -> str | None:
    """Return the first of some methods that draws blindly, if any."""
    return next(filter(is_baseline, methods), None)


def _interval(ratio: float, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    low, high = sorted(1 / end for end in interval) if ratio < 1 else interval
    return f"95 % bootstrap interval {number(low, 2)} to {number(high, 2)}"


def _reservations(
    groups: Mapping[str, list[float]],
    blind: str,
    ratios: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
) -> str:
    failed = [method for method, ratio in ratios.items() if not _times(ratio).endswith("smaller")]
    unclear = [method for method in ratios if method not in failed and max(groups[method]) >= min(groups[blind])]
    text = ""
    if failed:
        names = listing((method_name(method) for method in failed), "or")
        text += f" No gain over {method_name(blind)} was found here for {names} designs."
    if unclear:
        names = listing(method_name(method) for method in unclear)
        text += f" The ranges of {names} and {method_name(blind)} designs overlap, so the gain is not certain."
    if doubtful := [method for method in intervals if method not in failed + unclear and intervals[method][0] <= 1]:
        names = listing(method_name(method) for method in doubtful)
        text += f" The interval for {names} designs holds 1, so the gain is not certain."
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
