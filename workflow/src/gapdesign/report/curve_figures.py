"""The figures of the design page, drawn from its saved tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods import is_baseline
from gapdesign.report.figures import histograms, legend, medians
from gapdesign.report.style import BASELINE, GREY, are_many, error_colours, house_style, line_styles
from gapdesign.report.texts import MEASURES
from gapdesign.report.words import MINUS, number, percent, shorten

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = (
    *("posterior_std_mean", "covering_mean", "covering_radius", "posterior_std_max", "nearest_min", "nearest_median"),
    *("nearest_mean", "overlapping_share", "orthogonal_share", "log_det", "condition", "label_core_hours"),
)
"""Measures that are drawn, in reading order: first those that predict errors best (docs/design-page.md)."""

LOGARITHMIC = ("posterior_std_max", "posterior_std_mean", "condition")
"""Measures that span orders of magnitude."""

WIDE = 30
"""Ratio of largest to smallest value above which they are drawn on a logarithmic scale."""

BAND = (0.05, 0.5, 0.95)
"""Quantiles of the random draws: the band's edges and middle."""


def against_budget(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the table of curves about whole pools."""
    return curves[curves["candidates"] == curves.groupby("pool")["candidates"].transform("max")]


def against_pool(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the table of curves about whole designs."""
    return curves[curves["size"] == curves.groupby(["pool", "design", "draw", "candidates"], dropna=False)["size"]
                  .transform("max")]  # fmt: skip


def band(rows: pd.DataFrame, along: str, measure: str) -> pd.DataFrame:
    """Return quantiles of a measure over all random draws of all pools: rows by ``along``, columns as in ``BAND``."""
    drawn = rows[(rows["design"] == "") & np.isfinite(rows[measure].astype(float))]
    return drawn.groupby(along)[measure].quantile(list(BAND)).unstack()


@house_style()
def curves_figure(rows: pd.DataFrame, along: str, label: str, methods: Mapping[str, str]) -> Figure:
    """Draw every measure along budget or pool size: a line per design, and a band for random draws.

    Parameters
    ----------
    rows
        From :func:`against_budget` or :func:`against_pool`.
    along
        Column that is the abscissa: ``size`` or ``candidates``.
    label
        Label of the abscissa.
    methods
        Design to method.

    Returns
    -------
    matplotlib.figure.Figure
        A panel per measure that has any value.
    """
    from matplotlib.figure import Figure

    drawn = [measure for measure in PANELS if np.isfinite(rows[measure].astype(float)).any()]
    if rows[along].nunique() <= 1:
        drawn = drawn[:1]
    if along == "candidates":
        drawn = [measure for measure in drawn if measure != "label_core_hours"]
    drawn = drawn or [PANELS[0]]  # a design of one structure has next to nothing to measure
    lines = -(-len(drawn) // 3)
    figure = Figure(figsize=(9.6, 2.15 * lines + 0.5), layout="constrained")
    panels = figure.subplots(lines, 3, squeeze=False)
    for axes in panels.flat[len(drawn) :]:
        axes.set_axis_off()
    for axes, measure in zip(panels.flat, drawn, strict=False):
        _panel(axes, rows, along, measure, methods)
    for column in range(3):
        last = panels[-1, column] if panels[-1, column].axison or lines == 1 else panels[-2, column]
        last.set_xlabel(label)
    legend(figure, methods)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, along: str, measure: str, methods: Mapping[str, str]) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator, StrMethodFormatter

    kind = MEASURES[measure][1]
    factor = 100 if kind == "share" else 1
    low, middle, high = BAND
    spread = band(rows, along, measure) * factor
    if len(spread):
        mark = {"marker": "_", "markersize": 12} if len(spread) == 1 else {}
        axes.fill_between(spread.index, spread[low], spread[high], color=BASELINE, alpha=0.2, linewidth=0)
        axes.plot(spread.index, spread[middle], color=BASELINE, linewidth=0.8, alpha=0.8, **mark)
    drawn = {design: mine.sort_values(along) for design, mine in rows[rows["design"] != ""].groupby("design")}
    lines = {design: (mine[along], mine[measure].astype(float) * factor) for design, mine in drawn.items()}
    if are_many(methods):
        known = [method for method in methods.values() if is_baseline(method)] if len(spread) else ()
        medians(axes, lines, methods, unbanded=known, marker="o", markersize=2.2)
    else:
        styles = line_styles(methods)
        for design in sorted(methods, key=lambda name: not is_baseline(methods[name])):
            axes.plot(*lines.get(design, ([], [])), marker="o", markersize=2.2, **styles[design])
    axes.set_title(MEASURES[measure][0] + (", %" if kind == "share" else ""))
    axes.set_xscale("log")
    ticks = sorted(set(rows[along]))
    axes.set_xticks(ticks[:: -max(1, -(-len(ticks) // 6))])
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    if measure == "label_core_hours":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
    if measure in LOGARITHMIC and rows[measure].max() > WIDE * rows[measure].min() > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 1)))
        axes.yaxis.set_minor_locator(NullLocator())
    elif measure != "log_det":
        axes.set_ylim(bottom=0)


@house_style()
def nearest_figure(members: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw how far members are from their nearest neighbours, and how strongly strained, beside random draws.

    BR figure 4 shows the same two, with the distances of all pairs.

    Parameters
    ----------
    members
        The table ``quality/members.csv``.
    methods
        Design to method.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    columns = {
        "nearest": ("Distance to the nearest other member", "kernel distance D"),
        "strain": ("Strain of the members", f"strain magnitude ‖F {MINUS} I‖"),
    }
    drawn = [name for name in columns if np.isfinite(members[name].astype(float)).any()] or ["nearest"]
    figure = Figure(figsize=(4.8 * len(drawn), 3.5), layout="constrained")
    panels = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axes, name in zip(panels, drawn, strict=True):
        values = members[name].astype(float)
        edges = np.linspace(0, 1.02 * (np.nanmax(values, initial=0.0) or 1.0), 31)
        drawn_blindly = values[(members["design"] == "") & np.isfinite(values)]
        if len(drawn_blindly):
            heights, _ = np.histogram(drawn_blindly, edges, density=True)
            axes.stairs(heights, edges, fill=True, color=BASELINE, alpha=0.25)
        known = {design: values[(members["design"] == design) & np.isfinite(values)].to_numpy() for design in methods}
        histograms(axes, known, edges, methods)
        title, label = columns[name]
        axes.set(title=title, xlabel=label, xlim=(0, edges[-1]))
    panels[0].set_ylabel("probability density")
    legend(figure, methods)
    return figure


@house_style()
def coverage_figure(coverage: pd.DataFrame, pools: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw each design over its pool on two principal components of the kernel, coloured by rank.

    Parameters
    ----------
    coverage, pools
        The tables ``quality/coverage.csv`` and ``quality/pools.csv``.
    methods
        Design to method.

    Returns
    -------
    matplotlib.figure.Figure
        A panel per design; all share both axes. Earlier ranks lie above later ones.
    """
    from matplotlib.figure import Figure

    designs = [design for design in methods if (coverage["design"] == design).any()]
    columns = min(4, max(2, len(designs)))
    lines = -(-max(1, len(designs)) // columns)
    figure = Figure(figsize=(2.45 * columns, 2.5 * lines + 0.5), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    about = pools.set_index("pool")
    for axes in panels.flat[len(designs) :]:
        axes.set_axis_off()
    for place, (axes, design) in enumerate(zip(panels.flat, designs, strict=False)):
        mine = coverage[coverage["design"] == design].sort_values("rank", ascending=False)
        pool = mine["pool"].iloc[0]
        under = coverage[(coverage["design"] == "") & (coverage["pool"] == pool)]
        axes.scatter(under["x"], under["y"], s=1.2, color=GREY, alpha=0.35, linewidths=0, rasterized=True)
        axes.scatter(mine["x"], mine["y"], s=11, c=mine["rank"].astype(float), cmap=error_colours(), linewidths=0,
                     rasterized=True)  # fmt: skip
        axes.set_title(f"{shorten(design, 18)} over {shorten(pool, 10)}")
        axes.grid(visible=False)
        if place % columns == 0:
            axes.set_ylabel(f"component 2 ({percent(round(about.loc[pool, 'component_2'], 2))})")
        if place + columns >= len(designs):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(f"component 1 ({percent(round(about.loc[pool, 'component_1'], 2))})")
    if designs:
        _rank_bar(figure, panels)
    return figure


def _rank_bar(figure: Figure, panels: np.ndarray) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), error_colours()), ax=panels, shrink=0.5, aspect=30, pad=0.01)
    bar.set_ticks([0, 1], labels=["first rank", "last"])
    bar.solids.set_rasterized(True)
    bar.outline.set_visible(False)
