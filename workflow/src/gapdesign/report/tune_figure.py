"""The figure of `gapdesign tune`, drawn from its two tables alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapdesign.report.style import DASHES, PALETTE, RULE, house_style

if TYPE_CHECKING:
    import pandas as pd
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
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    varied = [name for name in PARAMETERS if shares[name].nunique() > 1]
    labels = [", ".join(f"{name} {row[name]:g}" for name in varied) or "as configured" for _, row in shares.iterrows()]
    figure = Figure(figsize=(9.6, max(3.4, 1.6 + 0.3 * len(shares))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
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
    left.set_yticks(places, labels)
    left.set(ylim=(len(shares) - 0.5, -0.5), xlabel="share of pairs, %", title="Pairs of the trial pool")
    left.set_xscale("symlog", linthresh=0.01)
    left.set_xlim(-0.001, max(0.02, 150 * shares.filter(like="_share").to_numpy().max()))
    left.xaxis.set_major_formatter("{x:g}")
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
        seen = mine["visibility"] / mine["visibility"].mean()
        style = {"color": PALETTE[place % len(PALETTE)], "linestyle": DASHES[place // len(PALETTE) % len(DASHES)]}
        right.plot(mine["distance"], seen, label=label, **style)
    right.axhline(1, color=RULE, linewidth=0.8, zorder=0)
    if shares["variation"].max() > WIDE:
        right.set_yscale("log")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_locator(NullLocator())
    right.set(title="What SOAP sees of a dimer", xlabel="distance, Å", ylabel="visibility, relative to its mean")
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
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure(figsize=(9.6, max(3.4, 1.6 + 0.3 * len(table))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    places = range(len(table))
    for column, colour, marker in (
        ("overlapping_share", PALETTE[0], "o"),
        ("orthogonal_share", PALETTE[3], "s"),
        ("unseen_share", PALETTE[1], "x"),
    ):
        style = {"linestyle": "none", "marker": marker, "markersize": 5, "color": colour}
        left.plot(100 * table[column], places, label=column.removesuffix("_share"), **style)
    left.set_yticks(places, table["backend"])
    left.set(ylim=(len(table) - 0.5, -0.5), xlabel="share of pairs, %", title="Pairs of the trial pool")
    left.set_xscale("symlog", linthresh=0.01)
    left.set_xlim(-0.001, max(0.02, 150 * table.filter(like="_share").to_numpy().max()))
    left.xaxis.set_major_formatter("{x:g}")
    left.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=3, fontsize=7)
    for place, (name, mine) in enumerate(radial.groupby("backend", sort=False)):
        seen = mine["visibility"] / mine["visibility"].mean()
        style = {"color": PALETTE[place % len(PALETTE)], "linestyle": DASHES[place // len(PALETTE) % len(DASHES)]}
        right.plot(mine["distance"], seen, label=name, **style)
    right.axhline(1, color=RULE, linewidth=0.8, zorder=0)
    if "variation" in table and table["variation"].max() > WIDE:
        right.set_yscale("log")
        right.yaxis.set_major_formatter("{x:g}")
        right.yaxis.set_minor_locator(NullLocator())
    right.set(title="What they see of a dimer", xlabel="distance, Å", ylabel="visibility, relative to its mean")
    if len(radial):
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=7)
    return figure
