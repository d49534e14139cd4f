"""The figure of `gapdesign tune`, drawn from its two tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gapdesign.report.style import DASHES, PALETTE, RULE, house_style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARAMETERS = ("sigma", "r_cut", "n_max", "l_max", "zeta")

WIDE = 30
"""Variation above which visibilities are drawn on a logarithmic scale."""


@house_style()
def tune_figure(shares: pd.DataFrame, radial: pd.DataFrame) -> Figure:
    """Draw the overlapping and orthogonal shares of each setting, and its visibility of a dimer.

    Parameters
    ----------
    shares, radial
        The tables of :func:`gapdesign.descriptors.tuning.scan`.

    Returns
    -------
    matplotlib.figure.Figure
        Visibilities are divided by their means, since their units differ between settings.
    """
    varied = [name for name in PARAMETERS if shares[name].nunique() > 1]
    labels = [", ".join(f"{name} {row[name]:g}" for name in varied) or "as configured" for _, row in shares.iterrows()]
    figure, left, right = _panels(shares, labels)
    places = range(len(shares))
    for column, colour, marker, size, label in (
        ("overlapping_share", PALETTE[0], "o", 4, "overlapping"),
        ("orthogonal_share", PALETTE[3], "s", 4, "orthogonal"),
        ("soap_overlapping_share", PALETTE[0], "o", 8, "overlapping, SOAP alone"),
        ("soap_orthogonal_share", PALETTE[3], "s", 8, "orthogonal, SOAP alone"),
    ):
        if column in shares:
            style = {"linestyle": "none", "marker": marker, "markersize": size, "color": colour}
            left.plot(
                100 * shares[column], places, markerfacecolor=colour if size == 4 else "none", label=label, **style
            )
    left.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=2, fontsize=7)
    # A dimer looks the same whatever the power of the kernel.
    drawn = list(dict.fromkeys(tuple(row) for row in shares[list(PARAMETERS[:-1])].itertuples(index=False)))
    names = [name for name in varied if name != "zeta"]
    for place, setting in enumerate(drawn):
        mine = radial
        for name, value in zip(PARAMETERS, setting, strict=False):
            mine = mine[mine[name] == value]
        mine = mine[mine["zeta"] == mine["zeta"].iloc[0]]
        label = ", ".join(
            f"{name} {value:g}" for name, value in zip(PARAMETERS, setting, strict=False) if name in names
        )
        _draw_dimer(right, mine, place, label)
    _finish(right, shares, "What SOAP sees of a dimer")
    if names:
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=7)
    return figure


@house_style()
def kinds_figure(table: pd.DataFrame, radial: pd.DataFrame) -> Figure:
    """Draw overlapping, orthogonal and unseen shares of descriptors, and their visibility of a dimer.

    Parameters
    ----------
    table, radial
        The tables of :func:`gapdesign.descriptors.blindspots.compare`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, left, right = _panels(table, table["backend"])
    places = range(len(table))
    for column, colour, marker in (
        ("overlapping_share", PALETTE[0], "o"),
        ("orthogonal_share", PALETTE[3], "s"),
        ("unseen_share", PALETTE[1], "x"),
    ):
        style = {"linestyle": "none", "marker": marker, "markersize": 5, "color": colour}
        left.plot(100 * table[column], places, label=column.removesuffix("_share"), **style)
    left.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=3, fontsize=7)
    for place, (name, mine) in enumerate(radial.groupby("backend", sort=False)):
        _draw_dimer(right, mine, place, name)
    _finish(right, table, "What they see of a dimer")
    if len(radial):
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=7)
    return figure


def _panels(table: pd.DataFrame, labels: Sequence[str]) -> tuple[Figure, Axes, Axes]:
    """Return a figure with a panel for shares of pairs, a row for each label, and one for dimers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, max(3.4, 1.6 + 0.3 * len(table))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    left.set_yticks(range(len(table)), labels)
    left.set(ylim=(len(table) - 0.5, -0.5), xlabel="share of pairs, %", title="Pairs of the trial pool")
    left.set_xscale("symlog", linthresh=0.01)
    left.set_xlim(-0.001, max(0.02, 150 * table.filter(like="_share").to_numpy().max()))
    left.xaxis.set_major_formatter("{x:g}")
    return figure, left, right


def _draw_dimer(axes: Axes, mine: pd.DataFrame, place: int, label: str) -> None:
    """Draw what one descriptor sees of a dimer, relative to its mean."""
    seen = mine["visibility"] / mine["visibility"].mean()
    style = {"color": PALETTE[place % len(PALETTE)], "linestyle": DASHES[place // len(PALETTE) % len(DASHES)]}
    axes.plot(mine["distance"], seen, label=label, **style)


def _finish(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Name the axes of the panel for dimers, whose scale is logarithmic where visibilities vary much."""
    from matplotlib.ticker import NullLocator

    axes.axhline(1, color=RULE, linewidth=0.8, zorder=0)
    if "variation" in table and table["variation"].max() > WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set(title=title, xlabel="distance, Å", ylabel="visibility, relative to its mean")
