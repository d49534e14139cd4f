"""The matrix of errors as the page shows it, and the effect of near-duplicates on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gapdesign.report.headline import headline, worst_off_sample
from gapdesign.report.matrices import order_of, shared_pairs

if TYPE_CHECKING:
    import pandas as pd


def matrix(errors: pd.DataFrame, duplicates: pd.DataFrame) -> dict[str, Any]:
    """Return the table of models and test sets: quantiles, deviations, and the heat of each cell."""
    names = order_of(errors)
    tests = [name for name in names if (errors["test_set"] == name).any()] if names else []
    shared = shared_pairs(duplicates)
    records = {(row["model"], row["test_set"]): row for row in errors.to_dict("records")}
    worst = {row["model"]: row for row in worst_off_sample(errors).to_dict("records")}
    highest = max((row["q99_mev"] for row in records.values() if row["q99_mev"] == row["q99_mev"]), default=0) or 1
    rows = []
    for model in dict.fromkeys(errors["model"] if len(errors) else ()):
        cells = []
        for test in tests:
            row = records.get((model, test))
            heat = row["q99_mev"] / highest if row and row["q99_mev"] == row["q99_mev"] else 0
            cells.append({
                "q99": row and row["q99_mev"], "std": row and row["std_mev"], "heat": f"{min(1, heat):.3f}",
                "fit": model == test, "shared": (model, test) in shared,
                "worst": model in worst and worst[model]["test_set"] == test,
            })  # fmt: skip
        rows.append({"model": model, "cells": cells, "worst": worst.get(model)})
    return {"tests": tests, "rows": rows}


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
    text = headline(table.drop(index=empty).reset_index(drop=True), methods)
    return "" if text == headline(errors, methods) else text
