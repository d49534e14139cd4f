"""The matrix of errors as the page shows it, and the effect of near-duplicates on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gapdesign.report.gathered import gathered_errors, mean, names_of
from gapdesign.report.headline import (
    FORCE_TWENTIETH,
    TAIL,
    TWENTIETH,
    has_forces,
    has_virials,
    of_energies,
    worst_off_sample,
)
from gapdesign.report.matrices import FORCE, models_and_tests, shared_pairs
from gapdesign.report.style import are_many
from gapdesign.report.words import number

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Shown:
    """What a matrix of errors shows.

    Attributes
    ----------
    tail
        The statistic that is written large and gives each cell its heat.
    below
        Those beneath it.
    """

    tail: str
    below: tuple[str, ...]


ENERGIES = Shown(TAIL, (TWENTIETH, "std_mev"))
FORCES = Shown(FORCE.tail, (FORCE_TWENTIETH, FORCE.middle))
VIRIALS = Shown("rmse_virial_mev", ())


def matrix(errors: pd.DataFrame, duplicates: pd.DataFrame, shown: Shown = ENERGIES) -> dict[str, Any]:
    """Return the table of models and test sets: the statistics of each cell, and its heat by the first."""
    tail = shown.tail
    models, tests = models_and_tests(errors)
    shared = shared_pairs(duplicates)
    records = {(row["model"], row["test_set"]): row for row in errors.to_dict("records")}
    worst = {row["model"]: row for row in worst_off_sample(errors, tail).to_dict("records")}
    highest = max((row[tail] for row in records.values() if row[tail] == row[tail]), default=0) or 1
    rows = []
    for model in models:
        cells = []
        for test in tests:
            row = records.get((model, test))
            heat = row[tail] / highest if row and row[tail] == row[tail] else 0
            cells.append({
                "tail": row and row[tail], "below": [row and row[name] for name in shown.below],
                "heat": f"{min(1, heat):.3f}",
                "fit": model == test, "shared": (model, test) in shared,
                "worst": model in worst and worst[model]["test_set"] == test,
            })  # fmt: skip
        of_model = worst.get(model)
        rows.append({"model": model, "cells": cells, "worst": of_model and of_model | {"tail": of_model[tail]}})
    return {"tests": tests, "rows": rows}


def gathered_matrix(errors: pd.DataFrame, methods: Mapping[str, str], shown: Shown = ENERGIES) -> dict[str, Any]:
    """Return the same table for the models and test sets of methods, by geometric means; {} if designs are few."""
    if not are_many(methods):
        return {}
    found = matrix(gathered_errors(errors, methods), errors.iloc[:0], shown)
    worst, names = worst_off_sample(errors, shown.tail), names_of(errors, methods)[0]
    for row in found["rows"]:
        values = worst[shown.tail][worst["model"].map(names) == row["model"]]
        row["worst"] = {"tail": mean(values), "test_set": ""} if len(values) else None
        row["cells"] = [cell | {"fit": False, "worst": False} for cell in row["cells"]]
    return found


def derivatives(
    errors: pd.DataFrame, duplicates: pd.DataFrame, methods: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the matrices of forces and virials, each empty where nothing is to be compared, and a sentence why."""
    found = {"forces": {}, "virials": {}, "gathered_forces": {}, "gathered_virials": {}, "symmetry": ""}
    if not len(errors):
        return found
    own = errors[errors["model"] == errors["model"].iloc[0]]
    labelled, held = int(own["n_forces"].sum()), int(own["n_forces_zero"].sum())
    if has_forces(errors):
        found["forces"] = matrix(errors, duplicates, FORCES)
        found["gathered_forces"] = gathered_matrix(errors, methods or {}, FORCES)
    if has_virials(errors):
        found["virials"] = matrix(errors, duplicates, VIRIALS)
        found["gathered_virials"] = gathered_matrix(errors, methods or {}, VIRIALS)
    if not labelled:
        found["symmetry"] = "No structure has labelled forces, so none are compared."
    elif held == labelled:
        found["symmetry"] = (
            "Symmetry holds the force on every atom at zero, whatever the model, so there are no errors of forces to"
            " show: crystals with their atoms in their places say nothing about them."
        )
    elif held:
        found["symmetry"] = (
            f"Symmetry holds {number(held)} of {number(labelled)} forces at zero, as in every cell of one atom. They"
            " count as errors of zero."
        )
    return found


def shared(errors: pd.DataFrame, duplicates: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the tests that share near-duplicates with a training set, with and without them."""
    pairs = shared_pairs(duplicates)
    if not pairs:
        return []
    table = duplicates.merge(errors[["model", "test_set", "n", "q99_mev"]], on=["model", "test_set"], how="left")
    return [row for row in table.to_dict("records") if (row["model"], row["test_set"]) in pairs]


def headline_apart(errors: pd.DataFrame, duplicates: pd.DataFrame, methods: Mapping[str, str]) -> str:
    """Return the headline without the near-duplicates, if it differs from the full one."""
    rows = shared(errors, duplicates)
    if not rows:
        return ""
    table = errors.set_index(["model", "test_set"], drop=False)
    for row in rows:
        table.loc[(row["model"], row["test_set"]), "q99_mev"] = row["q99_mev_without"]
    empty = [(row["model"], row["test_set"]) for row in rows if row["n_duplicates"] >= row["n"]]
    text = of_energies(table.drop(index=empty).reset_index(drop=True), methods)
    return "" if text == of_energies(errors, methods) else text
