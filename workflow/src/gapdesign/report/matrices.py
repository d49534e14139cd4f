"""The n x n figures: every model (row) on every test set (column), as in BR's figures 5 and 6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.crossval.forces import AXES
from gapdesign.crossval.predictions import virial_columns
from gapdesign.report.style import INK, MUTED, error_colours, house_style
from gapdesign.report.words import number, shorten
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAGGER = "†"
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.75, 0.35, 0.55, 0.7  # inches around the panels


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What the panels show.

    Attributes
    ----------
    reference, predicted, error
        Columns of the points; the error is in thousandths of the unit of the others.
    name, axis
        Of one value and of what the errors are drawn against, for the axes.
    unit
        Of the values, without the thousandth of the error.
    middle, tail
        Columns of ``crossval/errors.csv``: the two numbers in each panel.
    lowest
        Lower end of the axis of errors, in units of its limit.
    """

    reference: str
    predicted: str
    error: str
    name: str
    axis: str
    unit: str
    middle: str
    tail: str
    lowest: float


ENERGY = Quantity(
    reference="reference_ev",
    predicted="predicted_ev",
    error="error_mev",
    name="energy",
    axis="reference energy",
    unit="eV/atom",
    middle="std_mev",
    tail="q99_mev",
    lowest=-1.08,
)
FORCE = Quantity(
    reference="reference_ev_a",
    predicted="predicted_ev_a",
    error="error_mev_a",
    name="component of force",
    axis="length of the reference force",
    unit="eV/Å",
    middle="rmse_force_mev_a",
    tail="q99_force_mev_a",
    lowest=-0.08,
)
VIRIAL = Quantity(
    reference="reference_virial_ev",
    predicted="predicted_virial_ev",
    error="error_virial_mev",
    name="component of virial",
    axis="component of the reference virial",
    unit="eV/atom",
    middle="rmse_virial_mev",
    tail="rmse_virial_mev",
    lowest=-1.08,
)


def virial_components(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the points of the parity of virials: a row per labelled component of ``crossval/predictions.csv``."""
    if predictions.empty:
        return predictions
    known = predictions[predictions[virial_columns("reference")].notna().all(axis=1)]
    reference, predicted = (known[virial_columns(kind)].to_numpy(float).ravel() for kind in ("reference", "predicted"))
    found = known.loc[known.index.repeat(len(VOIGT)), ["model", "test_set"]].reset_index(drop=True)
    values = {VIRIAL.reference: reference, VIRIAL.predicted: predicted, VIRIAL.error: 1000 * (predicted - reference)}
    return found.assign(**values)


def force_lengths(forces: pd.DataFrame) -> pd.DataFrame:
    """Return the points of the errors of forces: a row per atom of ``crossval/forces.csv``."""
    components = forces[[f"reference_{axis}_ev_a" for axis in AXES]].to_numpy(float)
    return forces.assign(reference_ev_a=np.linalg.norm(components, axis=1))


def force_components(forces: pd.DataFrame) -> pd.DataFrame:
    """Return the points of the parity of forces: a row per component of ``crossval/forces.csv``."""
    kinds = ("reference", "predicted")
    values = {
        f"{kind}_ev_a": forces[[f"{kind}_{axis}_ev_a" for axis in AXES]].to_numpy(float).ravel() for kind in kinds
    }
    same = forces[["model", "test_set", "error_mev_a"]]
    return same.loc[same.index.repeat(len(AXES))].reset_index(drop=True).assign(**values)


def models_and_tests(errors: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the models and the test sets of a table of errors, those of the models first, in the order they appear."""
    if not len(errors):
        return [], []
    models, tested = list(dict.fromkeys(errors["model"])), list(dict.fromkeys(errors["test_set"]))
    own = [name for name in models if name in tested]
    return models, [*own, *(name for name in tested if name not in own)]


def shared_pairs(duplicates: pd.DataFrame) -> set[tuple[str, str]]:
    """Return the (model, test set) pairs of unlike model and test set that share near-duplicate structures."""
    if not len(duplicates):
        return set()
    table = duplicates[(duplicates["n_duplicates"] > 0) & (duplicates["model"] != duplicates["test_set"])]
    return set(zip(table["model"], table["test_set"], strict=True))


def error_limit(errors: pd.DataFrame, quantity: Quantity = ENERGY) -> float:
    """Return the absolute error at which axes and colours end: beyond the largest quantile."""
    finite = errors[quantity.tail][np.isfinite(errors[quantity.tail])] if len(errors) else np.empty(0)
    return 1.25 * max(finite, default=0.0) or 1.0


@house_style()
def errors_figure(
    points: pd.DataFrame,
    errors: pd.DataFrame,
    duplicates: pd.DataFrame,
    quantity: Quantity = ENERGY,
    *,
    whole: pd.DataFrame | None = None,
) -> Figure:
    """Draw the errors of every model on every design (BR figure 6).

    Parameters
    ----------
    points
        The table ``crossval/predictions.csv``, or :func:`force_lengths`.
    errors
        The table ``crossval/errors.csv``: the panels' labels (standard deviation or root mean square, 0.99 quantile).
    duplicates
        The table ``crossval/duplicates.csv``: marked with a dagger, off the diagonal.
    quantity
        What the points are.
    whole
        The table ``crossval/errors.csv`` where the others are gathered by method: it sets the scale, and no panel is a
        fit.

    Returns
    -------
    matplotlib.figure.Figure
        All panels share both axes. Errors beyond the frame are drawn at its edge, and counted.
    """
    if len(errors) and points.empty:
        return _nothing(quantity)
    rows, columns = models_and_tests(errors)
    limit = error_limit(errors if whole is None else whole, quantity)
    figure, panels, size = _grid(rows, columns, _range(points, quantity), (quantity.lowest * limit, 1.55 * limit))
    statistics = errors.set_index(["model", "test_set"])
    shared = shared_pairs(duplicates)
    for (model, test_set), axes in panels.items():
        axes.axhline(0, color=MUTED, linewidth=0.5, zorder=1)
        _frame(axes, own=whole is None and model == test_set)
        if (model, test_set) in statistics.index:
            row = statistics.loc[(model, test_set)]
            mark = DAGGER if (model, test_set) in shared else ""
            label = f"{number(row[quantity.middle])} | {number(row[quantity.tail])}{mark}"
            axes.text(0.5, 0.97, label, ha="center", va="top", transform=axes.transAxes, zorder=5,
                      fontsize=8 if size > 1.2 else 6)  # fmt: skip
    _label(figure, panels, rows, columns, f"{quantity.axis}, {quantity.unit}", f"error, m{quantity.unit}")
    _note(figure, _clouds(figure, panels, points, quantity.error, limit, (-limit, limit), quantity))
    return figure


@house_style()
def parity_figure(
    points: pd.DataFrame, errors: pd.DataFrame, quantity: Quantity = ENERGY, *, whole: pd.DataFrame | None = None
) -> Figure:
    """Draw predicted against reference values (BR figure 5), coloured by the absolute error.

    Parameters
    ----------
    points
        The table ``crossval/predictions.csv``, or :func:`force_components`.
    errors
        The table ``crossval/errors.csv``, which sets the scale of the colours as in ``errors_figure``.
    quantity
        What the points are.
    whole
        As for :func:`errors_figure`.

    Returns
    -------
    matplotlib.figure.Figure
        All panels share both axes. Predictions beyond the frame are drawn at its edge, and counted.
    """
    if len(errors) and points.empty:
        return _nothing(quantity)
    rows, columns = models_and_tests(errors)
    limit = error_limit(errors if whole is None else whole, quantity)
    span = _range(points, quantity, margin=limit / 1000)
    figure, panels, _ = _grid(rows, columns, span, span)
    for (model, test_set), axes in panels.items():
        axes.plot(span, span, color=MUTED, linewidth=0.5, zorder=1)
        _frame(axes, own=whole is None and model == test_set)
    value = f"{quantity.name}, {quantity.unit}"
    _label(figure, panels, rows, columns, f"reference {value}", f"predicted {value}")
    _note(figure, _clouds(figure, panels, points, quantity.predicted, limit, span, quantity))
    if rows:
        _colour_bar(figure, limit)
    return figure


def _nothing(quantity: Quantity) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 1.2))
    text = f"no {quantity.name} to compare: none has a label, or symmetry holds all at zero"
    figure.text(0.5, 0.5, text, ha="center", va="center", color=MUTED)
    return figure


def _grid(
    rows: list[str], columns: list[str], x: tuple[float, float], y: tuple[float, float]
) -> tuple[Figure, dict[tuple[str, str], Axes], float]:
    """Lay out the panels, and return them with the length of their edge (inches)."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    count = max(1, len(columns))
    size = 3.2 if count == 1 else min(2.2, max(0.82, 8.6 / count))
    width, height = _LEFT + _RIGHT + size * count, _TOP + _BOTTOM + size * max(1, len(rows))
    figure = Figure(figsize=(width, height))
    if not rows:
        return figure, {}, size
    axes = figure.subplots(
        len(rows), count, squeeze=False, sharex=True, sharey=True,
        gridspec_kw={
            "left": _LEFT / width, "right": 1 - _RIGHT / width,
            "bottom": _BOTTOM / height, "top": 1 - _TOP / height,
            "wspace": 0.08 / size, "hspace": 0.08 / size,
        },
    )  # fmt: skip
    # Limits and ticks are shared: they are set once, because setting them on every panel would take seconds.
    axes[0, 0].set(xlim=x, ylim=y)
    axes[0, 0].xaxis.set_major_locator(MaxNLocator(3 if count <= 6 else 2))
    axes[0, 0].yaxis.set_major_locator(MaxNLocator(4))
    panels = {(model, test): axes[i, j] for i, model in enumerate(rows) for j, test in enumerate(columns)}
    return figure, panels, size


def _range(points: pd.DataFrame, quantity: Quantity, margin: float = 0.0) -> tuple[float, float]:
    """Return the range of the reference values, widened by ``margin`` within reason."""
    reference = points[quantity.reference].to_numpy(float) if len(points) else np.array([0.0, 1.0])
    extent = float(np.ptp(reference)) or 1.0
    margin = max(0.06 * extent, min(margin, 0.5 * extent))
    return float(reference.min()) - margin, float(reference.max()) + margin


def _clouds(
    figure: Figure,
    panels: dict[tuple[str, str], Axes],
    points: pd.DataFrame,
    column: str,
    limit: float,
    inside: tuple[float, float],
    quantity: Quantity,
) -> int:
    """Draw the points of all panels, the worst on top, and return how many lie beyond the frame or are not finite.

    They share one layer over the whole figure, in its coordinates, so that one picture holds them all: a
    picture per panel would take a minute for twelve designs, and vectors some megabytes.
    """
    if not panels or not len(points):
        return 0
    parts = []
    for panel, group in points.groupby(["model", "test_set"], sort=False):
        if panel in panels:
            axes = panels[panel]
            y = np.nan_to_num(group[column].to_numpy(float), nan=np.inf, posinf=np.inf)
            wrong = np.nan_to_num(np.abs(group[quantity.error].to_numpy(float)), nan=np.inf)
            ends = np.column_stack([group[quantity.reference].to_numpy(float), np.clip(y, *inside)])
            placed = figure.transFigure.inverted().transform(axes.transData.transform(ends))
            within = (y >= inside[0]) & (y <= inside[1])
            parts.append(np.column_stack([placed, np.minimum(wrong / limit, 1), within]))
    drawn = np.concatenate(parts)
    drawn = drawn[np.argsort(drawn[:, 2], kind="stable")]
    layer = figure.add_axes((0, 0, 1, 1), zorder=3, xlim=(0, 1), ylim=(0, 1), label="points")
    layer.axis("off")
    area = 8.0 if len(drawn) <= 300 * len(panels) else 4.0
    for size, marker, chosen in ((area, "o", drawn[:, 3] == 1), (14.0, "d", drawn[:, 3] == 0)):
        if chosen.any():
            colours = error_colours()(drawn[chosen, 2])
            layer.scatter(*drawn[chosen, :2].T, s=size, c=colours, marker=marker, linewidths=0, rasterized=True)
    return int(np.sum(drawn[:, 3] == 0))


def _frame(axes: Axes, *, own: bool) -> None:
    """Frame a panel, more heavily where a model is tested on its own design: the fit."""
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=1.1 if own else 0.5, edgecolor=INK if own else MUTED)
    axes.grid(visible=False)


def _label(
    figure: Figure, panels: dict[tuple[str, str], Axes], rows: list[str], columns: list[str], x: str, y: str
) -> None:
    width = 16 if len(columns) <= 5 else 10
    for axes in panels.values():
        axes.tick_params(left=False, bottom=False)
        axes.label_outer()
    for name in columns:
        panels[rows[0], name].set_title(shorten(name, width), loc="center", fontsize=8.5)
    for name in rows:
        side = panels[name, columns[-1]]
        side.annotate(
            shorten(name, width), (1, 0.5), (6, 0), xycoords="axes fraction", textcoords="offset points",
            rotation=-90, va="center", ha="left", fontsize=8.5,
        )  # fmt: skip
    wide, high = figure.get_size_inches()
    if rows:
        legend = "columns: test set, rows: model" if len(columns) > 1 else ""
        figure.text(_LEFT / wide, 1 - 0.18 / high, legend, fontsize=8, color=MUTED)
        figure.supxlabel(x, fontsize=8.5, y=0.24 / high, va="bottom")
        figure.supylabel(y, fontsize=8.5, x=0.06 / wide)


def _note(figure: Figure, beyond: int) -> None:
    if beyond:
        wide, high = figure.get_size_inches()
        text = f"{number(beyond)} beyond the frame, at its edge (diamonds)"
        figure.text(1 - _RIGHT / wide, 0.04 / high, text, ha="right", va="bottom", fontsize=7.5, color=MUTED)


def _colour_bar(figure: Figure, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    wide, high = figure.get_size_inches()
    bar = figure.add_axes((1 - (_RIGHT + 1.3) / wide, 1 - 0.17 / high, 1.0 / wide, 0.08 / high))
    mappable = ScalarMappable(Normalize(0, limit), error_colours())
    colours = figure.colorbar(mappable, cax=bar, orientation="horizontal", ticks=[])
    colours.solids.set_rasterized(True)
    colours.outline.set_visible(False)
    middle = 1 - 0.13 / high
    left, right = 1 - (_RIGHT + 1.36) / wide, 1 - (_RIGHT + 0.24) / wide
    figure.text(left, middle, "|error| 0", ha="right", va="center", fontsize=7.5)
    figure.text(right, middle, number(limit, 2), ha="left", va="center", fontsize=7.5)
