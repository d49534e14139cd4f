"""The figures of pages on sets of frames, each drawn from one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.report.figures import density
from gapdesign.report.style import GREY, INK, PALETTE, house_style
from gapdesign.report.words import shorten

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

GROUPS = 16
"""Groups that have a line of their own; all others share one."""


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
