"""The page of a study, filled from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gapdesign.inputs.labels import in_words
from gapdesign.models import MODELS
from gapdesign.models.options import DEFAULT
from gapdesign.report import (
    designs_table,
    errors_table,
    families_table,
    kinds_table,
    learning_table,
    properties_table,
    rounds_table,
    words,
)
from gapdesign.report.configuration import as_yaml, asked, tests_only
from gapdesign.report.cost_table import Estimate, cost
from gapdesign.report.downloads import File, downloads
from gapdesign.report.embed import embed
from gapdesign.report.failures_table import failures, replaced
from gapdesign.report.gathered import by_method, spread
from gapdesign.report.headline import has_forces, has_virials, headline, worst_off_sample
from gapdesign.report.matrices import DAGGER
from gapdesign.report.style import are_many
from gapdesign.report.template import fill
from gapdesign.report.texts import CAPTIONS, PARAMETERS, TITLES, WITH_STRAINS, of_many, references
from gapdesign.structures import strain_magnitudes

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.report.kinds_table import Other


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
    found: Mapping[str, Any] | None = None,
    bootstrap: pd.DataFrame | None = None,
    equivalents: pd.DataFrame | None = None,
    rounds: pd.DataFrame | None = None,
    estimate: Estimate | None = None,
    files: Mapping[str, Sequence[File]] | None = None,
    suspicions: Sequence[str] = (),
    hardly: Sequence[str] = (),
    doubts: Sequence[str] = (),
    kind: str = DEFAULT,
    others: Mapping[str, Other] | None = None,
    families: Mapping[str, str] | None = None,
    above: str = "",
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
        Figure name to SVG document; a figure that is not there is left out.
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
    found
        Numbers of labels that were found in the user's files, as ``labels/engine.json`` has them; None if the engine
        computes them.
    bootstrap
        The table ``crossval/bootstrap.csv``, for intervals in the headline.
    equivalents
        The table ``replay/equivalents.csv``; a sentence says how to get it where there is none.
    rounds
        The table ``rounds.csv``; left out where there is none.
    estimate
        Estimated cost of the stages.
    files
        Figure name to the files offered below it.
    suspicions
        Sentences about labels that are probably wrong, for the head of the page.
    hardly
        Sentences about groups of candidates that designs hardly have, likewise.
    doubts
        Sentences about models that did not learn their own structures, likewise.
    kind
        Kind of model that the page is about.
    others
        The study's other kinds of models.
    families
        Design to the family of the test set that it is; without them, all test sets are judged together only.
    above
        The way from the page's folder to that of the study, with a slash; empty if they are the same.

    Returns
    -------
    str
        One self-contained HTML document that loads nothing.
    """
    tested = len(worst_off_sample(errors)) > 0
    study = str(configuration.get("study", "study"))
    is_strained = any(len(strain_magnitudes(frames)) for frames in designs.values())
    captions = CAPTIONS | (WITH_STRAINS if is_strained else {}) | properties_table.CAPTIONS
    captions = of_many(captions) if are_many(methods) else captions
    titles = TITLES | properties_table.TITLES
    hidden = set() if tested else {"worst"}
    hidden |= set() if has_forces(errors) else {"force_errors", "force_parity"}
    hidden |= set() if has_virials(errors) else {"virial_parity"}
    shown = [name for name in captions if name in figures and name not in hidden]
    return fill(
        "page.html.j2",
        study=study,
        elements=designs_table.elements(designs),
        headline=headline(errors, methods, bootstrap),
        headline_apart=errors_table.headline_apart(errors, duplicates, methods),
        families=families_table.section(errors, methods, families or {}, bootstrap),
        suspicions=suspicions,
        hardly=hardly,
        doubts=doubts,
        facts=_facts(configuration, designs, errors, failed),
        asked=asked(configuration),
        candidates=designs_table.candidates(candidates, configuration),
        yaml=as_yaml(configuration),
        methods=methods,
        contents=designs_table.contents(designs, methods, tests_only(configuration)),
        quality=designs_table.measures(quality),
        gathered_quality=designs_table.gathered_measures(quality, methods),
        nearest=designs_table.nearest(quality),
        gathered_nearest=designs_table.gathered_nearest(quality, methods),
        figures={name: embed(name, figures[name], titles[name]) for name in shown},
        numbers={name: place for place, name in enumerate(shown, 1)},
        captions=captions,
        downloads=downloads(study, {name: (files or {}).get(name, ()) for name in shown}),
        cost=cost(quality, labelled, errors, estimate, configuration),
        learning=learning_table.section(equivalents),
        rounds=rounds_table.section(rounds),
        properties=properties_table.section(properties, configuration),
        gathered_properties=properties_table.gathered(properties, configuration, methods),
        matrix=errors_table.matrix(errors, duplicates),
        gathered_matrix=errors_table.gathered_matrix(errors, methods),
        derivatives=errors_table.derivatives(errors, duplicates, methods),
        dagger=DAGGER,
        shared=errors_table.shared(errors, duplicates),
        failed=failures(failed),
        found=in_words(found) if found else "",
        replaced=replaced(designs, labelled),
        hyperparameters=_hyperparameters(hyperparameters),
        gathered_hyperparameters=_gathered_hyperparameters(hyperparameters, methods),
        above=above,
        kind=MODELS[kind],
        kinds=kinds_table.section(kind, errors, others or {}, methods),
        provenance=provenance,
        references=references(configuration),
    )  # fmt: skip


def _facts(configuration, designs, errors, failed) -> list[str]:
    structures = sum(map(len, designs.values()))
    engine = configuration.get("labels", {}).get("engine") if isinstance(configuration.get("labels"), Mapping) else None
    tests = len(tests_only(configuration))
    facts = [words.count(len(designs) - tests, "design"), *([words.count(tests, "test set")] if tests else [])]
    facts += [words.count(structures, "structure")]
    facts += [words.count(errors["model"].nunique(), "model")] if len(errors) else []
    facts += [f"labels by {engine}"] if engine else []
    return [*facts, words.count(len(failed), "failed label") if len(failed) else "no failed labels"]


def _hyperparameters(hyperparameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Transpose the dictionaries; nested extras stay in their files."""
    rows = [
        {
            "label": PARAMETERS.get(name, name.replace("_", " ")),
            "cells": [
                (
                    (words.decimal if name == "log_likelihood" else words.cell)(part.get(name)),
                    ["at bound"] if name in part["at_bound"] else [],
                    name in part["at_bound"],
                )
                for part in hyperparameters.values()
            ],
        }
        for name in _names(hyperparameters)
    ]
    bound = {design: list(part["at_bound"]) for design, part in hyperparameters.items() if part["at_bound"]}
    return {"designs": list(hyperparameters), "rows": rows, "bound": bound}


def _names(hyperparameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    known = [name for name in PARAMETERS if any(name in part for part in hyperparameters.values())]
    extras = dict.fromkeys(
        name
        for part in hyperparameters.values()
        for name, value in part.items()
        if name not in {*PARAMETERS, "at_bound"} and isinstance(value, (int, float, str))
        if len(str(value)) < 40
    )
    return [*known, *extras]


def _gathered_hyperparameters(
    hyperparameters: Mapping[str, Mapping[str, Any]], methods: Mapping[str, str]
) -> dict[str, Any]:
    """Return the same table with a column per method: medians, lowest and highest; {} if designs are few."""
    if not are_many(methods):
        return {}
    groups = [
        (method, [hyperparameters[design] for design in designs if design in hyperparameters])
        for method, designs in by_method(methods).items()
    ]
    rows = []
    for name in _names(hyperparameters):
        cells = []
        for _, parts in groups:
            value, span = _spread([part.get(name) for part in parts], name)
            bound = sum(name in part["at_bound"] for part in parts)
            notes = [span, f"{bound} at bound" if bound else ""]
            cells.append((value, list(filter(None, notes)), bound > 0))
        rows.append({"label": PARAMETERS.get(name, name.replace("_", " ")), "cells": cells})
    return {"designs": [words.method_name(method) for method, _ in groups], "rows": rows}


def _spread(values: Sequence[Any], name: str) -> tuple[str, str]:
    """Write the values of one hyperparameter: numbers by median and ends, others by all that differ."""
    present = [value for value in values if value is not None]
    if not all(isinstance(value, (int, float)) for value in present):
        return ", ".join(dict.fromkeys(map(words.cell, present))), ""
    if name == "log_likelihood":
        return spread(present, words.decimal)
    are_counts = all(isinstance(value, int) for value in present)
    return spread(present, (lambda value: words.number(round(value))) if are_counts else words.number)
