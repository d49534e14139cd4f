"""Figures that compare pools, drawn from their tables alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gapdesign.report.style import DASHES, PALETTE, house_style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure


@house_style()
def shares_figure(quantiles: pd.DataFrame, labels: Mapping[str, str], *, environments: bool) -> Figure:
    """Draw the share of test members that lie farther than each distance from the nearest training one (KP figure 8).

    Parameters
    ----------
    quantiles
        The table of :func:`gapdesign.comparison.pools.quantiles`, for one training size.
    labels
        Pool to the name that is shown.
    environments
        Whether environments are compared rather than structures.
    """
    what = "environment" if environments else "candidate"
    names = [name for name in labels if (quantiles["test"] == name).any()]
    figure, panels = _panels(len(names), height=3.2)
    colours = dict(zip(labels, _colours(), strict=False))
    for panel, test in zip(panels, names, strict=True):
        for train in names:
            mine = quantiles[(quantiles["train"] == train) & (quantiles["test"] == test)]
            panel.plot(mine["distance"], 1 - mine["share"], color=colours[train], label=f"trained on {labels[train]}")
        distance = f"distance {'' if environments else 'D '}to the nearest training {what}"
        panel.set(yscale="log", title=f"tested on {labels[test]}", xlabel=distance)
        _logarithmic(panel.yaxis)
        if environments:
            least, most = quantiles.loc[quantiles["share"] > 0.02, "distance"].quantile([0.01, 1])
            panel.set(xscale="log", xlim=(max(least, 1e-3), most))
            _logarithmic(panel.xaxis)
    panels[0].set_ylabel(f"share of test {what}s that are farther")
    panels[0].legend()
    return figure


@house_style()
def histograms_figure(histograms: pd.DataFrame) -> Figure:
    """Draw the distribution of the first and of the last component in each pool (KP figures 4 to 7).

    Parameters
    ----------
    histograms
        The table of :func:`gapdesign.comparison.environments.histograms`.
    """
    components = sorted({1, int(histograms["component"].max())})
    figure, panels = _panels(len(components), height=3.0)
    pools = list(dict.fromkeys(histograms["pool"]))
    for panel, component in zip(panels, components, strict=True):
        for pool, style in zip(pools, _styles(), strict=False):
            mine = histograms[(histograms["pool"] == pool) & (histograms["component"] == component)]
            panel.stairs(mine["density"], [*mine["low"], mine["high"].iloc[-1]], label=pool, **style)
        panel.set(yscale="log", title=f"component {component}", xlabel="value")
        _logarithmic(panel.yaxis)
    panels[0].set_ylabel("density")
    panels[0].legend()
    return figure


@house_style()
def radial_figure(radial: pd.DataFrame) -> Figure:
    """Draw the radial distribution function of each pool (KP figure 2)."""
    figure, (panel,) = _panels(1, height=3.2, width=5.4)
    for (pool, mine), style in zip(radial.groupby("pool", sort=False), _styles(), strict=False):
        panel.plot(mine["distance"], mine["g"], label=pool, **style)
    panel.set(xlabel="distance, Å", ylabel="radial distribution function", xlim=(1, None), ylim=(0, None))
    panel.legend()
    return figure


@house_style()
def entropies_figure(entropies: pd.DataFrame) -> Figure:
    """Draw the entropies of the structures of each pool, sorted."""
    figure, (panel,) = _panels(1, height=3.0, width=5.4)
    for (pool, mine), style in zip(entropies.groupby("pool", sort=False), _styles(), strict=False):
        panel.ecdf(mine["entropy"], label=f"{pool}: mean {mine['entropy'].mean():.2f}", **style)
    panel.set(xlabel="entropy of a structure", ylabel="share of structures below")
    panel.legend()
    return figure


def _panels(count: int, *, height: float, width: float = 3.6) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count, height), layout="constrained")
    return figure, list(figure.subplots(1, count, sharey=True, squeeze=False)[0])


def _logarithmic(axis: Axis) -> None:
    """Write plain numbers at powers of ten: the style draws no mathematics."""
    from matplotlib.ticker import NullFormatter

    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _styles() -> Iterator[dict[str, object]]:
    for dashes in DASHES:
        yield from ({"color": colour, "linestyle": dashes} for colour in PALETTE)


def _colours() -> Iterator[str]:
    return (style["color"] for style in _styles())
