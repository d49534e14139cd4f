"""Verbs of the stage properties."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gapdesign.cli.arguments import add, add_config, add_files, add_output, by_name, say, write_figures
from gapdesign.cli.labels import add_runs, runs_of
from gapdesign.config import study as config

if TYPE_CHECKING:
    from gapdesign.config.study import Study
    from gapdesign.properties import Measurement
    from gapdesign.properties.base import Evaluate


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "measure",
        _measure,
        "measure the properties of crystals with one model",
        "What `properties` of the configuration asks for; what cannot be measured is a row with the reason.",
    )
    add_config(verb)
    verb.add_argument("--potential", required=True, type=Path, metavar="FILE", help="the model (gp.xml)")
    _add_outputs(verb)

    verb = add(verbs, "measure-reference", _reference, "measure the same with the reference engine")
    add_config(verb)
    add_runs(verb)
    _add_outputs(verb)

    verb = add(verbs, "properties", _properties, "put the properties of all models beside reference and published ones")
    add_config(verb)
    add_files(verb, "--values", "values of each model, and of the reference, by its name (.csv)")
    add_files(verb, "--curves", "their curves (.csv)")
    add_output(verb, what="table to write (.csv)")
    add_output(verb, "--output-curves", "all curves in one table to write (.csv)")

    verb = add(verbs, "properties-figures", _figures, "draw properties from the tables")
    add_config(verb)
    verb.add_argument("--values", required=True, type=Path, metavar="FILE", help="properties.csv")
    verb.add_argument("--curves", required=True, type=Path, metavar="FILE", help="properties/curves.csv")
    add_files(verb, "--output", "figures to write, each called by what it shows (.svg)")


def _add_outputs(verb: argparse.ArgumentParser) -> None:
    add_output(verb, what="values to write (.csv)")
    add_output(verb, "--output-curves", "curves to write (.csv)")


def _measurement(study: Study, names: tuple[str, ...]) -> Measurement:
    from gapdesign.properties import Measurement
    from gapdesign.structures import prototypes

    return Measurement(
        names=names,
        prototypes=prototypes(study.prototypes),
        options=study.properties,
        farthest=max(study.descriptor.soap.r_cut, study.kernel.pair.r_cut),
        seed=study.seed,
        say=say,
    )


def _write(arguments: argparse.Namespace, measurement: Measurement, evaluate: Evaluate) -> None:
    from gapdesign.files import write_csv

    values, curves = measurement.run(evaluate)
    write_csv(arguments.output_curves, curves)
    write_csv(arguments.output, values)
    failed = values[values["reason"] != ""]
    for row in failed.to_dict("records"):
        say(f"{row['property']} of {row['prototype']} was not measured: {row['reason']}")
    say(f"{len(values) - len(failed)} values, {len(failed)} properties not measured")


def _measure(arguments: argparse.Namespace) -> None:
    from gapdesign.properties.calculators import of_model

    study = config.load(arguments.config)
    _write(arguments, _measurement(study, study.properties.compute), of_model(arguments.potential))


def _reference(arguments: argparse.Namespace) -> None:
    from gapdesign import engines
    from gapdesign.properties.calculators import of_engine

    study = config.load(arguments.config)
    engine = engines.make(study.labels.engine, study.labels)
    engine.check(study.symbols())
    names = study.properties.of_reference(type(engine))
    _write(arguments, _measurement(study, names), of_engine(engine, arguments.store, runs_of(arguments)))


def _properties(arguments: argparse.Namespace) -> None:
    from gapdesign.files import read_csv, write_csv
    from gapdesign.properties.compare import compare, together

    study = config.load(arguments.config)
    values = {name: read_csv(path) for name, path in by_name(arguments.values).items()}
    curves = {name: read_csv(path) for name, path in by_name(arguments.curves).items()}
    write_csv(arguments.output_curves, together(curves))
    write_csv(arguments.output, compare(values, curves, study.properties.published.values))


def _figures(arguments: argparse.Namespace) -> None:
    from gapdesign.files import read_csv
    from gapdesign.report import properties_figures

    study = config.load(arguments.config)
    figures = properties_figures.draw(
        read_csv(arguments.values),
        read_csv(arguments.curves),
        methods=study.methods(),
    )
    write_figures(arguments.output, figures)
