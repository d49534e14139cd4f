"""The gain of designs on each family of test sets, as the page shows it below the headline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gapdesign.crossval.between import between
from gapdesign.crossval.families import CHOSEN, FAMILIES, NEITHER, RANDOM
from gapdesign.report.headline import (
    FORCE_TAIL,
    FORCE_TWENTIETH,
    TAIL,
    TWENTIETH,
    baseline,
    differ,
    geometric_mean,
    has_forces,
    off_sample,
    over_tests,
    sizes_of,
    worst_off_sample,
)
from gapdesign.report.words import count, listing, method_name, number

if TYPE_CHECKING:
    import pandas as pd

NAMED = 4
"""Most test sets of a family that are named; of more, their number is given."""


@dataclass(frozen=True)
class _Statistic:
    """A column of errors, its title and unit, and its column in the table of the bootstrap, if it has one."""

    column: str
    title: str
    unit: str
    drawn: str = ""


_ENERGIES = (
    _Statistic(TAIL, "energies: 0.99 quantile", "meV/atom", "worst_mev"),
    _Statistic(TWENTIETH, "worst twentieth", "meV/atom", "worst_twentieth_mev"),
)
_FORCES = (
    _Statistic(FORCE_TAIL, "forces: 0.99 quantile", "meV/Å"),
    _Statistic(FORCE_TWENTIETH, "worst twentieth", "meV/Å"),
)


def section(
    errors: pd.DataFrame,
    methods: Mapping[str, str],
    families: Mapping[str, str],
    bootstrap: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Compare the designs of each method with random ones on every family of test sets.

    On all sets, a model counts with its worst one, as in the headline. On a family it counts with the geometric mean
    over the sets that it was not fitted to: these are not as many for all models, and the worst of more is worse.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    methods
        Design to method.
    families
        Design to the family of the test set that it is, from :func:`gapdesign.crossval.families.families`.
    bootstrap
        The table ``crossval/bootstrap.csv``, for intervals over test structures.

    Returns
    -------
    dict
        ``columns``; names of the ``blind`` method and of the ``others``; ``rows``: ``tests``, ``sets``, ``method`` and
        ``cells``, each with ``ratio``, ``between``, ``over_tests`` and ``against``, in words or empty. ``neither`` is
        whether there is a test set of that family. Without random designs, or others, there are no rows.
    """
    statistics = (*_ENERGIES, *(_FORCES if has_forces(errors) else ()))
    used = [methods[model] for model in dict.fromkeys(errors["model"] if len(errors) else ()) if model in methods]
    blind = baseline(used)
    others = [method for method in dict.fromkeys(used) if method != blind]
    alike = not differ(sizes_of(errors, methods))
    rows = []
    for tests, sets in _groups(errors, methods, families) if blind is not None else ():
        values = [_errors_of(errors, statistic.column, sets) for statistic in statistics]
        for method in others:
            cells = []
            for statistic, of_models in zip(statistics, values, strict=True):
                own, random = (_positive(of_models, methods, name) for name in (method, blind))
                drawn = over_tests(bootstrap, methods, statistic.drawn) if statistic.drawn and sets is None else {}
                cells.append(_cell(own, random, statistic.unit, drawn.get(method), alike=alike))
            if any(cell["ratio"] for cell in cells):
                rows.append({"tests": tests, "sets": _named(sets), "method": method_name(method), "cells": cells})
    return {
        "columns": [statistic.title for statistic in statistics],
        "blind": method_name(blind) if blind else "",
        "others": [method_name(method) for method in others],
        "rows": rows,
        "neither": NEITHER in families.values(),
    }


def _groups(
    errors: pd.DataFrame, methods: Mapping[str, str], families: Mapping[str, str]
) -> Iterator[tuple[str, list[str] | None]]:
    """Yield the name and the test sets of each group that gets a row: all of them, and then each family."""
    yield "all, each model at its worst", None
    tested = list(dict.fromkeys(errors["test_set"]))
    for family in FAMILIES:
        sets = [name for name in tested if families.get(name) == family]
        makers = list(dict.fromkeys(methods[name] for name in sets))
        titles = {RANDOM: "random designs", CHOSEN: "chosen designs", NEITHER: "neither"}
        one = family == CHOSEN and len(makers) == 1
        if sets:
            yield f"{method_name(makers[0])} designs" if one else titles[family], sets


def _named(sets: Sequence[str] | None) -> str:
    if sets is None:
        return ""
    return listing(sets) if len(sets) <= NAMED else count(len(sets), "set")


def _errors_of(errors: pd.DataFrame, column: str, sets: Sequence[str] | None) -> dict[str, float]:
    """Return the error of each model: the worst, or the geometric mean over some sets; nan if one is not finite."""
    if sets is None:
        worst = worst_off_sample(errors, column)
        return dict(zip(worst["model"], worst[column], strict=True))
    off = off_sample(errors, column)
    groups = off[off["test_set"].isin(sets)].groupby("model", sort=False)[column]
    return {str(model): _mean(values.tolist()) for model, values in groups}


def _mean(values: Sequence[float]) -> float:
    if not all(map(math.isfinite, values)):
        return math.nan
    return geometric_mean(values) if min(values) > 0 else 0.0


def _positive(of_models: Mapping[str, float], methods: Mapping[str, str], method: str) -> list[float]:
    """Return the errors of a method's models, without those that are not finite, which the headline names."""
    return [value for model, value in of_models.items() if methods.get(model) == method and not math.isnan(value)]


def _cell(
    own: Sequence[float],
    random: Sequence[float],
    unit: str,
    drawn: tuple[float, float] | None,
    *,
    alike: bool,
) -> dict[str, str]:
    """Write the ratio of two groups of errors, its intervals, and the errors; nothing if there are none, or zeros."""
    if not own or not random or min(*own, *random) <= 0:
        return dict.fromkeys(("ratio", "between", "over_tests", "against"), "")
    means = geometric_mean(own), geometric_mean(random)
    spread = between(own, random) if alike else None
    return {
        "ratio": number(means[1] / means[0], 2),
        "between": "" if spread is None else f"{number(spread.low, 2)} to {number(spread.high, 2)}",
        "over_tests": "" if drawn is None else f"{number(drawn[0], 2)} to {number(drawn[1], 2)}",
        "against": f"{number(means[0], 2)}, {number(means[1], 2)} {unit}",
    }
