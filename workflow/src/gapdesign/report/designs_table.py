"""Candidates and designs before any label, as the pages show them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gapdesign.report import growth_table, words
from gapdesign.report.gathered import by_method, spread
from gapdesign.report.style import are_many
from gapdesign.report.texts import MEASURES

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms


def elements(designs: Mapping[str, list[Atoms]]) -> str:
    """List the elements of all designs."""
    found = {symbol for frames in designs.values() for atoms in frames for symbol in atoms.get_chemical_symbols()}
    return words.listing(sorted(found))


def candidates(table: pd.DataFrame | None, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers drawn and refused in each pool, and sentences about those that grew.

    Reasons that never occurred are left out.
    """
    if table is None or not len(table):
        return {"columns": [], "rows": [], "grown": []}
    reasons = [name for name in table.columns[3:] if table[name].any()]
    columns = {"candidates": "candidates", "draws": "draws", **{name: f"refused: {name}" for name in reasons}}
    rows = [{"pool": row["pool"], "values": [row[name] for name in columns]} for row in table.to_dict("records")]
    sizes = {str(row["pool"]): int(row["candidates"]) for row in table.to_dict("records")}
    growth = {pool: growth_table.of_pool(configuration, pool) for pool in sizes}
    grown = [growth_table.ended_at(pool, sizes[pool], own) for pool, own in growth.items() if own]
    return {"columns": list(columns.values()), "rows": rows, "grown": grown}


def contents(
    designs: Mapping[str, list[Atoms]], methods: Mapping[str, str], tests: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return the contents of each design: pool, structures, atoms, and how many of each prototype."""
    rows = []
    for design, frames in designs.items():
        kinds: dict[str, int] = {}
        for atoms in frames:
            kind = str(atoms.info.get("prototype", ""))
            kinds[kind] = kinds.get(kind, 0) + 1
        shares = ", ".join(f"{kind} {words.number(amount)}" for kind, amount in sorted(kinds.items()) if kind)
        pools = list(dict.fromkeys(str(atoms.info["pool"]) for atoms in frames if "pool" in atoms.info))
        rows.append({
            "design": design,
            "method": words.method_name(methods.get(design, "")) + (", a test set only" if design in tests else ""),
            "pool": words.listing(pools),
            "structures": len(frames), "atoms": sum(map(len, frames)), "prototypes": shares or words.DASH,
        })  # fmt: skip
    return rows


def measures(quality: pd.DataFrame) -> dict[str, Any]:
    """Transpose the table: a row per measure, a column per design."""
    rows = []
    for column, (label, kind, meaning) in MEASURES.items():
        if column in quality:
            write = _WRITERS.get(kind, words.number)
            values = [int(value) if kind == "count" and value == value else value for value in quality[column]]
            rows.append({"label": label, "meaning": meaning, "values": [(write(value), "") for value in values]})
    return {"designs": list(quality["design"]) if len(quality) else [], "rows": rows}


_WRITERS: dict[str, Callable[[Any], str]] = {
    "share": words.percent,
    "logarithm": words.decimal,
    "count": lambda value: words.number(round(value)),
}
"""Of a measure, by its kind."""


def gathered_measures(quality: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, Any]:
    """Return the same table with a column per method: medians, lowest and highest; {} if designs are few."""
    if not are_many(methods) or not len(quality):
        return {}
    groups, table = by_method(methods), quality.set_index("design")
    rows = [
        {
            "label": label,
            "meaning": meaning,
            "values": [
                spread(table[column].reindex(designs), _WRITERS.get(kind, words.number)) for designs in groups.values()
            ],
        }
        for column, (label, kind, meaning) in MEASURES.items()
        if column in quality
    ]
    return {"designs": [words.method_name(method) for method in groups], "rows": rows}


def nearest(quality: pd.DataFrame) -> dict[str, Any]:
    """Return KP's table: distances from each member of a row's design to the nearest member of a column's design."""
    designs = list(quality["design"]) if len(quality) else []
    parts = [part for part in ("mean", "median", "max") if any(f"nearest_{name}_{part}" in quality for name in designs)]
    rows = [
        {
            "design": row["design"],
            "cells": [
                [] if name == row["design"] else [words.number(row.get(f"nearest_{name}_{part}")) for part in parts]
                for name in designs
            ],
        }
        for row in quality.to_dict("records")
    ]
    return {"designs": designs if len(designs) > 1 else [], "parts": parts, "rows": rows}


def gathered_nearest(quality: pd.DataFrame, methods: Mapping[str, str]) -> dict[str, Any]:
    """Return the same table for methods: medians over pairs of two designs; {} if designs are few."""
    if not are_many(methods) or not len(quality):
        return {}
    groups, table, parts = by_method(methods), quality.set_index("design"), nearest(quality)["parts"]

    def cell(rows: Sequence[str], columns: Sequence[str]) -> list[str]:
        pairs = [(row, column) for row in rows for column in columns if row != column and row in table.index]
        return [spread(table.loc[row].get(f"nearest_{column}_{part}") for row, column in pairs)[0] for part in parts]

    rows = [
        {"design": words.method_name(row), "cells": [cell(mine, others) for others in groups.values()]}
        for row, mine in groups.items()
    ]
    return {"designs": [words.method_name(method) for method in groups], "parts": parts, "rows": rows}
