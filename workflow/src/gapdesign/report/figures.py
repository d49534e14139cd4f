"""The figures of a study, each drawn from saved tables and arrays alone.

``FIGURES`` names them; each takes a :class:`Results` and returns a figure. BR is Barzdajn & Race (2025).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.methods import is_baseline
from gapdesign.report.gathered import by_method, gathered, gathered_errors, mean
from gapdesign.report.headline import worst_off_sample
from gapdesign.report.matrices import (
    ENERGY,
    FORCE,
    VIRIAL,
    Quantity,
    errors_figure,
    force_components,
    force_lengths,
    parity_figure,
    virial_components,
)
from gapdesign.report.style import INK, MUTED, PAPER, RULE, are_many, house_style, legend_below, line_styles, text_width
from gapdesign.report.words import MINUS, count, method_name, number, shorten
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
    """Draw a histogram per design, in the order of ``methods``; the outer bars include values beyond the edges.

    Of many designs, one per method is drawn: the mean over its designs, in a band from the lowest to the highest.
    """
    heights = {design: density(values[design], edges) for design in methods if len(values.get(design, ()))}
    styles = line_styles(methods)
    if are_many(methods):
        for designs in by_method(methods).values():
            if drawn := [heights[design] for design in designs if design in heights]:
                style = styles[designs[0]]
                low, high = np.min(drawn, axis=0), np.max(drawn, axis=0)
                axes.stairs(high, edges, baseline=low, fill=True, alpha=0.2, color=style["color"])
                axes.stairs(np.mean(drawn, axis=0), edges, linewidth=1.4, **style)
    else:
        for design, bars in heights.items():
            axes.stairs(bars, edges, label=design, linewidth=1.4, **styles[design])
            axes.stairs(bars, edges, fill=True, alpha=0.07, color=styles[design]["color"])
    axes.set_ylim(bottom=0)
    axes.grid(axis="x", visible=False)


def medians(
    axes: Axes,
    drawn: Mapping[str, tuple[ArrayLike, ArrayLike]],
    methods: Mapping[str, str],
    *,
    unbanded: Collection[str] = (),
    **options: Any,
) -> None:
    """Draw a line per method, random ones underneath: the median over its designs, in a band from lowest to highest.

    Parameters
    ----------
    drawn
        Design to abscissae and ordinates.
    methods
        Design to method.
    unbanded
        Methods without a band.
    options
        Of :meth:`matplotlib.axes.Axes.plot`.
    """
    styles = line_styles(methods)
    for method, designs in sorted(by_method(methods).items(), key=lambda group: not is_baseline(group[0])):
        present = [
            tuple(np.asarray(values, dtype=float) for values in drawn[name]) for name in designs if name in drawn
        ]
        along = np.unique(np.concatenate([x for x, _ in present])) if present else np.empty(0)
        rows = np.full((len(present), len(along)), np.nan)
        for row, (x, y) in zip(rows, present, strict=True):
            row[np.searchsorted(along, x)] = y
        known = np.isfinite(rows).any(axis=0)
        if known.any():
            along, rows, style = along[known], rows[:, known], styles[designs[0]]
            if method not in unbanded:
                low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
                axes.fill_between(along, low, high, color=style["color"], alpha=0.2, linewidth=0)
            axes.plot(along, np.nanmedian(rows, axis=0), **style | options)


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
    drawn = {design: np.asarray(ranks.get(design, ()), dtype=float)[1:] for design in methods}
    lengths = [2, *map(len, drawn.values())]
    if are_many(methods):
        medians(axes, {design: (1 + np.arange(len(values)), values) for design, values in drawn.items()}, methods)
    else:
        styles = line_styles(methods)
        # Random designs jump up and down: they go underneath.
        for design in sorted(methods, key=lambda name: not is_baseline(methods[name])):
            values = drawn[design]
            thin = {"linewidth": 0.8, "alpha": 0.75} if is_baseline(methods[design]) else {}
            mark = {"marker": "o", "markersize": 2.5} if len(values) < 15 else {}
            axes.plot(1 + np.arange(len(values)), values, **styles[design], **thin, **mark)
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
    """Name the line of every design, or of many designs that of every method, below a figure."""
    from matplotlib.lines import Line2D

    styles = line_styles(methods)
    handles = [Line2D([], [], **styles[design], label=label) for design, label in legend_labels(methods).items()]
    legend_below(figure, handles, handlelength=2.6)


def legend_labels(methods: Mapping[str, str]) -> dict[str, str]:
    """Return the words for every design; of many designs, for the first of every method."""
    if are_many(methods):
        groups = by_method(methods).items()
        return {designs[0]: f"{method_name(method)} ({count(len(designs), 'design')})" for method, designs in groups}
    return {design: f"{shorten(design, 18)} ({method_name(method)})" for design, method in methods.items()}


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
        off-sample test sets, and a vertical tick at its fit. Of many designs, a dashed line for each method at the
        geometric mean of its large dots.
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
    many = are_many(methods)
    figure = Figure(figsize=(width, 0.85 + (0.24 if many else 0.36) * max(1, len(models))), layout="constrained")
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
        under = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5} if many else None
        axes.annotate(texts[model], (value if np.isfinite(value) else 0, row), (8, 0), textcoords="offset points",
                      va="center", color=INK, fontsize=8, bbox=under)  # fmt: skip
    for designs in by_method(methods).values() if many else ():
        places = [place for place, model in enumerate(models) if model in designs]
        if places and np.isfinite(middle := mean(worst["q99_mev"][[models[place] for place in places]])):
            ends = places[0] - 0.5, places[-1] + 0.5
            axes.plot([middle] * 2, ends, "--", color=styles[designs[0]]["color"], linewidth=1, zorder=1.5)
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


def _errors(points: pd.DataFrame, results: Results, quantity: Quantity = ENERGY) -> Figure:
    """Draw the errors of models on test sets; of many designs, those of methods."""
    errors, methods = results.errors, results.methods
    if not are_many(methods):
        return errors_figure(points, errors, results.duplicates, quantity)
    means, unmarked = gathered_errors(errors, methods), results.duplicates.iloc[:0]
    return errors_figure(gathered(points, errors, methods), means, unmarked, quantity, whole=errors)


def _parity(points: pd.DataFrame, results: Results, quantity: Quantity = ENERGY) -> Figure:
    """Draw what models predict for test sets; of many designs, those of methods."""
    errors, methods = results.errors, results.methods
    if not are_many(methods):
        return parity_figure(points, errors, quantity)
    means = gathered_errors(errors, methods)
    return parity_figure(gathered(points, errors, methods), means, quantity, whole=errors)


FIGURES: dict[str, Callable[[Results], Figure]] = {
    "worst": lambda results: worst_figure(results.errors, results.methods),
    "distances": lambda results: distances_figure(results.distances, results.strains(), results.methods),
    "ranks": lambda results: ranks_figure(results.ranks(), results.methods),
    "errors": lambda results: _errors(results.predictions, results),
    "parity": lambda results: _parity(results.predictions, results),
    "force_errors": lambda results: _errors(force_lengths(results.forces), results, FORCE),
    "force_parity": lambda results: _parity(force_components(results.forces), results, FORCE),
    "virial_parity": lambda results: _parity(virial_components(results.predictions), results, VIRIAL),
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
