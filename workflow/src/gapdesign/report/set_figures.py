"""The figures of pages on sets of frames, each drawn from one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.report.figures import density
from gapdesign.report.style import GREY, INK, PALETTE, house_style, legend_below
from gapdesign.report.words import shorten

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

GROUPS = 16
"""Groups that have a line of their own; all others share one."""

MARK = "#c8322b"
"""The colour of structures that something is suspicious with."""

PANELS = {
    "energy": "energy beyond composition (eV/atom)",
    "force": "largest force (eV/Å)",
    "nearest": "nearest distance (Å)",
}
"""Column of the table of an audit to the title of its panel."""


@house_style()
def cover_figure(table: pd.DataFrame, own: np.ndarray, spacing: float) -> Figure:
    """Draw how far their frames are from mine, all together beside my own distances, and by ``config_type``.

    Parameters
    ----------
    table
        Returned by :meth:`gapdesign.sets.cover.Cover.table`.
    own : (m,)
        Distance of each frame of mine from its nearest other.
    spacing : float
        Distance from which their frames are uncovered.
    """
    from matplotlib.figure import Figure

    names, groups = _groups(table["config_type"].to_numpy(), table["distance"].to_numpy())
    figure = Figure(figsize=(9.6, max(3.4, 1.4 + 0.24 * len(groups))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
    theirs = table["distance"].to_numpy()
    edges = np.linspace(0, 1.02 * max(theirs.max(), own.max()), 41)
    left.stairs(density(own, edges), edges, fill=True, color=GREY, alpha=0.35, label="mine, from the nearest other")
    left.stairs(density(theirs, edges), edges, color=PALETTE[0], label="theirs, from the nearest of mine")
    left.set(title="Distances", xlabel="kernel distance D", ylabel="probability density", ylim=(0, None))
    for place, group in enumerate(groups):
        mine = np.sort(theirs[names == group])
        lifted = place + 0.6 * (_lots(len(mine)) - 0.5)
        right.scatter(mine, lifted, s=7, color=PALETTE[0], alpha=0.6, linewidths=0, rasterized=True)
    right.set_yticks(range(len(groups)), [shorten(group or "no config_type", 24) for group in groups])
    right.set(title="Theirs by config_type", xlabel="kernel distance D from the nearest of mine")
    right.set(ylim=(len(groups) - 0.4, -0.6), xlim=(0, edges[-1]))
    for axes in (left, right):
        axes.axvline(spacing, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), label="spacing of mine")
    left.legend(loc="upper right")
    return figure


def _groups(given: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, Sequence[str]]:
    """Return the group (n,) of each frame, and the groups by their largest value; the last ones are put together."""
    largest = {name: values[given == name].max() for name in set(given.tolist())}
    order = sorted(largest, key=lambda name: (-largest[name], name))
    if len(order) <= GROUPS:
        return given, order
    kept = order[: GROUPS - 1]
    return np.where(np.isin(given, kept), given, "others"), [*kept, "others"]


def _lots(count: int) -> np.ndarray:
    """Return numbers (n,) from 0 to 1 that look like chance, the same every time: a golden-ratio sequence."""
    return np.arange(count) * 0.6180339887498949 % 1.0


@house_style()
def audit_figure(table: pd.DataFrame, marked: np.ndarray) -> Figure:
    """Draw energy, largest force and nearest distance of each structure, in the order of the files.

    Parameters
    ----------
    table
        As in :class:`gapdesign.sets.audit.Audit`.
    marked : (n,) bool
        Structures that something is wrong or suspicious with.
    """
    from matplotlib.figure import Figure

    drawn = [column for column in PANELS if np.isfinite(table[column].to_numpy(float)).any()] or ["nearest"]
    figure = Figure(figsize=(9.6, 1.9 * len(drawn) + 0.5), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(drawn), 1, sharex=True))
    _, groups = _groups(table["config_type"].to_numpy(), np.arange(0, -len(table), -1))
    place = np.arange(len(table))
    for axes, column in zip(panels, drawn, strict=True):
        values = table[column].to_numpy(float)
        for number, group in enumerate(groups):
            mine = (table["config_type"] == group).to_numpy() if group != "others" else _rest(table, groups)
            style = {"color": PALETTE[number % len(PALETTE)], "s": 7, "alpha": 0.6, "linewidths": 0}
            axes.scatter(place[mine], values[mine], label=shorten(group, 24), rasterized=True, **style)
        axes.scatter(
            place[marked], values[marked], s=34, facecolors="none", edgecolors=MARK, linewidths=1.1, label="suspicious"
        )
        axes.set_title(PANELS[column])
    panels[-1].set_xlabel("structure, in the order of the files")
    legend_below(figure, panels[0].get_legend_handles_labels()[0])
    return figure


def _rest(table: pd.DataFrame, groups: Sequence[str]) -> np.ndarray:
    return ~table["config_type"].isin(list(groups[:-1])).to_numpy()


@house_style()
def alike_figure(distances: np.ndarray, bound: float) -> Figure:
    """Draw how far structures (n,) are from their nearest other; `bound` is where two are nearly the same."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 3.2), layout="constrained")
    axes = figure.subplots()
    # On a logarithmic scale, with those that coincide at its left end.
    low = max(1e-5, float(distances[distances > 0].min(initial=1e-2)))
    axes.hist(np.clip(distances, low, None), np.geomspace(low, 1.5, 41), color=PALETTE[0], alpha=0.6)
    axes.axvline(max(bound, low), color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set(xscale="log", title="Structures by the distance to their nearest other", xlabel="kernel distance D")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("structures")
    return figure
