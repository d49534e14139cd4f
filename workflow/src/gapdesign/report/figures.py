"""The figures of a study, each drawn from saved tables and arrays alone.

``FIGURES`` names them; each takes a :class:`Results` and returns a figure. BR is Barzdajn & Race (2025).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods import is_baseline
from gapdesign.report.headline import worst_off_sample
from gapdesign.report.matrices import (
    FORCE,
    VIRIAL,
    errors_figure,
    force_components,
    force_lengths,
    parity_figure,
    virial_components,
)
from gapdesign.report.style import INK, MUTED, RULE, house_style, legend_below, line_styles, text_width
from gapdesign.report.words import MINUS, method_name, number, shorten
from gapdesign.structures import strain_magnitudes

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Results:
    """Tables and arrays that the figures are drawn from.

    Parameters
    ----------
    methods
        Design to method, in the order of the configuration.
    designs
        Design to its structures, in selection order.
    distances
        Design to the squared kernel distances D2 (0 to 2) of its pairs, as a matrix (n, n) or a row of pairs.
    errors, predictions, duplicates, forces
        The tables of ``crossval/``.
    """

    methods: Mapping[str, str]
    designs: Mapping[str, list[Atoms]]
    distances: Mapping[str, NDArray]
    errors: pd.DataFrame
    predictions: pd.DataFrame
    duplicates: pd.DataFrame
    forces: pd.DataFrame

    def strains(self) -> dict[str, NDArray]:
        """Return the strain magnitudes of each design's structures."""
        return {design: strain_magnitudes(frames) for design, frames in self.designs.items()}

    def ranks(self) -> dict[str, NDArray]:
        """Return, for each design, the kernel distance of each rank to the earlier ones."""
        return {design: selection_distances(frames) for design, frames in self.designs.items()}


def selection_distances(frames: list[Atoms]) -> NDArray:
    """Return the kernel distance of each rank to the earlier ones when picked; NaN where it is not recorded."""
    return np.array([float(atoms.info.get("distance", np.nan)) for atoms in frames])


def pair_values(distances: ArrayLike) -> NDArray:
    """Return every pair once: the part above the diagonal of a matrix, or the row of pairs as it is."""
    distances = np.asarray(distances, dtype=float)
    return distances[np.triu_indices(len(distances), 1)] if distances.ndim == 2 else distances


@house_style()
def distances_figure(
    distances: Mapping[str, NDArray], strains: Mapping[str, NDArray], methods: Mapping[str, str]
) -> Figure:
    """Draw how far apart a design's members are, and how strongly they are deformed (BR figure 4).

    Parameters
    ----------
    distances
        Design to squared kernel distances D2 (0 to 2), a matrix (n, n) or a row of pairs.
    strains
        Design to strain magnitudes; if all are empty, their panel is left out.
    methods
        Design to method.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    strained = {design: values for design, values in strains.items() if len(values)}
    panels = 2 if strained else 1
    figure = Figure(figsize=(9.6 if strained else 6.4, 3.5), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    pairs = {design: pair_values(values) for design, values in distances.items()}
    histograms(axes[0], pairs, PAIR_EDGES, methods)
    axes[0].set(title="Distances between the members of a design", xlim=(0, 2))
    axes[0].set(xlabel="squared kernel distance D²", ylabel="probability density")
    if strained:
        edges = strain_edges(strained)
        histograms(axes[1], strained, edges, methods)
        axes[1].set(title="Strain of the members", xlim=(0, edges[-1]))
        axes[1].set_xlabel(f"strain magnitude ‖F {MINUS} I‖")
    legend(figure, methods)
    return figure


PAIR_EDGES = np.linspace(0, 2, 41)
"""Edges of the bars of squared kernel distances."""


def strain_edges(strains: Mapping[str, NDArray]) -> NDArray:
    """Return the edges of the bars of strain magnitudes, which must not all be empty."""
    # A little headroom, so that equal deformations make a bar of finite width too.
    return np.linspace(0, max(float(np.max(values, initial=0.0)) for values in strains.values()) * 1.02 or 1.0, 31)


def density(data: NDArray, edges: NDArray) -> NDArray:
    """Return the heights of a histogram of unit area; the outer bars include values beyond the edges."""
    return np.histogram(np.clip(data, edges[0], edges[-1]), edges, density=True)[0]


def histograms(axes: Axes, values: Mapping[str, NDArray], edges: NDArray, methods: Mapping[str, str]) -> None:
    """Draw a histogram per design, in the order of ``methods``; the outer bars include values beyond the edges."""
    styles = line_styles(methods)
    for design in methods:
        data = values.get(design, np.empty(0))
        if len(data):
            heights = density(data, edges)
            axes.stairs(heights, edges, label=design, linewidth=1.4, **styles[design])
            axes.stairs(heights, edges, fill=True, alpha=0.07, color=styles[design]["color"])
    axes.set_ylim(bottom=0)
    axes.grid(axis="x", visible=False)


@house_style()
def ranks_figure(ranks: Mapping[str, NDArray], methods: Mapping[str, str]) -> Figure:
    """Draw the kernel distance of every rank to the earlier ones when it was picked.

    For a max-min design this is psi at its largest (BR figure 2), which can only fall.

    Parameters
    ----------
    ranks
        Design to distances (n,) in selection order. That of rank 0 refers to the pool's mean: not drawn.
    methods
        Design to method.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator, StrMethodFormatter

    figure = Figure(figsize=(6.8, 3.5), layout="constrained")
    axes = figure.subplots()
    styles = line_styles(methods)
    lengths = [2]
    # Random designs jump up and down: they go underneath.
    for design in sorted(methods, key=lambda name: not is_baseline(methods[name])):
        drawn = np.asarray(ranks.get(design, ()), dtype=float)[1:]
        thin = {"linewidth": 0.8, "alpha": 0.75} if is_baseline(methods[design]) else {}
        mark = {"marker": "o", "markersize": 2.5} if len(drawn) < 15 else {}
        axes.plot(1 + np.arange(len(drawn)), drawn, **styles[design], **thin, **mark)
        lengths.append(len(drawn))
    axes.set(title="Distance to the earlier ranks when picked", xlabel="rank", ylabel="kernel distance D")
    axes.set_xscale("log")
    top = max(lengths)
    axes.set_xlim(1, top)
    axes.set_xticks([tick for tick in _ticks_of_ranks(top) if tick <= top])
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    legend(figure, methods)
    return figure


def _ticks_of_ranks(top: int) -> list[int]:
    return [base * 10**power for power in range(len(str(top))) for base in (1, 2, 5)]


def legend(figure: Figure, methods: Mapping[str, str]) -> None:
    """Name the line of every design below a figure."""
    from matplotlib.lines import Line2D

    styles = line_styles(methods)
    handles = [
        Line2D([], [], **styles[design], label=f"{shorten(design, 18)} ({method_name(method)})")
        for design, method in methods.items()
    ]
    legend_below(figure, handles, handlelength=2.6)


@house_style()
def worst_figure(errors: pd.DataFrame, methods: Mapping[str, str]) -> Figure:
    """Draw each model's worst off-sample 0.99 quantile, grouped by the method that made its design.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    methods
        Design to method.

    Returns
    -------
    matplotlib.figure.Figure
        A row per model: a large dot at its worst test set, with name and number, small ones at the other
        off-sample test sets, and a vertical tick at its fit.
    """
    from matplotlib.figure import Figure

    worst = worst_off_sample(errors).set_index("model")
    models = [design for design in methods if design in worst.index]
    models.sort(key=lambda design: list(dict.fromkeys(methods.values())).index(methods[design]))
    texts = {model: _worst_text(*worst.loc[model, ["q99_mev", "test_set"]]) for model in models}
    labels = [f"{shorten(model, 18)} ({method_name(methods[model])})" for model in models]
    beside = max((text_width(label, 8.5) for label in labels), default=0.0)
    behind = max((text_width(text, 8) for text in texts.values()), default=0.0)
    width = max(5.2, beside + behind + 2.6)
    figure = Figure(figsize=(width, 0.85 + 0.36 * max(1, len(models))), layout="constrained")
    axes = figure.subplots()
    styles = line_styles(methods)
    finite = errors["q99_mev"][np.isfinite(errors["q99_mev"])] if len(errors) else np.empty(0)
    highest = max(finite, default=0.0) or 1.0
    room = width - beside - 0.3
    end = highest * max(1.42, room / (room - behind - 0.25))
    for row, model in enumerate(models):
        colour = styles[model]["color"]
        of_model = errors[errors["model"] == model].set_index("test_set")["q99_mev"]
        value = worst.loc[model, "q99_mev"]
        off = of_model[of_model.index != model]
        axes.plot([0, value], [row, row], color=RULE, linewidth=1, zorder=1)
        axes.plot(off, [row] * len(off), "o", color=colour, markersize=3.5, alpha=0.45, markeredgewidth=0, zorder=2)
        if model in of_model.index:
            axes.plot([of_model[model]], [row], "|", color=MUTED, markersize=9, zorder=2)
        axes.plot([value], [row], "o", color=colour, markersize=8, zorder=3)
        axes.annotate(texts[model], (value if np.isfinite(value) else 0, row), (8, 0), textcoords="offset points",
                      va="center", color=INK, fontsize=8)  # fmt: skip
    axes.set_yticks(range(len(models)), labels, color=INK)
    if not models:
        axes.text(0.5, 0.5, "no off-sample test", transform=axes.transAxes, ha="center", va="center", color=MUTED)
    axes.set(xlim=(0, end), ylim=(len(models) - 0.4, -0.6))
    axes.set_xlabel("0.99 quantile of |error|, meV/atom")
    axes.tick_params(axis="y", length=0, labelsize=8.5)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    return figure


def _worst_text(value: float, test_set: str) -> str:
    return f"{number(value)} on {shorten(str(test_set), 18)}" if np.isfinite(value) else "not finite"


FIGURES: dict[str, Callable[[Results], Figure]] = {
    "worst": lambda results: worst_figure(results.errors, results.methods),
    "distances": lambda results: distances_figure(results.distances, results.strains(), results.methods),
    "ranks": lambda results: ranks_figure(results.ranks(), results.methods),
    "errors": lambda results: errors_figure(results.predictions, results.errors, results.duplicates),
    "parity": lambda results: parity_figure(results.predictions, results.errors),
    "force_errors": lambda results: errors_figure(
        force_lengths(results.forces), results.errors, results.duplicates, FORCE
    ),
    "force_parity": lambda results: parity_figure(force_components(results.forces), results.errors, FORCE),
    "virial_parity": lambda results: parity_figure(virial_components(results.predictions), results.errors, VIRIAL),
}
"""The figures of a study by name; ``results/<study>/figures/<name>.svg`` and ``.pdf``."""


def draw(results: Results) -> dict[str, Figure]:
    """Draw all figures, by name, in the order of ``FIGURES``."""
    return {name: make(results) for name, make in FIGURES.items()}


def distances_table(
    distances: Mapping[str, NDArray], strains: Mapping[str, NDArray], methods: Mapping[str, str]
) -> pd.DataFrame:
    """Return the bars of :func:`distances_figure`: design, quantity (D2, strain), edges (low, high) and height."""
    import pandas as pd

    pairs = {design: pair_values(values) for design, values in distances.items()}
    strained = {design: values for design, values in strains.items() if len(values)}
    drawn = [("D2", pairs, PAIR_EDGES), *([("strain", strained, strain_edges(strained))] if strained else [])]
    parts = [
        pd.DataFrame({"design": design, "quantity": quantity, "low": edges[:-1], "high": edges[1:],
                      "density": density(values[design], edges)})
        for quantity, values, edges in drawn for design in methods if len(values.get(design, ()))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def ranks_table(ranks: Mapping[str, NDArray]) -> pd.DataFrame:
    """Return the data of :func:`ranks_figure`: design, rank and distance, a row per structure."""
    import pandas as pd

    parts = [
        pd.DataFrame({"design": design, "rank": range(len(values)), "distance": values})
        for design, values in ranks.items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


TABLES: dict[str, Callable[[Results], pd.DataFrame]] = {
    "distances": lambda results: distances_table(results.distances, results.strains(), results.methods),
    "ranks": lambda results: ranks_table(results.ranks()),
}
"""Data of figures that no other table holds; ``results/<study>/figures/<name>.csv``."""
