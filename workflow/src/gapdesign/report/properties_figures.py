"""The figures of properties, drawn from their saved tables alone: every model beside the reference engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.properties.compare import REFERENCE
from gapdesign.report.figures import legend_labels
from gapdesign.report.gathered import by_method
from gapdesign.report.style import GREY, MUTED, RULE, are_many, house_style, legend_below, line_styles
from gapdesign.report.words import MINUS, method_name, shorten

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZED = ("GPa", "Å", "Å³/atom")
"""Units of properties whose errors make sense as a share of the value."""

MARKERS = "os^DvPX*"
"""Marks of the models, distinct even without colour."""

WIDEST = 60.0
"""Error, in percent, beyond which a dot is drawn at the edge."""


def names(compute: Sequence[str]) -> list[str]:
    """Return the names of the figures of the computed properties."""
    shares = ["constants"] if {"lattice", "volumes", "elastic"} & set(compute) else []
    return [*shares, *(name for name in FIGURES if name in compute)]


@house_style()
def constants_figure(values: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw the error of every lattice constant, volume and modulus as a share of the reference's or published value.

    Parameters
    ----------
    values
        The table ``properties.csv``.
    methods
        Design to method.

    Returns
    -------
    matplotlib.figure.Figure
        A row per property of a crystal, a dot per model.
    """
    from matplotlib.figure import Figure

    rows = values[values["unit"].isin(SIZED) & values["value"].notna() & values["model"].isin(methods)]
    rows = rows[~rows["property"].isin(["length"])]
    measure = "reference" if rows["reference"].notna().any() else "published"
    rows = rows[rows[measure].notna()]
    order = list(dict.fromkeys(rows["prototype"]))
    places = list(dict.fromkeys(zip(rows["prototype"], rows["property"], strict=True)))
    places.sort(key=lambda place: order.index(place[0]))
    figure = Figure(figsize=(6.8, 1.0 + 0.2 * max(4, len(places))), layout="constrained")
    axes = figure.subplots()
    styles, labels, many = line_styles(methods), legend_labels(methods), are_many(methods)
    places_of = {method: place for place, method in enumerate(by_method(methods))}
    for number, model in enumerate(methods):
        place = places_of[methods[model]] if many else number
        mine = rows[rows["model"] == model]
        share = 100 * (mine["value"] - mine[measure]) / mine[measure].abs()
        heights = np.array([places.index(place) for place in zip(mine["prototype"], mine["property"], strict=True)])
        # Of many, each method has a line of its own within the row.
        aside = 0.6 * ((place + 0.5) / len(places_of) - 0.5) if many else 0.0
        axes.plot(np.clip(share, -WIDEST, WIDEST), heights + aside, MARKERS[place % len(MARKERS)],
                  markersize=3 if many else 4.5, alpha=0.6 if many else 0.85, color=styles[model]["color"],
                  markeredgewidth=0, zorder=3, label=labels.get(model, ""))  # fmt: skip
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)
    axes.set_yticks(range(len(places)), [" ".join(place) for place in places])
    axes.set(ylim=(max(1, len(places)) - 0.4, -0.6), xlabel=f"error against {_against(measure)}, %")
    axes.set_xlim(-1.08 * WIDEST, 1.08 * WIDEST)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    for k in range(1, len(places)):
        if places[k][0] != places[k - 1][0]:
            axes.axhline(k - 0.5, color=RULE, linewidth=0.6)
    if len(rows):
        handles = [handle for handle in axes.get_legend_handles_labels()[0] if handle.get_label()]
        legend_below(figure, handles, handletextpad=0.3)
    return figure


def _against(measure: str) -> str:
    return "the reference engine" if measure == "reference" else "published values"


def volumes_figure(curves: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw energy against volume, a panel per crystal, relative to each potential's own first crystal."""
    curves = curves.copy()
    for _, mine in curves.groupby("model"):
        first = mine["prototype"].iloc[0]
        curves.loc[mine.index, "y"] = 1000 * (mine["y"] - mine["y"][mine["prototype"] == first].min())
    return _panels(curves, methods, "volume, Å³/atom", "energy, meV/atom", marker="o", markersize=2.5)


def dimer_figure(curves: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw the energy of two atoms against their distance, a panel per pair of elements."""

    def finish(axes: Axes, mine: pd.DataFrame) -> None:
        depth = -mine["y"].min()
        axes.set_ylim(-1.15 * depth - 0.2, 1.5 * depth + 1)

    return _panels(curves, methods, "distance, Å", "energy above two atoms, eV", finish)


def phonons_figure(curves: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw the phonon bands, a panel per crystal and model, or method; each path is scaled to the same length."""
    import pandas as pd

    panels = []
    for prototype, mine in curves.groupby("prototype", sort=False):
        mine = mine.assign(x=mine["x"] / mine.groupby("model")["x"].transform("max"))
        models = [model for model in dict.fromkeys(mine["model"]) if model != REFERENCE]
        together = {shorten(model, 18): [model] for model in models or [REFERENCE]}
        if are_many(methods):
            groups = by_method({model: methods[model] for model in models})
            together = {method_name(method): designs for method, designs in groups.items()} or together
        for name, designs in together.items():
            rows = mine[mine["model"].isin([*designs, REFERENCE])]
            panels.append(rows.assign(prototype=f"{prototype}, {name}"))
    curves = pd.concat(panels, ignore_index=True) if panels else curves

    def finish(axes: Axes, mine: pd.DataFrame) -> None:
        one = mine[(mine["model"] == mine["model"].iloc[0]) & (mine["branch"] == 0) & (mine["label"] != "")]
        ticks = one.groupby("x", sort=True)["label"].agg("|".join)  # two where the path jumps
        axes.set_xticks(ticks.index, [name.replace("G", "Γ") for name in ticks])
        axes.set_xlim(0, 1)
        axes.axhline(0, color=MUTED, linewidth=0.6)

    return _panels(curves, methods, "", f"frequency, THz ({MINUS}: imaginary)", finish)


def nve_figure(curves: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw the total energy along the run at constant energy, a panel per crystal."""
    return _panels(curves, methods, "time, fs", "change of the total energy, meV/atom")


FIGURES: dict[str, Callable[[pd.DataFrame, Mapping[str, str]], Figure]] = {
    "volumes": volumes_figure,
    "dimer": dimer_figure,
    "phonons": phonons_figure,
    "nve": nve_figure,
}
"""Figures by the name of their curve; each takes the rows of that curve and design to method."""


@house_style()
def _panels(
    curves: pd.DataFrame,
    methods: Mapping[str, str],
    across: str,
    up: str,
    finish: Callable[[Axes, pd.DataFrame], None] = lambda axes, mine: None,
    **marks: object,
) -> Figure:
    """Draw a panel per crystal or pair, a line per model and branch, and the reference as a broad grey line below."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    shown = list(dict.fromkeys(curves["prototype"])) or [""]
    columns = 2 if len(shown) == 4 else min(3, len(shown))
    lines = -(-len(shown) // columns)
    width = {1: 6.4, 2: 8.4}.get(columns, 9.6)
    figure = Figure(figsize=(width, 2.9 * lines + 0.5), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    styles = {REFERENCE: {"color": GREY, "linewidth": 3.2, "alpha": 0.7}}
    thin = {"linewidth": 0.7, "alpha": 0.6, "linestyle": "-"} if are_many(methods) else {"linewidth": 1.1}
    styles |= {name: style | thin for name, style in line_styles(methods).items()}
    for axes in panels.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, prototype in zip(panels.flat, shown, strict=False):
        mine = curves[curves["prototype"] == prototype]
        for (model, _), line in mine.groupby(["model", "branch"], sort=False):
            jumps = np.flatnonzero(np.diff(line["x"]) == 0) + 1
            x, y = (np.insert(line[name].to_numpy(dtype=float), jumps, np.nan) for name in "xy")
            axes.plot(x, y, **styles[model], **marks, zorder=1 if model == REFERENCE else 2)
        if len(mine):
            finish(axes, mine)
        axes.set(title=prototype, xlabel=across)
    for row in panels:
        row[0].set_ylabel(up)
    present = {name: methods.get(name, "") for name in styles if (curves["model"] == name).any()}
    labels = {REFERENCE: "reference engine"} | legend_labels(methods)
    bold = {"linewidth": 1.4, "alpha": 1} if are_many(methods) else {}
    handles = [
        Line2D([], [], **styles[name] | (bold if name in methods else {}), label=labels[name])
        for name in present
        if name in labels
    ]
    legend_below(figure, handles, most=2 + columns, handlelength=2.6)
    return figure


def draw(values: pd.DataFrame, curves: pd.DataFrame, *, methods: Mapping[str, str]) -> dict[str, Figure]:
    """Draw all figures of properties.

    Parameters
    ----------
    values, curves
        The tables ``properties.csv`` and ``properties/curves.csv``.
    methods
        Design to method.

    Returns
    -------
    dict
        Figures by name: ``constants``, ``volumes``, ``dimer``, ``phonons`` and ``nve``.
    """
    figures = {"constants": constants_figure(values, methods)}
    return figures | {name: make(curves[curves["curve"] == name], methods) for name, make in FIGURES.items()}
