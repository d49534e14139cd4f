"""Verb of the stage crossval."""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

import numpy as np

from gapdesign.cli.arguments import add, add_files, add_kind, add_output, by_name, choose, model_of, say
from gapdesign.cli.parts.features import DistancePart
from gapdesign.config.job import Job
from gapdesign.models.options import DEFAULT


class CrossvalPart(DistancePart):
    """Keys that the table of errors depends on, besides the predictions: distances identify duplicates."""

    seed: int


PREDICT = Job(
    verb="predict",
    rule="crossval_predict",
    stage="crossval",
    memory=2000,
    minutes=120,
    works_on="labels/{design}.extxyz",
)
CROSSVAL = Job(verb="crossval", rule="crossval_errors", stage="crossval", reads=CrossvalPart)
JOBS = (PREDICT, CROSSVAL)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(verbs, PREDICT, _predict, "predict energies, forces and virials of every design with one model")
    verb.add_argument("--model", required=True, help="name of the design that the model was fitted to")
    verb.add_argument("--potential", required=True, type=Path, metavar="FILE", help="the model, such as gp.xml")
    add_kind(verb, DEFAULT)
    add_files(verb, "--labels", "labelled designs, in the order of the configuration (.extxyz)")
    add_output(verb, what="predictions to write (.csv)")
    add_output(verb, "--output-forces", "forces of all atoms, predicted and labelled, to write (.npz)")

    verb = add(
        verbs,
        CROSSVAL,
        _crossval,
        "make the n x n tables of errors",
        "Flags and counts the test structures of which a model has seen the original or a copy in training.",
    )
    add_files(verb, "--predictions", "predictions of each model (.csv)")
    add_files(verb, "--forces", "forces by each model (.npz)")
    add_files(verb, "--features", "features of each design (.npy)")
    add_files(
        verb,
        "--reserves",
        "features of the designs' reserves, where reserves replaced ranks without a label (.npy)",
        may_be_none=True,
    )
    add_output(verb, "--output-predictions", "all predictions, with a column `duplicate`, to write (.csv)")
    add_output(verb, "--output-errors", "errors to write (.csv)")
    add_output(verb, "--output-groups", "errors by config_type and element to write (.csv)")
    add_output(verb, "--output-forces", "forces of some atoms, for figures, to write (.csv)")
    add_output(verb, "--output-duplicates", "numbers of duplicates to write (.csv)")
    add_output(verb, "--output-bootstrap", "worst errors on resampled test sets to write (.csv)")


def _predict(arguments: argparse.Namespace) -> None:
    from gapdesign.crossval.forces import Forces
    from gapdesign.crossval.predictions import predictions
    from gapdesign.files import read_frames, write_csv

    designs = {name: read_frames(path) for name, path in by_name(arguments.labels).items()}
    # One potential for all: a large one takes longer to load than to use.
    evaluate = model_of(arguments.kind).evaluator(arguments.potential)
    predicted = {name: list(map(evaluate, frames)) for name, frames in designs.items()}
    write_csv(arguments.output, predictions(arguments.model, designs, predicted))
    frames, found = list(chain(*designs.values())), list(chain(*predicted.values()))
    Forces.of(frames, found).write(arguments.output_forces)
    say(f"{len(frames)} structures of {len(designs)} designs tested on the model of {arguments.model}")


def _crossval(arguments: argparse.Namespace, part: CrossvalPart) -> None:
    import pandas as pd

    from gapdesign.crossval.bootstrap import bootstrap
    from gapdesign.crossval.duplicates import duplicates, flag_duplicates
    from gapdesign.crossval.errors import errors, errors_by_group
    from gapdesign.crossval.forces import Forces, sample
    from gapdesign.files import read_array, read_csv, write_csv
    from gapdesign.streams import stream

    tables = {name: read_csv(path) for name, path in by_name(arguments.predictions).items()}
    panels = len(tables) * len(arguments.features)
    told: dict[Path, list[pd.DataFrame]] = {
        path: [] for path in (arguments.output_errors, arguments.output_groups, arguments.output_forces)
    }
    for name, path in by_name(arguments.forces).items():
        # One model at a time: forces are as many as all atoms of all designs.
        table, forces = choose(name, tables, "--predictions"), Forces.read(path)
        made = (errors(table, forces), errors_by_group(table, forces), sample(table, forces, panels))
        for output, rows in zip(told, made, strict=True):
            told[output].append(rows)
    table = pd.concat(tables.values(), ignore_index=True)
    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.features).items()}
    for name, path in by_name(arguments.reserves).items():
        features[name] = np.concatenate([features[name], read_array(path)])
    table = flag_duplicates(table, features, part.covariance)
    write_csv(arguments.output_predictions, table)
    say(f"{len(table)} predictions by {table['model'].nunique()} models")
    for output, rows in told.items():
        write_csv(output, pd.concat([some for some in rows if len(some)] or rows[:1], ignore_index=True))
    write_csv(arguments.output_duplicates, duplicates(table))
    rng = np.random.Generator(stream(f"{part.seed}/crossval/bootstrap"))
    write_csv(arguments.output_bootstrap, bootstrap(table, rng))
