"""The figures of the replay, drawn from its saved tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods import is_baseline, is_by_chance
from gapdesign.methods.designs import CORE_HOURS
from gapdesign.replay.fits import COMMON, MEASURED, judged, judged_by
from gapdesign.report.figures import legend
from gapdesign.report.style import GREY, INK, house_style, line_styles, plain_logarithms

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND = (0.05, 0.5, 0.95)
"""Quantiles over the draws of a design by chance: edges of the baseline's band, and the line of each such design."""

BOUNDS = {"none": (0, (1, 2)), "all": (0, (4, 2))}
"""Line patterns of the potentials trained on no candidate and on all candidates."""


@house_style()
def errors_figure(errors: pd.DataFrame, methods: Mapping[str, str], *, core: str | None) -> Figure:
    """Draw energy and force errors against the number of candidates, with a band for random designs.

    Where it is known what the labels of training sets cost, errors are drawn against that, in core-hours.

    Parameters
    ----------
    errors
        Returned by :func:`gapdesign.replay.fits.errors`, with ``design``, ``method``, ``budget`` and ``draw``.
    methods
        Design to method, in the order of the configuration.
    core
        The pool in every training set, if there is one. Errors are those of the common test set or, without one, of
        all structures where there is a core, and of those that each design leaves out where there is none.
    """
    rows = judged(errors, core)
    named = {"all": "all structures", "left_out": "structures left out", COMMON: "common test set"}
    tested = named[judged_by(errors, core)]
    panels = {
        "energy_rmse_mev": f"energy error, {tested} (meV/atom)",
        "force_rmse_mev": f"force error, {tested} (meV/Å)",
    }
    known = {measure: label for measure, label in panels.items() if rows[measure].notna().any()}
    priced = CORE_HOURS in rows
    if priced:  # the same budget buys other core-hours in every draw
        rows = rows.assign(budget=rows.groupby(["design", "budget"])[CORE_HOURS].transform("mean"))
    label = "core-hours of the labels trained on" if priced else "candidates trained on"
    return _against_budget(
        rows, known or panels, methods, label=label, ticks=not priced, limited=judged_by(errors, core) != "left_out"
    )


@house_style()
def surfaces_figure(surfaces: pd.DataFrame, methods: Mapping[str, str], *, is_priced: bool = False) -> Figure:
    """Draw the error of each surface energy against the number of candidates, or budgets that are core-hours."""
    wide = surfaces.pivot(index=["design", "method", "budget", "draw"], columns="plane", values="error").reset_index()
    wide.columns = [str(name) for name in wide.columns]
    panels = {str(plane): f"error of the ({plane}) surface energy (J/m²)" for plane in surfaces["plane"].unique()}
    label = "budget, core-hours of labels" if is_priced else "candidates trained on"
    return _against_budget(wide, panels, methods, label=label, signed=True)


def _against_budget(
    rows: pd.DataFrame,
    panels: Mapping[str, str],
    methods: Mapping[str, str],
    *,
    label: str,
    ticks: bool = True,
    signed: bool = False,
    limited: bool = True,
) -> Figure:
    """Draw a panel per measure against the budget, signed ones on a linear axis.

    ``ticks`` puts one at every budget, and ``limited`` adds the two bounds.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure(figsize=(4.8 * len(panels), 4.2), layout="constrained")
    budgets = sorted(set(rows.loc[rows["design"].isin(list(methods)), "budget"]))
    for axes, (measure, title) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True):
        _panel(axes, rows, measure, methods)
        for bound, pattern in BOUNDS.items() if limited else ():
            for value in rows.loc[rows["method"] == bound, measure].dropna():
                axes.axhline(value, color=GREY, linestyle=pattern, linewidth=1.0)
        axes.set(title=title, xlabel=label, xscale="log")
        if ticks:
            axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            plain_logarithms(axes.xaxis)
        if signed:
            axes.axhline(0.0, color=INK, linewidth=0.6)
        else:
            axes.set_yscale("log")
            plain_logarithms(axes.yaxis)
    legend(figure, methods)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, measure: str, methods: Mapping[str, str]) -> None:
    styles = line_styles(methods)
    for design, method in methods.items():
        mine = rows[rows["design"] == design].groupby("budget")[measure]
        if is_by_chance(method):
            low, middle, high = (mine.quantile(share) for share in BAND)
            if is_baseline(method):
                axes.fill_between(middle.index, low, high, color=styles[design]["color"], alpha=0.2, linewidth=0)
        else:
            middle = mine.first()
            _intervals(axes, rows[rows["design"] == design], measure, styles[design]["color"])
        axes.plot(middle.index, middle, marker=".", markersize=5, **styles[design])


def _intervals(axes: Axes, rows: pd.DataFrame, measure: str, color: str) -> None:
    """Draw what another test set like it may give for each error, if that is known."""
    ends = [f"{MEASURED.get(measure)}_{end}_mev" for end in ("low", "high")]
    if set(ends) <= set(rows.columns):
        known = rows.dropna(subset=ends)
        axes.vlines(known["budget"], known[ends[0]], known[ends[1]], color=color, alpha=0.35, linewidth=2.5)
