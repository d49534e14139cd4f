"""The page of a study: what the template shows, gathered from the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from gapdesign.report import properties_table, words
from gapdesign.report.configuration import as_yaml, asked
from gapdesign.report.embed import embed
from gapdesign.report.headline import headline, worst_off_sample
from gapdesign.report.matrices import DAGGER, order_of, shared_pairs
from gapdesign.report.texts import CAPTIONS, MEASURES, PARAMETERS, TITLES, references

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


def render(
    *,
    configuration: Mapping[str, Any],
    methods: Mapping[str, str],
    designs: Mapping[str, list[Atoms]],
    figures: Mapping[str, str],
    quality: pd.DataFrame,
    errors: pd.DataFrame,
    duplicates: pd.DataFrame,
    failed: pd.DataFrame,
    labelled: Mapping[str, Sequence[int]],
    hyperparameters: Mapping[str, Mapping[str, Any]],
    provenance: Mapping[str, Any],
    candidates: pd.DataFrame | None = None,
    properties: pd.DataFrame | None = None,
) -> str:
    """Write the page of a study.

    Parameters
    ----------
    configuration
        The whole configuration, defaults included.
    methods
        Design to method, in the order of the configuration.
    designs
        Design to its structures.
    figures
        Figure name to SVG document, as :func:`gapdesign.report.figures.draw` gives them; a figure that is not there is
        left out.
    quality, errors, duplicates, failed
        The tables ``quality.csv``, ``crossval/errors.csv``, ``crossval/duplicates.csv`` and
        ``labels/failed.csv``.
    labelled
        Design to the ranks that have a label; those from its size on are of its reserve.
    hyperparameters
        Design to the content of its ``hyperparameters.json``.
    provenance
        The content of ``provenance.json``.
    candidates
        The table ``candidates.csv``; left out where there is none.
    properties
        The table ``properties.csv``; left out where there is none.

    Returns
    -------
    str
        One self-contained HTML document that loads nothing.
    """
    tested = len(worst_off_sample(errors)) > 0
    captions, titles = CAPTIONS | properties_table.CAPTIONS, TITLES | properties_table.TITLES
    shown = [name for name in captions if name in figures and (tested or name != "worst")]
    return fill(
        "page.html.j2",
        study=str(configuration.get("study", "study")),
        elements=elements(designs),
        headline=headline(errors, methods),
        headline_apart=_headline_apart(errors, duplicates, methods),
        facts=_facts(configuration, designs, errors, failed),
        asked=asked(configuration),
        candidates=_candidates(candidates),
        yaml=as_yaml(configuration),
        methods=methods,
        contents=contents(designs, methods),
        quality=measures(quality),
        nearest=nearest(quality),
        figures={name: embed(name, figures[name], titles[name]) for name in shown},
        numbers={name: place for place, name in enumerate(shown, 1)},
        captions=captions,
        properties=properties_table.section(properties, configuration),
        matrix=_matrix(errors, duplicates),
        dagger=DAGGER,
        shared=_shared(errors, duplicates),
        failed=_failed(failed),
        replaced=_replaced(designs, labelled),
        hyperparameters=_hyperparameters(hyperparameters),
        provenance=provenance,
        references=references(configuration),
    )  # fmt: skip


def fill(template: str, **shown: Any) -> str:
    """Fill one of the templates beside this module; what a page shows is escaped, and the style goes into it."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    package = files(__package__)

    def source(name: str) -> str:
        return package.joinpath(name).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
        loader=FunctionLoader(source),
    )
    environment.filters |= {"number": words.number, "percent": words.percent, "cell": words.cell}
    environment.filters["cost"] = lambda hours: words.cost([hours]) if hours == hours else words.DASH
    environment.filters |= {"method": words.method_name, "listing": words.listing}
    return environment.get_template(template).render(style=Markup(source("page.css")), **shown)


def elements(designs: Mapping[str, list[Atoms]]) -> str:
    """Name the elements of all designs."""
    found = {symbol for frames in designs.values() for atoms in frames for symbol in atoms.get_chemical_symbols()}
    return words.listing(sorted(found))


def _candidates(table: pd.DataFrame | None) -> dict[str, Any]:
    """Give what was drawn and refused in each pool; reasons that never occurred are left out."""
    if table is None or not len(table):
        return {"columns": [], "rows": []}
    reasons = [name for name in table.columns[3:] if table[name].any()]
    columns = {"candidates": "candidates", "draws": "draws", **{name: f"refused: {name}" for name in reasons}}
    rows = [{"pool": row["pool"], "values": [row[name] for name in columns]} for row in table.to_dict("records")]
    return {"columns": list(columns.values()), "rows": rows}


def contents(designs: Mapping[str, list[Atoms]], methods: Mapping[str, str]) -> list[dict[str, Any]]:
    """Say what each design holds: pool, structures, atoms, and how many of each prototype."""
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
            "method": words.method_name(methods.get(design, "")), "pool": words.listing(pools),
            "structures": len(frames), "atoms": sum(map(len, frames)), "prototypes": shares or words.DASH,
        })  # fmt: skip
    return rows


def _facts(configuration, designs, errors, failed) -> list[str]:
    structures = sum(map(len, designs.values()))
    engine = configuration.get("labels", {}).get("engine") if isinstance(configuration.get("labels"), Mapping) else None
    facts = [words.count(len(designs), "design"), words.count(structures, "structure")]
    facts += [words.count(errors["model"].nunique(), "model")] if len(errors) else []
    facts += [f"labels by {engine}"] if engine else []
    return [*facts, words.count(len(failed), "failed label") if len(failed) else "no failed labels"]


def measures(quality: pd.DataFrame) -> dict[str, Any]:
    """Turn the table on its side: a row a measure, a column a design."""
    rows = []
    for column, (label, kind, meaning) in MEASURES.items():
        if column in quality:
            write = {"share": words.percent, "logarithm": words.decimal}.get(kind, words.number)
            values = [int(value) if kind == "count" and value == value else value for value in quality[column]]
            rows.append({"label": label, "meaning": meaning, "values": [write(value) for value in values]})
    return {"designs": list(quality["design"]) if len(quality) else [], "rows": rows}


def nearest(quality: pd.DataFrame) -> dict[str, Any]:
    """Give KP's table: from each member of a row's design to the nearest member of a column's design."""
    designs = list(quality["design"]) if len(quality) else []
    parts = [part for part in ("mean", "median", "max") if any(f"nearest_{name}_{part}" in quality for name in designs)]
    rows = [
        {
            "design": row["design"],
            "cells": [[row.get(f"nearest_{name}_{part}") for part in parts] for name in designs],
        }
        for row in quality.to_dict("records")
    ]
    return {"designs": designs if len(designs) > 1 else [], "parts": parts, "rows": rows}


def _matrix(errors: pd.DataFrame, duplicates: pd.DataFrame) -> dict[str, Any]:
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


def _shared(errors: pd.DataFrame, duplicates: pd.DataFrame) -> list[dict[str, Any]]:
    pairs = shared_pairs(duplicates)
    if not pairs:
        return []
    table = duplicates.merge(errors[["model", "test_set", "n", "q99_mev"]], on=["model", "test_set"], how="left")
    return [row for row in table.to_dict("records") if (row["model"], row["test_set"]) in pairs]


def _headline_apart(errors: pd.DataFrame, duplicates: pd.DataFrame, methods: Mapping[str, str]) -> str:
    """Give the headline without the near-duplicates, if it is another one."""
    rows = _shared(errors, duplicates)
    if not rows:
        return ""
    table = errors.set_index(["model", "test_set"], drop=False)
    for row in rows:
        table.loc[(row["model"], row["test_set"]), "q99_mev"] = row["q99_mev_without"]
    empty = [(row["model"], row["test_set"]) for row in rows if row["n_duplicates"] >= row["n"]]
    text = headline(table.drop(index=empty).reset_index(drop=True), methods)
    return "" if text == headline(errors, methods) else text


def _failed(failed: pd.DataFrame, longest: int = 200) -> dict[str, Any]:
    if not len(failed):
        return {"count": 0, "reasons": [], "rows": [], "more": 0}
    reasons = failed.groupby("reason", sort=False).size().sort_values(ascending=False, kind="stable")
    rows = failed.head(longest).to_dict("records")
    return {
        "count": len(failed),
        "reasons": list(reasons.items()),
        "rows": rows,
        "more": len(failed) - len(rows),
    }


def _replaced(designs: Mapping[str, list[Atoms]], labelled: Mapping[str, Sequence[int]]) -> list[str]:
    """Say of each design that lost structures which ranks of its reserve are in their places."""
    sentences = []
    for design, frames in designs.items():
        size, ranks = len(frames), labelled[design]
        lost = sorted(set(range(size)) - set(ranks))
        parts = [f"{design} lost {_ranks(lost)}"]
        if taken := [rank for rank in ranks if rank >= size]:
            parts.append(f"{_ranks(taken)} of its reserve filled in")
        if short := size - len(ranks):
            parts.append(f"it is {words.count(short, 'structure')} short of its budget")
        if lost:
            sentences.append(f"{'; '.join(parts)}.")
    return sentences


def _ranks(ranks: Sequence[int], most: int = 10) -> str:
    if len(ranks) > most:
        return f"{len(ranks)} ranks from {ranks[0]} to {ranks[-1]}"
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {words.listing(map(str, ranks))}"


def _hyperparameters(hyperparameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Turn the dictionaries on their side, too; nested extras stay in their files."""
    known = [name for name in PARAMETERS if any(name in part for part in hyperparameters.values())]
    extras = dict.fromkeys(
        name
        for part in hyperparameters.values()
        for name, value in part.items()
        if name not in {*PARAMETERS, "at_bound"} and isinstance(value, (int, float, str))
        if len(str(value)) < 40
    )
    rows = [
        {
            "label": PARAMETERS.get(name, name.replace("_", " ")),
            "cells": [
                (
                    (words.decimal if name == "log_likelihood" else words.cell)(part.get(name)),
                    name in part["at_bound"],
                )
                for part in hyperparameters.values()
            ],
        }
        for name in [*known, *extras]
    ]
    bound = {design: list(part["at_bound"]) for design, part in hyperparameters.items() if part["at_bound"]}
    return {"designs": list(hyperparameters), "rows": rows, "bound": bound}


def _printable(value: Any) -> Any:
    """Take out control characters, which a failed engine may print and no HTML page may hold."""
    return type(value)(_CONTROL.sub("\ufffd", value)) if isinstance(value, str) and _CONTROL.search(value) else value
