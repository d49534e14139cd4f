"""The steps of the study `transfer`, which its Snakefile runs.

python transfer.py configure study.yaml part budget changes output.yaml
python transfer.py split frames.extxyz pool.extxyz test.extxyz
python transfer.py test study.yaml kind budget design.extxyz isolated.extxyz test.extxyz output.csv
python transfer.py compare errors.csv gains.csv gains.svg test.csv ...
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from scipy.stats import t as student

from gapdesign import cli
from gapdesign.errors import InputError
from gapdesign.files import read_csv, read_frames, write_csv, write_frames, write_text
from gapdesign.inputs.sanity import is_isolated
from gapdesign.models import MODELS
from gapdesign.report.style import BASELINE, PALETTE, house_style, legend_below, plain_logarithms, svg_text

MEASURES = {"rmse_mev": "energies", "max_mev": "worst energies", "rmse_force_mev_a": "forces"}
"""Columns of the tests that designs are compared by."""

PLACE = ["set", "kind", "features", "budget"]


def configure(study: Path, part: str, budget: str, changes: str, output: Path) -> None:
    """Write the study that chooses and labels by other features, or the one that labels the test set (`test`)."""
    given = yaml.safe_load(study.read_text(encoding="utf-8"))
    for key, value in json.loads(changes).items():
        given[key] = value if key == "kernel" else given.get(key, {}) | value
    given |= {"study": f"{given['study']}-{part}", "budget": int(budget)}
    pool, tested = given["pools"]["names"].pop(), part == "test"
    if tested:
        given["pools"]["names"] = [pool]
        given["designs"] = {"TEST": {"pool": pool, "method": "random"}}
    else:
        given["pools"].get("overrides", {}).pop(pool, None)
    write_text(output, yaml.safe_dump(given, sort_keys=False))


def split(frames: Path, pool: Path, tests: Path) -> None:
    """Keep every sixth structure for the test."""
    whole = [atoms for atoms in read_frames(frames) if not is_isolated(atoms)]
    write_frames(tests, whole[::6])
    write_frames(pool, [atoms for k, atoms in enumerate(whole) if k % 6])


def test(study: Path, kind: str, budget: str, labels: Path, isolated: Path, tests: Path, output: Path) -> None:
    """Fit a model to the first structures of a labelled design, and write its errors on the test set."""
    from gapdesign.crossval.errors import errors
    from gapdesign.crossval.forces import Forces

    frames = read_frames(labels)
    if len(frames) < int(budget):
        raise InputError(f"{labels}: only {len(frames)} structures have a label, not {budget}; see labels/failed.csv.")
    with tempfile.TemporaryDirectory() as name:
        folder, model = Path(name), MODELS[kind]
        design, files = folder / labels.name, [str(folder / file) for file in model.files]
        write_frames(design, frames[: int(budget)])
        found, made, forces = (str(folder / file) for file in ("hyperparameters.json", "predictions.csv", "forces.npz"))
        given = ["--config", str(study), "--kind", kind, "--labels", str(design), "--isolated", str(isolated)]
        run("hyperparameters", *given, "--output", found)
        run("fit", *given, "--hyperparameters", found, "--output", *files)
        of = ["--kind", kind, "--model", labels.stem, "--potential", files[0], "--labels", str(tests)]
        run("predict", *of, "--output", made, "--output-forces", forces)
        table = errors(read_csv(Path(made)), Forces.read(Path(forces)))
    write_csv(output, table)


def run(*arguments: str) -> None:
    """Run a verb; stop where it fails."""
    if status := cli.main(arguments):
        sys.exit(status)


def compare(errors: Path, gains: Path, figure: Path, *tests: Path) -> None:
    """Collect the tests, compare the designs, and draw the comparison."""
    rows = []
    for path in tests:
        features, design, budget = path.stem.rsplit("-", 2)
        place = {"set": path.parts[-3], "kind": path.parts[-2], "features": features, "design": design}
        rows.append(read_csv(path).drop(columns=["model", "test_set"]).assign(**place, budget=int(budget)))
    table = pd.concat(rows, ignore_index=True)
    table.loc[table["design"].str.startswith("RND"), "features"] = "random"
    write_csv(errors, table[[*PLACE, "design", *(name for name in table if name not in {*PLACE, "design"})]])
    compared = gains_of(table)
    write_csv(gains, compared)
    write_text(figure, svg_text(drawn(compared)))


def gains_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return by how much random designs err more than max-min ones: ratios of geometric means over the designs.

    Intervals hold the ratio of an endless number of designs with a probability of 95 %, if logarithms of errors are
    normal: Welch's, with another variance on each side.
    """
    rows = []
    for (name, kind, budget), own in table.groupby(["set", "kind", "budget"], sort=False):
        for column, measure in MEASURES.items():
            logs = {features: np.log(part[column].to_numpy()) for features, part in own.groupby("features", sort=False)}
            random = logs.pop("random")
            for features, chosen in logs.items():
                low, middle, high = interval(random, chosen)
                place = {"set": name, "kind": kind, "features": features, "budget": budget, "measure": measure}
                means = {"error": np.exp(chosen.mean()), "random_error": np.exp(random.mean())}
                rows.append(place | means | {"gain": middle, "low": low, "high": high})
    return pd.DataFrame(rows)


def interval(above: np.ndarray, below: np.ndarray) -> tuple[float, float, float]:
    """Return the ratio of the geometric means of two samples of logarithms, between the ends of its interval."""
    parts = np.array([sample.var(ddof=1) / len(sample) for sample in (above, below)])
    freedom = parts.sum() ** 2 / (parts**2 / [len(above) - 1, len(below) - 1]).sum()
    reach = student.ppf(0.975, freedom) * np.sqrt(parts.sum())
    middle = above.mean() - below.mean()
    return tuple(np.exp([middle - reach, middle, middle + reach]))


@house_style()
def drawn(gains: pd.DataFrame) -> Figure:
    """Draw gains with their intervals: a row of panels for each measure, a column for each set."""
    sets, features = list(gains["set"].unique()), list(gains["features"].unique())
    kinds = list(gains["kind"].unique())
    figure = Figure(figsize=(3.2 * len(sets) + 1, 3.2 * len(MEASURES)), layout="constrained")
    panels = figure.subplots(len(MEASURES), len(sets), sharey="row", squeeze=False)
    for row, measure in zip(panels, MEASURES.values(), strict=True):
        for axes, name in zip(row, sets, strict=True):
            own = gains[(gains["set"] == name) & (gains["measure"] == measure)]
            budgets = sorted(own["budget"].unique())
            for place, (kind, chosen) in enumerate((k, f) for k in kinds for f in features):
                part = own[(own["kind"] == kind) & (own["features"] == chosen)].sort_values("budget")
                shift = 0.8 * ((place + 0.5) / (len(kinds) * len(features)) - 0.5)
                reach = [part["gain"] - part["low"], part["high"] - part["gain"]]
                axes.errorbar(
                    [budgets.index(budget) + shift for budget in part["budget"]],
                    part["gain"],
                    yerr=reach,
                    fmt="os^D"[kinds.index(kind) % 4],
                    color=PALETTE[features.index(chosen)],
                    markersize=4,
                    label=f"{kind}, chosen by {chosen}",
                )
            axes.axhline(1, color=BASELINE)
            axes.set(title=f"{name}: {measure}", yscale="log", xlabel="structures", ylabel="random / max-min")
            axes.set_xticks(range(len(budgets)), list(map(str, budgets)))
            axes.set_xlim(-0.5, len(budgets) - 0.5)
            plain_logarithms(axes.yaxis)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    for handle, label in zip(handles, labels, strict=True):
        handle.set_label(label)
    legend_below(figure, handles, most=3)
    return figure


STEPS = {"configure": configure, "split": split, "test": test, "compare": compare}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in STEPS:
        sys.exit(__doc__)
    fixed = {"configure": (1, 2, 3), "test": (1, 2)}.get(sys.argv[1], ())
    words = [word if k in fixed else Path(word) for k, word in enumerate(sys.argv[2:])]
    try:
        STEPS[sys.argv[1]](*words)
    except InputError as error:
        sys.exit(f"transfer {sys.argv[1]}: {error}")
