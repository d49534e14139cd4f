"""The comparison that a study is made for, in a sentence about energies and one about forces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from gapdesign.crossval.between import ENOUGH, Between, between
from gapdesign.methods import is_baseline
from gapdesign.report.words import listing, method_name, number, span, span_of

if TYPE_CHECKING:
    import pandas as pd


TAIL, FORCE_TAIL = "q99_mev", "q99_force_mev_a"
"""Columns of ``crossval/errors.csv`` that models are compared by: 0.99 quantiles of energies and of forces."""

TWENTIETH, FORCE_TWENTIETH = "worst_twentieth_mev", "worst_twentieth_force_mev_a"
"""Columns of the means of the worst twentieth, beside the quantiles."""


def has_forces(errors: pd.DataFrame) -> bool:
    """Return whether there are labelled forces that symmetry does not hold at zero."""
    return len(errors) > 0 and bool((errors["n_forces"] > errors["n_forces_zero"]).any())


def has_virials(errors: pd.DataFrame) -> bool:
    """Return whether there are labelled virials."""
    return len(errors) > 0 and bool(errors["rmse_virial_mev"].notna().any())


def off_sample(errors: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the rows of tests on designs that models were not fitted to, and that have labels for a statistic."""
    off = errors[errors["test_set"] != errors["model"]]
    if column in (FORCE_TAIL, FORCE_TWENTIETH):
        return off[off["n_forces"] > 0]
    # A statistic of energies that is missing is an error that is not finite: every structure has an energy.
    return off if column in (TAIL, TWENTIETH) else off.dropna(subset=column)


def worst_off_sample(errors: pd.DataFrame, column: str = TAIL) -> pd.DataFrame:
    """Find where each model is at its worst on a design that it was not fitted to (BR section 4).

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    column
        The statistic. A test set without it, because it has no such labels, is left out.

    Returns
    -------
    pandas.DataFrame
        Columns ``model``, ``test_set`` and the statistic, a row per model that has an off-sample
        test, in the table's order. A model with an off-sample error that is not finite has that test set and NaN.
    """
    import pandas as pd

    rows = []
    for model, group in errors.groupby("model", sort=False) if len(errors) else ():
        off = off_sample(group, column)
        if off.empty:
            continue
        broken = off[~off[column].map(math.isfinite)]
        if broken.empty:
            worst = off.loc[off[column].idxmax()]
            rows.append((model, worst["test_set"], float(worst[column])))
        else:
            rows.append((model, broken.iloc[0]["test_set"], math.nan))
    return pd.DataFrame(rows, columns=["model", "test_set", column])


def headline(errors: pd.DataFrame, methods: Mapping[str, str], bootstrap: pd.DataFrame | None = None) -> str:
    """Compare the designs of each method by their models' worst errors of energies and, if there are any, of forces.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    methods
        Design to method. Other methods are compared with the one that draws blindly, where there is one.
    bootstrap
        The table ``crossval/bootstrap.csv``, for intervals of the ratios of energies over test structures.
    """
    compared = [of_energies(errors, methods, bootstrap), of_forces(errors, methods)]
    return " ".join(filter(None, [*compared, *_of_designs(sizes_of(errors, methods))]))


UNEQUAL = 1.1
"""Ratio of the largest to the smallest design of a comparison above which it is pointed out."""


def sizes_of(errors: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the sizes of the designs of each method."""
    own = errors[errors["model"] == errors["test_set"]] if len(errors) else errors
    sizes: dict[str, list[int]] = {}
    for design, size in own[["model", "n"]].itertuples(index=False) if len(own) else ():
        sizes.setdefault(methods.get(design, "other"), []).append(int(size))
    return sizes


def differ(sizes: Mapping[str, Sequence[int]]) -> bool:
    """Return whether designs differ in size by more than labels that failed explain."""
    every = [size for group in sizes.values() for size in group]
    return len(every) > 1 and max(every) > UNEQUAL * min(every)


def _of_designs(sizes: Mapping[str, list[int]]) -> Iterator[str]:
    """Say what a comparison of these designs leaves out."""
    if len(sizes) > 1 and differ(sizes):
        each = [f"{span_of(group)} for {_designs(method, sizes)}" for method, group in sizes.items()]
        yield f"The designs are not of one size ({listing(each)}), which this comparison does not take into account."
    if len(sizes) > 1 and baseline(sizes) is not None and min(map(len, sizes.values())) == 1:
        yield "One design of a method does not show how much such designs differ."


def of_energies(errors: pd.DataFrame, methods: Mapping[str, str], bootstrap: pd.DataFrame | None = None) -> str:
    """Compare designs by their models' worst off-sample 0.99 quantile of energies, in words; see :func:`headline`.

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
    alike = not differ(sizes_of(errors, methods))
    return _compared(table, TAIL, methods, _ENERGIES, over_tests(bootstrap, methods), alike)


def of_forces(errors: pd.DataFrame, methods: Mapping[str, str]) -> str:
    """Compare designs by their models' worst off-sample 0.99 quantile of forces; empty if there are none."""
    if not has_forces(errors):
        return ""
    table = worst_off_sample(errors, FORCE_TAIL)
    if table.empty:
        return f"That of forces is {number(float(errors.iloc[0][FORCE_TAIL]), 2)} meV/Å."
    alike = not differ(sizes_of(errors, methods))
    return _compared(table, FORCE_TAIL, methods, _FORCES, {}, alike)


@dataclass(frozen=True)
class _Subject:
    """What is compared: the start of the sentence, the unit, and what a gain is in."""

    start: str
    unit: str
    gain: str


_ENERGIES = _Subject("The worst off-sample 0.99 quantile of energies is", "meV/atom", "")
_FORCES = _Subject("That of forces is", "meV/Å", " in forces")


def _compared(
    table: pd.DataFrame,
    column: str,
    methods: Mapping[str, str],
    subject: _Subject,
    intervals: Mapping[str, tuple[float, float]],
    alike: bool,
) -> str:
    groups: dict[str, list[float]] = {}
    broken = [str(model) for model in table["model"][table[column].isna()]]
    for model, value in zip(table["model"], table[column], strict=True):
        if not math.isnan(value):
            groups.setdefault(methods.get(model, "other"), []).append(value)
    sentences = [_compare(groups, intervals, subject, alike)] if groups else []
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
        f"to, the 0.99 quantile of energies of its model is {number(float(first['q99_mev']), 2)} meV/atom."
    )


def over_tests(
    bootstrap: pd.DataFrame | None, methods: Mapping[str, str], column: str = "worst_mev"
) -> dict[str, tuple[float, float]]:
    """Return each method's interval of the ratio of random designs to its own on test structures drawn anew.

    From the 0.025 to the 0.975 quantile; the designs are the same in every draw. ``column`` is that of the bootstrap's
    table.
    """
    import numpy as np

    if bootstrap is None or not len(bootstrap):
        return {}
    table = bootstrap.assign(method=bootstrap["model"].map(methods), logarithm=np.log(bootstrap[column]))
    means = table.groupby(["draw", "method"])["logarithm"].mean().unstack()
    blind = baseline(means)
    if blind is None or not np.isfinite(means.to_numpy()).all():
        return {}
    ratios = np.exp(means.rsub(means[blind], axis=0)).drop(columns=blind)
    return {method: tuple(np.quantile(ratios[method], [0.025, 0.975])) for method in ratios}


def _compare(
    groups: Mapping[str, list[float]],
    intervals: Mapping[str, tuple[float, float]],
    subject: _Subject,
    alike: bool,
) -> str:
    """Write the comparison; of designs that are not alike in size the spread is that of size, and not written."""
    blind = baseline(groups)
    others = [method for method in groups if method != blind]
    order = [*others, *([] if blind is None else [blind])]
    phrases = [
        f"{span(groups[method])}{f' {subject.unit}' if place == 0 else ''} for {_designs(method, groups)}"
        for place, method in enumerate(order)
    ]
    start = f"{subject.start} {listing(phrases)}"
    if len(order) == 1:
        return f"{start}; there is no design of another method to compare with."
    if blind is None or min(min(values) for values in groups.values()) <= 0:
        return f"{start}."
    ratios = {method: geometric_mean(groups[blind]) / geometric_mean(groups[method]) for method in others}
    spread = {method: between(groups[method], groups[blind]) if alike else None for method in others}
    if len(others) == 1:
        interval = _interval(ratios[others[0]], spread[others[0]], intervals.get(others[0]))
        text = f"{start}: {_times(ratios[others[0]])} (geometric mean{interval and f'; {interval}'})."
    else:
        each = []
        for method in others:
            interval = _interval(ratios[method], spread[method], intervals.get(method))
            each.append(f"{_times(ratios[method])} for {method_name(method)}{interval and f' ({interval})'}")
        text = f"{start}: against {method_name(blind)}, by geometric means, {listing(each)}."
    tested = [
        method
        for method, found in spread.items()
        if found is not None and min(len(groups[method]), len(groups[blind])) >= ENOUGH
    ]
    least = {method: low for method, (low, _) in intervals.items()}
    for method, found in spread.items():
        if found is not None:
            least[method] = min(found.low, least.get(method, found.low))
    return text + _reservations(groups, blind, ratios, least, tested, subject.gain)


def baseline(methods: Iterable[str]) -> str | None:
    """Return the first of some methods that draws blindly, if any."""
    return next(filter(is_baseline, methods), None)


def _interval(ratio: float, spread: Between | None, over_tests: tuple[float, float] | None) -> str:
    """Write the 95 % intervals of a ratio, of the way round in which it is told."""

    def ends(low: float, high: float) -> str:
        low, high = (1 / high, 1 / low) if ratio < 1 else (low, high)
        return f"{number(low, 2)} to {number(high, 2)}"

    parts = []
    if spread is not None:
        tested = "" if spread.p is None else f" (exact permutation test: p = {number(spread.p, 2)})"
        parts.append(f"between designs {ends(spread.low, spread.high)}{tested}")
    if over_tests is not None:
        parts.append(f"over test structures {ends(*over_tests)}")
    return f"95 % interval {', '.join(parts)}" if parts else ""


def _reservations(
    groups: Mapping[str, list[float]],
    blind: str,
    ratios: Mapping[str, float],
    least: Mapping[str, float],
    tested: Sequence[str],
    gain: str,
) -> str:
    """Say of which methods the gain is not certain, or none.

    The ranges of many designs overlap in the end, however much their means differ: the test decides where there is one.
    """
    failed = [method for method, ratio in ratios.items() if not _times(ratio).endswith("smaller")]
    judged = [method for method in ratios if method not in [*failed, *tested]]
    unclear = [method for method in judged if max(groups[method]) >= min(groups[blind])]
    text = ""
    if failed:
        names = listing((method_name(method) for method in failed), "or")
        text += f" No gain{gain} over {method_name(blind)} was found here for {names} designs."
    if unclear:
        names = listing(method_name(method) for method in unclear)
        text += f" The ranges of {names} and {method_name(blind)} designs overlap, so the gain{gain} is not certain."
    if doubtful := [method for method in ratios if method not in failed + unclear and least.get(method, 2) <= 1]:
        names = listing(method_name(method) for method in doubtful)
        text += f" An interval for {names} designs holds 1, so the gain{gain} is not certain."
    return text


def _designs(method: str, groups: Mapping[str, list[float]]) -> str:
    if len(groups[method]) == 1:
        return f"the {method_name(method)} design"
    return f"{method_name(method)} designs"


def _times(ratio: float) -> str:
    larger = ratio < 1
    text = number(1 / ratio if larger else ratio, 2)
    return "the same" if text == "1.0" else f"{text} times {'larger' if larger else 'smaller'}"


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of values above 0."""
    return math.exp(fmean(map(math.log, values)))
