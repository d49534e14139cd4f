"""Compare features by the designs that they chose: a table and two figures, from the tables of the replay.

python config/studies/si-surfaces/draw.py errors.csv surface_energies.csv features.csv errors.svg surface_energies.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from gapdesign.files import read_csv, write_csv, write_text
from gapdesign.replay.fits import judged
from gapdesign.report.style import BASELINE, INK, PALETTE, house_style, legend_below, svg_text

METHODS = {"K-MEDOIDS": "k-medoids", "BAYESIAN": "Bayesian", "FPS": "farthest-point"}
MEASURES = {
    "energy": "energy error (meV/atom)",
    "force": "force error (meV/Å)",
    "100": "error of (100) (J/m²)",
    "111": "error of (111) (J/m²)",
}
PLACE = ["design", "budget", "draw"]
SCALED = "-scaled"


def compared(errors: pd.DataFrame, surfaces: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each potential: features, method, budget, draw, and the columns of :data:`MEASURES`.

    Only the first draws of random designs have surface energies. Potentials of no candidate and of all are left out.
    """
    rows = judged(errors, "core").query("design != ''").set_index(PLACE)
    table = rows[["energy_rmse_mev", "force_rmse_mev"]].set_axis(["energy", "force"], axis="columns")
    planes = surfaces.query("design != ''").pivot(index=PLACE, columns="plane", values="error")
    table = table.join(planes.set_axis(planes.columns.astype(str), axis="columns")).reset_index()
    names = table["design"].str.extract(f"(?:(?P<features>.*)-)?(?P<method>{'|'.join(METHODS)}|RANDOM)$")
    return pd.concat([names.fillna({"features": ""}), table.drop(columns="design")], axis="columns")


@house_style()
def figure(table: pd.DataFrame, measures: list[str]) -> Figure:
    """Draw measures against the budget, a column of panels for each method; random designs are a band in each."""
    drawn = Figure(figsize=(10.4, 6.2), layout="constrained")
    styles = _styles(table)
    chance = table[table["method"] == "RANDOM"]
    for row, measure in zip(drawn.subplots(len(measures), len(METHODS), sharey="row"), measures, strict=True):
        for axes, (method, title) in zip(row, METHODS.items(), strict=True):
            low, middle, high = (chance.groupby("budget")[measure].quantile(share) for share in (0.05, 0.5, 0.95))
            axes.fill_between(middle.index, low, high, color=BASELINE, alpha=0.2, linewidth=0)
            axes.plot(middle, color=BASELINE)
            for features, own in table[table["method"] == method].groupby("features"):
                axes.plot(own["budget"], own[measure], marker=".", markersize=5, **styles[features])
            axes.set(title=f"{title}: {MEASURES[measure]}", xscale="log", xlabel="surfaces trained on")
            axes.set_xticks(middle.index, [str(budget) for budget in middle.index])
            axes.xaxis.set_minor_locator(NullLocator())
            if measure in ("energy", "force"):
                axes.set_yscale("log")
                ticks = [2, 3, 5, 10, 20, 50] if measure == "energy" else [150, 200, 250, 300, 400]
                axes.set_yticks(ticks, [str(tick) for tick in ticks])
                axes.yaxis.set_minor_locator(NullLocator())
            else:
                axes.axhline(0.0, color=INK, linewidth=0.6)
    handles = [Line2D([], [], label=features, **style) for features, style in styles.items()]
    legend_below(drawn, [*handles, Line2D([], [], color=BASELINE, label="random")], most=6)
    return drawn


def _styles(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the line of each features: scaled components have the colour of the raw ones, and dashes."""
    names = [name for name in table["features"].unique() if name]
    raw = [name for name in names if not name.endswith(SCALED)]
    return {
        name: {
            "color": PALETTE[raw.index(name.removesuffix(SCALED))],
            "linestyle": "--" if name.endswith(SCALED) else "-",
        }
        for name in names
    }


def main(errors: Path, surfaces: Path, output: Path, *figures: Path) -> None:
    """Write the table and the figures."""
    table = compared(read_csv(errors), read_csv(surfaces))
    write_csv(output, table)
    for path, measures in zip(figures, (["energy", "force"], ["100", "111"]), strict=True):
        write_text(path, svg_text(figure(table, measures)))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
