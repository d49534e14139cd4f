"""Studies with closed-form tables, and what the report makes of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from ase import Atoms

from gapdesign.labels.failures import COLUMNS
from gapdesign.report.figures import Results, draw
from gapdesign.report.study_page import render
from gapdesign.report.style import svg_text

FOUR = {"OPT1": "maxmin", "OPT2": "maxmin", "RND1": "random", "RND2": "random"}
HOSTILE = 'a<b>&"合金$x$'


def error_table(worst: dict[tuple[str, str], float]) -> pd.DataFrame:
    rows = [(model, test, 5, value / 4, value, 0.1, 0.1, value) for (model, test), value in worst.items()]
    table = pd.DataFrame(
        rows, columns=["model", "test_set", "n", "std_mev", "q99_mev", "rmse_mev", "mae_mev", "max_mev"]
    )
    none = dict.fromkeys(("rmse_force_mev_a", "q99_force_mev_a", "max_force_mev_a", "rmse_virial_mev"), np.nan)
    table = table.assign(**none, n_forces=0, n_forces_zero=0, worst_twentieth_mev=table["max_mev"])
    return table.assign(worst_twentieth_force_mev_a=np.nan)


def square(methods, value) -> pd.DataFrame:
    """Give the n x n errors with ``value(model, test_set)`` as the 0.99 quantile."""
    return error_table({pair: float(value(*pair)) for pair in product(methods, methods)})


def study(methods: dict[str, str], members: int = 5, deformed: bool = True) -> dict:
    """Give a study in which model i is wrong by exactly 10 i + j + 1 meV, up and down, on design j."""
    names = list(methods)
    designs, distances, predictions = {}, {}, []
    for place, name in enumerate(names):
        designs[name] = []
        for rank in range(members):
            atoms = Atoms("ZrNb", positions=[[0, 0, 0], [1.6, 1.6, 1.6]], cell=[3.3] * 3, pbc=True)
            atoms.info = {
                "pool": "A",
                "candidate": rank,
                "rank": rank,
                "distance": 1.0 / (rank + 1),
                "prototype": "B2",
            }
            if deformed:
                atoms.info["deformation"] = (np.eye(3) * (1 + 0.01 * rank)).ravel()
            designs[name].append(atoms)
        distances[name] = np.full(members * (members - 1) // 2, 0.5 + 0.1 * place)
    for (i, model), (j, test) in product(enumerate(names), enumerate(names)):
        error = (10 * i + j + 1) * np.where(np.arange(members) % 2, -1.0, 1.0)
        reference = -6.0 + 0.1 * np.arange(members)
        columns = {
            "model": model,
            "test_set": test,
            "rank": range(members),
            "pool": "A",
            "candidate": range(members),
        }
        for place in ("xx", "yy", "zz", "yz", "xz", "xy"):
            columns |= {
                f"reference_virial_{place}_ev": reference,
                f"predicted_virial_{place}_ev": reference + error / 500,
            }
        columns |= {"n_atoms": 2, "reference_ev": reference, "predicted_ev": reference + error / 1000}
        predictions.append(pd.DataFrame(columns | {"error_mev": error, "duplicate": model == test}))
    predictions = pd.concat(predictions, ignore_index=True)
    forces = predictions[["model", "test_set", "rank"]].assign(atom=0, element="Zr")
    for place, axis in enumerate("xyz"):
        reference = 0.1 * (predictions["rank"] - 1) * (place + 1)
        forces[f"reference_{axis}_ev_a"] = reference
        forces[f"predicted_{axis}_ev_a"] = reference + (0.01 * predictions["error_mev"] if axis == "z" else 0)
    forces["error_mev_a"] = 10 * predictions["error_mev"].abs()
    errors = square(names, lambda model, test: 10 * names.index(model) + names.index(test) + 1)
    quantile = errors["q99_mev"]
    errors = errors.assign(rmse_force_mev_a=5 * quantile, q99_force_mev_a=10 * quantile, rmse_virial_mev=3 * quantile)
    errors = errors.assign(max_force_mev_a=10 * quantile, n_forces=10, n_forces_zero=4)
    errors["worst_twentieth_force_mev_a"] = 10 * quantile
    duplicates = errors[["model", "test_set"]].assign(n_duplicates=0, q99_mev_without=np.nan)
    duplicates.loc[duplicates["model"] == duplicates["test_set"], "n_duplicates"] = members
    quality = pd.DataFrame(
        {
            "design": names, "method": list(methods.values()), "pool": "A", "size": members,
            "nearest_min": 0.123456, "overlapping_share": 0.0345678, "log_det": -1234.56,
            "condition": 3.456e9, "label_core_hours": np.nan,
        } | {f"nearest_{name}_mean": 0.7 for name in names}
    )  # fmt: skip
    optimum = {
        "pair_scale": 1.23456,
        "pair_length": 0.3,
        "soap_scale": 0.25,
        "noise": 1e-6,
        "log_likelihood": 4321.06,
    }
    configuration = {
        "study": "näive <study>", "seed": 7, "pools": {"names": ["A"], "size": 50, "sampler": "strain"},
        "designs": {name: {"pool": "A", "method": method} for name, method in methods.items()},
        "budget": members, "labels": {"engine": "eam"},
    }  # fmt: skip
    return {
        "methods": methods,
        "designs": designs,
        "distances": distances,
        "errors": errors,
        "predictions": predictions,
        "forces": forces,
        "duplicates": duplicates,
        "quality": quality,
        "failed": pd.DataFrame(columns=COLUMNS),
        "labelled": {name: range(len(frames)) for name, frames in designs.items()},
        "hyperparameters": {name: optimum | {"optimizer": "lbfgs", "at_bound": []} for name in names},
        "configuration": configuration,
        "provenance": {
            "gapdesign": "9.8.7", "commit": "c0ffee", "python": "3.11.7", "seed": 7,
            "packages": {"numpy": "2.0.1"}, "configuration": configuration,
            "files": {"quality.csv": "ab" * 32},
        },
    }  # fmt: skip


def results_of(parts: dict) -> Results:
    names = ("methods", "designs", "distances", "errors", "predictions", "duplicates", "forces")
    return Results(**{name: parts[name] for name in names})


def figures_of(parts: dict) -> dict[str, str]:
    return {name: svg_text(figure) for name, figure in draw(results_of(parts)).items()}


def page_of(parts: dict, figures: dict[str, str] | None = None, **more: object) -> str:
    names = (
        "configuration",
        "methods",
        "designs",
        "quality",
        "errors",
        "duplicates",
        "failed",
        "labelled",
        "hyperparameters",
    )
    figures = figures_of(parts) if figures is None else figures
    return render(**{name: parts[name] for name in (*names, "provenance")}, figures=figures, **more)
