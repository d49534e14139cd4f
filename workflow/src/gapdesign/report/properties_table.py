"""Properties as the page shows them: one table, the reasons for missing values, and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from gapdesign.properties.compare import REFERENCE
from gapdesign.report import words
from gapdesign.report.gathered import by_method
from gapdesign.report.style import are_many

if TYPE_CHECKING:
    import pandas as pd

TITLES = {
    "constants": "Errors of lattice constants, volumes and moduli",
    "volumes": "Energy against volume",
    "dimer": "Energy of two atoms",
    "phonons": "Phonon bands",
    "nve": "Total energy along a run at constant energy",
}

CAPTIONS = {
    "constants": (
        "Lattice constants, equilibrium volumes, bulk moduli and elastic constants of every model: the error as a "
        "share of the value that the reference engine gives, or of the published one where the engine was not asked. "
        "Marks at the edge lie beyond it."
    ),
    "volumes": (
        "Energy per atom against volume per atom, the shape of the cell relaxed, above the lowest energy of each "
        "potential’s own first crystal. The broad grey line is the reference engine."
    ),
    "dimer": (
        "Energy of a pair of atoms by themselves, above that of the two far apart. Designs of crystals hold nothing "
        "like it: where a model leaves the reference (broad grey line), it extrapolates."
    ),
    "phonons": (
        "Phonons of the crystal at each potential’s own equilibrium; imaginary frequencies are drawn as negative ones. "
        "The broad grey line is the reference engine. Designs in which only cells are strained say little about the "
        "motion of single atoms."
    ),
    "nve": (
        "Total energy along a short run of molecular dynamics at constant energy. A smooth potential conserves it; "
        "the variation that remains is the error of the time step."
    ),
}

NAMES = {
    "above": "energy above the first",
    "length": "bond length",
    "binding": "binding energy",
    "phonon_max": "highest frequency",
    "phonon_min": "lowest frequency",
    "phonon_rms": "deviation of frequencies",
    "V0": "V₀",
    "fluctuation": "fluctuation of the energy",
    "drift": "drift of the energy",
}  # fmt: skip
"""Properties that the table shows by words rather than symbols."""


def section(values: pd.DataFrame | None, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the page's section on properties.

    Parameters
    ----------
    values
        The table ``properties.csv``, if there is one.
    configuration
        The whole configuration.

    Returns
    -------
    dict
        ``models``; ``rows`` with prototype, name, label, unit, published, reference, and a value and its error per
        model; ``reference`` and ``published``, whether there are such values; ``source`` of the published ones;
        ``missing``, sentences about the rest.
    """
    empty = {"models": [], "rows": [], "reference": False, "published": False, "source": "", "missing": []}
    if values is None or not len(values):
        return empty
    models = [model for model in dict.fromkeys(values["model"]) if model != REFERENCE]
    measured = values[values["reason"] == ""]
    cells = {(row["prototype"], row["property"], row["model"]): row for row in measured.to_dict("records")}
    places = dict.fromkeys((row["prototype"], row["property"]) for row in measured.to_dict("records"))
    order = {prototype: number for number, prototype in enumerate(dict.fromkeys(values["prototype"]))}
    rows = []
    for prototype, name in sorted(places, key=lambda place: order[place[0]]):
        known = [cells[prototype, name, model] for model in (*models, REFERENCE) if (prototype, name, model) in cells]
        rows.append({
            "prototype": prototype, "name": name, "label": NAMES.get(name, name), "unit": known[0]["unit"],
            "published": known[0]["published"],
            "reference": cells.get((prototype, name, REFERENCE), {}).get("value"),
            "cells": [_cell(cells.get((prototype, name, model))) for model in models],
        })  # fmt: skip
    return {
        "models": models,
        "rows": rows,
        "reference": REFERENCE in set(values["model"]),
        "published": bool(values["published"].notna().any()),
        "source": str(((configuration.get("properties") or {}).get("published") or {}).get("source") or ""),
        "missing": _missing(values),
    }


def gathered(
    values: pd.DataFrame | None, configuration: Mapping[str, Any], methods: Mapping[str, str]
) -> dict[str, Any]:
    """Return the same section with a column per method; {} if designs are few.

    A cell has the median of the values of a method's models, and that of their absolute errors.
    """
    if values is None or not are_many(methods):
        return {}
    whole = section(values, configuration)
    groups = by_method({model: methods[model] for model in whole["models"] if model in methods})
    measured = values[values["reason"] == ""]
    cells = {key: rows.to_dict("records") for key, rows in measured.groupby(["prototype", "property"], sort=False)}
    rows = [
        row
        | {
            "cells": [
                _gathered_cell([each for each in cells[row["prototype"], row["name"]] if each["model"] in designs])
                for designs in groups.values()
            ]
        }
        for row in whole["rows"]
    ]
    return whole | {"models": [words.method_name(method) for method in groups], "rows": rows}


def _gathered_cell(rows: Sequence[Mapping[str, Any]]) -> tuple[Any, str]:
    """Return the median of some values, and that of the absolute errors."""
    if not rows:
        return None, ""
    errors = [abs(error) for error in map(_error, rows) if error == error]
    return median(row["value"] for row in rows), f"±{words.number(median(errors), 2)}" if errors else ""


def _cell(row: Mapping[str, Any] | None) -> tuple[Any, str]:
    """Return a value, and its error against the reference, or else against the published value."""
    if row is None:
        return None, ""
    error = _error(row)
    return row["value"], "" if error != error else ("+" if error > 0 else "") + words.number(error, 2)


def _error(row: Mapping[str, Any]) -> float:
    return float(row["error"] if row["error"] == row["error"] else row["published_error"])


def _missing(values: pd.DataFrame) -> list[str]:
    failed = values[values["reason"] != ""]
    return [
        f"{'reference engine' if row['model'] == REFERENCE else row['model']}, {row['property']} of {row['prototype']}:"
        f" {row['reason']}"
        for row in failed.to_dict("records")
    ]
