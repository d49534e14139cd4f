"""Verbs of the stage report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.cli.arguments import add, add_files, add_kind, add_output, by_name, write_figures
from gapdesign.cli.parts.features import DistancePart
from gapdesign.cli.parts.study import StudyPart
from gapdesign.config.job import Job
from gapdesign.config.keys import Methods
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.report.downloads import File
    from gapdesign.report.kinds_table import Other


class FiguresPart(DistancePart):
    """Keys that the figures depend on, besides the tables."""

    methods: Methods


PROVENANCE = Job(verb="provenance", rule="report_provenance", stage="report", reads=StudyPart)
FIGURES = Job(verb="figures", rule="report_figures", stage="report", reads=FiguresPart)
REPORT = Job(verb="report", rule="report", stage="report", reads=StudyPart)
JOBS = (PROVENANCE, FIGURES, REPORT)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(verbs, PROVENANCE, _provenance, "record versions, commit, configuration and checksums")
    add_files(verb, "--files", "results whose checksums are recorded")
    add_output(verb, what="record to write (.json)")

    verb = add(verbs, FIGURES, _figures, "draw the figures from the tables")
    add_files(verb, "--designs", "designs (.extxyz)")
    add_files(verb, "--features", "features of the designs (.npy)")
    _add_tables(verb)
    verb.add_argument("--predictions", required=True, type=Path, metavar="FILE", help="crossval/predictions.csv")
    verb.add_argument("--forces", required=True, type=Path, metavar="FILE", help="crossval/forces.csv")
    add_files(verb, "--output", "figures and their data to write, each named after its content (.svg, .pdf, .csv)")

    verb = add(verbs, REPORT, _report, "write the page of the study, for one kind of model")
    add_kind(verb, None)
    add_files(verb, "--designs", "designs (.extxyz)")
    add_files(verb, "--labelled", "designs with their labels (.extxyz)")
    add_files(verb, "--figures", "figures for the page (.svg) and for a manuscript (.pdf)")
    add_files(verb, "--hyperparameters", "hyperparameters of each design (.json)")
    _add_tables(verb)
    verb.add_argument("--quality", required=True, type=Path, metavar="FILE", help="quality.csv")
    verb.add_argument("--failed", required=True, type=Path, metavar="FILE", help="labels/failed.csv")
    verb.add_argument("--engine", type=Path, metavar="FILE", help="labels/engine.json")
    verb.add_argument("--suspicions", type=Path, metavar="FILE", help="labels/suspicions.csv")
    verb.add_argument("--groups", type=Path, metavar="FILE", help="quality/groups.csv")
    verb.add_argument("--candidates", type=Path, metavar="FILE", help="candidates.csv")
    verb.add_argument("--properties", type=Path, metavar="FILE", help="properties.csv")
    verb.add_argument("--bootstrap", type=Path, metavar="FILE", help="crossval/bootstrap.csv")
    verb.add_argument("--rounds", type=Path, metavar="FILE", help="rounds.csv")
    verb.add_argument("--equivalents", type=Path, metavar="FILE", help="replay/equivalents.csv")
    verb.add_argument(
        "--replay", nargs="*", default=[], type=Path, metavar="FILE", help="figures of the replay (.svg, .pdf)"
    )
    verb.add_argument(
        "--data", nargs="*", default=[], type=Path, metavar="FILE", help="tables that figures are drawn from (.csv)"
    )
    verb.add_argument("--estimate", required=True, type=Path, metavar="FILE", help="estimate.json")
    verb.add_argument("--provenance", required=True, type=Path, metavar="FILE", help="provenance.json")
    verb.add_argument(
        "--trainings",
        nargs="*",
        default=[],
        type=Path,
        metavar="FILE",
        help="training of each model, for kinds that are trained in steps (.csv)",
    )
    verb.add_argument(
        "--others",
        nargs="*",
        default=[],
        type=Path,
        metavar="FILE",
        help="crossval/errors.csv of the other kinds of models, in the order of the configuration",
    )
    verb.add_argument("--predictions", required=True, type=Path, metavar="FILE", help="crossval/predictions.csv")
    add_files(verb, "--maps", "map of every pool (.json)")
    add_output(verb, what="page to write (.html)")
    add_output(verb, "--output-map", "page of the maps with the errors of models to write (.html)")
    add_output(verb, "--output-headline", "comparison in one sentence to write (.txt)")

    verb = add(
        verbs,
        "headline",
        _headline,
        "print the result of a study in one sentence",
        "example: gapdesign headline results/zr-demo",
    )
    verb.add_argument("results", type=Path, metavar="FOLDER", help="results of a study")


def _add_tables(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--errors", required=True, type=Path, metavar="FILE", help="crossval/errors.csv")
    verb.add_argument("--duplicates", required=True, type=Path, metavar="FILE", help="crossval/duplicates.csv")


def _provenance(arguments: argparse.Namespace, part: StudyPart) -> None:
    from gapdesign.files import write_json
    from gapdesign.report.provenance import provenance

    configuration = part.study.model_dump(mode="json", exclude_none=True)
    write_json(arguments.output, provenance(configuration, arguments.files))


def _figures(arguments: argparse.Namespace, part: FiguresPart) -> None:
    from gapdesign.files import read_array, read_csv, read_frames, write_csv
    from gapdesign.quality.measures import pair_distances
    from gapdesign.report.figures import TABLES, Results, draw

    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.features).items()}
    results = Results(
        methods=part.methods,
        designs={name: read_frames(path) for name, path in by_name(arguments.designs).items()},
        distances={name: pair_distances(rows, part.covariance) for name, rows in features.items()},
        errors=read_csv(arguments.errors),
        predictions=read_csv(arguments.predictions),
        duplicates=read_csv(arguments.duplicates),
        forces=read_csv(arguments.forces),
    )
    tables = [path for path in arguments.output if path.suffix == ".csv"]
    for path in tables:
        if path.stem not in TABLES:
            raise InputError(f"{path}: there is no table '{path.stem}' of a figure; choose from {', '.join(TABLES)}.")
        write_csv(path, TABLES[path.stem](results))
    write_figures([path for path in arguments.output if path not in tables], draw(results))


def _report(arguments: argparse.Namespace, part: StudyPart) -> None:
    from gapdesign.crossval.families import families
    from gapdesign.files import read_bytes, read_csv, read_frames, read_json, write_text
    from gapdesign.labels.suspicions import of_models
    from gapdesign.report import groups_table, map_page
    from gapdesign.report import study_page as page
    from gapdesign.report.cost_table import Estimate
    from gapdesign.report.headline import headline
    from gapdesign.report.style import svg_text
    from gapdesign.report.training_figure import training_figure

    methods = {name: part.study.designs[name].method for name in part.study.compared()}
    errors = read_csv(arguments.errors)
    bootstrap = read_csv(arguments.bootstrap) if arguments.bootstrap else None
    figures = {path: path.stem for path in arguments.figures}
    figures |= {path: {"errors": "learning", "surface_energies": "surfaces"}[path.stem] for path in arguments.replay}
    labelled = {name: read_frames(path) for name, path in by_name(arguments.labelled).items()}
    hyperparameters = {path.parent.name: read_json(path) for path in arguments.hyperparameters}
    noises = {name: found["noise"] for name, found in hyperparameters.items() if found["noise"] is not None}
    suspicions = read_csv(arguments.suspicions)["sentence"].tolist() if arguments.suspicions else []
    configuration = part.study.model_dump(mode="json", exclude_none=True)
    hardly = groups_table.warnings(read_csv(arguments.groups), configuration["designs"]) if arguments.groups else []
    kinds = part.study.kinds
    own = kinds[arguments.kind] if arguments.kind else next(iter(kinds.values()))
    above = "" if own.kind == next(iter(kinds)) else "../"
    most = own.member.noise_bound(own.options)
    high = {name for name, noise in noises.items() if "noise" in hyperparameters[name]["at_bound"] and noise > most / 2}
    doubts = [doubt.sentence for doubt in of_models(errors, noises, labelled, high)]
    drawn = {name: read_bytes(path).decode() for path, name in figures.items() if path.suffix == ".svg"}
    if arguments.trainings:
        trainings = {path.parent.name: read_csv(path) for path in arguments.trainings}
        drawn["training"] = svg_text(training_figure(trainings, methods))
    text = page.render(
        configuration=configuration,
        methods=methods,
        designs={name: read_frames(path) for name, path in by_name(arguments.designs).items()},
        figures=drawn,
        quality=read_csv(arguments.quality),
        errors=errors,
        duplicates=read_csv(arguments.duplicates),
        failed=read_csv(arguments.failed),
        suspicions=suspicions,
        hardly=hardly,
        doubts=doubts,
        found=read_json(arguments.engine).get("found") if arguments.engine else None,
        labelled={name: [atoms.info["rank"] for atoms in frames] for name, frames in labelled.items()},
        hyperparameters=hyperparameters,
        provenance=read_json(arguments.provenance),
        candidates=read_csv(arguments.candidates) if arguments.candidates else None,
        properties=read_csv(arguments.properties) if arguments.properties else None,
        bootstrap=bootstrap,
        equivalents=read_csv(arguments.equivalents) if arguments.equivalents else None,
        rounds=read_csv(arguments.rounds) if arguments.rounds else None,
        estimate=Estimate.of(read_json(arguments.estimate)),
        files=_files(figures, arguments.data, arguments.trainings, arguments.output.parent),
        kind=own.kind,
        others=_others(list(kinds), own.kind, above, arguments.others),
        families=families(part.study),
        above=above,
    )
    warnings = "".join(f"Suspicious labels: {sentence}\n" for sentence in suspicions)
    warnings += "".join(f"Groups: {sentence}\n" for sentence in hardly)
    warnings += "".join(f"Doubtful model: {sentence}\n" for sentence in doubts)
    write_text(arguments.output_headline, warnings + headline(errors, methods, bootstrap) + "\n")
    write_text(arguments.output, text)
    predictions = read_csv(arguments.predictions)
    maps = [map_page.with_errors(dataset, pool, predictions) for pool, dataset in map_page.read(arguments.maps).items()]
    write_text(arguments.output_map, map_page.render(part.study.study, maps, back="report.html"))


def _others(kinds: Sequence[str], own: str, above: str, tables: Sequence[Path]) -> dict[str, Other]:
    """Return the errors of the other kinds of models, each with the way to its page from this one's."""
    from gapdesign.files import read_csv
    from gapdesign.report.kinds_table import Other

    others = [kind for kind in kinds if kind != own]
    if len(tables) != len(others):
        raise InputError(f"--others: {len(tables)} tables of {len(others)} other kinds of models; name one for each.")
    return {
        kind: Other(f"{above}report.html" if kind == kinds[0] else f"{above}{kind}/report.html", read_csv(path))
        for kind, path in zip(others, tables, strict=True)
    }


def _files(
    figures: Mapping[Path, str], tables: Sequence[Path], trainings: Sequence[Path], folder: Path
) -> dict[str, list[File]]:
    """Return the downloads below each figure of a page in a folder: PDF, SVG and data, a table for each training."""
    from gapdesign.files import read_bytes
    from gapdesign.report.downloads import DATA, File

    def beside(path: Path) -> str:
        return Path(os.path.relpath(path, folder)).as_posix()

    data = {beside(path): path for path in tables}
    offered: dict[str, list[Path]] = {}
    for path, name in sorted(figures.items(), key=lambda entry: entry[0].suffix):
        offered.setdefault(name, []).append(path)
    for name, paths in offered.items():
        paths += [data[DATA[name]]] if DATA.get(name) in data else []
    offered["training"] = list(trainings)
    return {name: [File(beside(path), read_bytes(path)) for path in paths] for name, paths in offered.items()}


def _headline(arguments: argparse.Namespace) -> None:
    path = arguments.results / "headline.txt"
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `snakemake report` for this study first.")
    print(path.read_text(encoding="utf-8").rstrip())
