"""Verb of the stage crossval."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gapdesign.cli.arguments import add, add_files, add_output, by_name, say
from gapdesign.cli.parts import DistancePart
from gapdesign.config.job import Job


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
CROSSVAL = Job(verb="crossval", rule="crossval", stage="crossval", reads=CrossvalPart)
JOBS = (PREDICT, CROSSVAL)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(verbs, PREDICT, _predict, "predict the energies of every design with one model")
    verb.add_argument("--model", required=True, help="name of the design that the model was fitted to")
    verb.add_argument("--potential", required=True, type=Path, metavar="FILE", help="the model (gp.xml)")
    add_files(verb, "--labels", "labelled designs, in the order of the configuration (.extxyz)")
    add_output(verb, what="predictions to write (.csv)")

    verb = add(
        verbs,
        CROSSVAL,
        _crossval,
        "make the n x n table of errors",
        "Flags and counts the test structures of which a model has seen the original or a copy in training.",
    )
    add_files(verb, "--predictions", "predictions of each model (.csv)")
    add_files(verb, "--features", "features of each design (.npy)")
    add_files(
        verb,
        "--reserves",
        "features of the designs' reserves, where reserves replaced ranks without a label (.npy)",
        may_be_none=True,
    )
    add_output(verb, "--output-predictions", "all predictions, with a column `duplicate`, to write (.csv)")
    add_output(verb, "--output-errors", "errors to write (.csv)")
    add_output(verb, "--output-duplicates", "numbers of duplicates to write (.csv)")
    add_output(verb, "--output-bootstrap", "worst errors on resampled test sets to write (.csv)")


def _predict(arguments: argparse.Namespace) -> None:
    from gapdesign.crossval import predictions
    from gapdesign.files import read_frames, write_csv
    from gapdesign.models.gap.predict import energies

    designs = {name: read_frames(path) for name, path in by_name(arguments.labels).items()}
    # One call for all: a large potential takes longer to load than to use.
    together = energies(arguments.potential, [atoms for frames in designs.values() for atoms in frames])
    ends = np.cumsum([len(frames) for frames in designs.values()])
    predicted = dict(zip(designs, np.split(together, ends[:-1]), strict=True))
    write_csv(arguments.output, predictions(arguments.model, designs, predicted))
    say(f"{len(together)} structures of {len(designs)} designs tested on the model of {arguments.model}")


def _crossval(arguments: argparse.Namespace, part: CrossvalPart) -> None:
    import pandas as pd

    from gapdesign import crossval
    from gapdesign.files import read_array, read_csv, write_csv
    from gapdesign.streams import stream

    table = pd.concat([read_csv(path) for path in arguments.predictions], ignore_index=True)
    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.features).items()}
    for name, path in by_name(arguments.reserves).items():
        features[name] = np.concatenate([features[name], read_array(path)])
    table = crossval.flag_duplicates(table, features, part.covariance)
    write_csv(arguments.output_predictions, table)
    say(f"{len(table)} predictions by {table['model'].nunique()} models")
    write_csv(arguments.output_errors, crossval.errors(table))
    write_csv(arguments.output_duplicates, crossval.duplicates(table))
    rng = np.random.Generator(stream(f"{part.seed}/crossval/bootstrap"))
    write_csv(arguments.output_bootstrap, crossval.bootstrap(table, rng))
