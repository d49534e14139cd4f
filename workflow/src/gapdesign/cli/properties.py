"""Verbs of the stage properties."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from gapdesign.cli.arguments import add, add_files, add_kind, add_output, by_name, model_of, say, write_figures
from gapdesign.cli.labels import add_runs, runs_of, same_engine
from gapdesign.cli.parts.labels import EnginePart
from gapdesign.config.job import Job, of_labels
from gapdesign.config.keys import Methods, Symbols
from gapdesign.config.options import Identifier
from gapdesign.config.part import At, From, Part
from gapdesign.engines import ENGINES
from gapdesign.models.options import DEFAULT
from gapdesign.properties.options import MeasuredOptions
from gapdesign.prototypes import PrototypeOptions

if TYPE_CHECKING:
    from gapdesign.properties import Measurement
    from gapdesign.properties.base import Evaluate


def _effort(names: Callable[[At], tuple[str, ...]]) -> Callable[[At], int]:
    """Return a function that counts the atoms in all calculations of the properties named."""

    def effort(at: At) -> int:
        from gapdesign.properties.work import atoms_evaluated
        from gapdesign.prototypes import prototypes

        return atoms_evaluated(at.study.properties, prototypes(at.study.prototypes), names(at))

    return effort


def _of_reference(at: At) -> tuple[str, ...]:
    return at.study.properties.of_reference(ENGINES[at.study.labels.engine])


class MeasurePart(Part):
    """Keys that the properties of a model depend on."""

    seed: int
    prototypes: dict[Identifier, PrototypeOptions]
    properties: Annotated[MeasuredOptions, From(lambda at: at.study.properties.measured)]
    farthest: Annotated[
        float, From(lambda at: max(at.study.descriptor.soap.r_cut, at.study.kernel.pair.r_cut))
    ]  # the longest dimer, the same for all kinds of models


class MeasureReferencePart(MeasurePart):
    """Keys that the properties by the reference engine depend on."""

    names: Annotated[tuple[str, ...], From(_of_reference)]
    engine: EnginePart
    symbols: Symbols


class PublishedPart(Part):
    """Keys that the table of properties depends on, besides the measurements."""

    published: Annotated[dict[str, dict[str, float]], From(lambda at: at.study.properties.published.values)]


class FiguresPart(Part):
    """Keys that the figures of properties depend on, besides the tables."""

    methods: Methods


MEASURE = Job(
    verb="measure",
    rule="properties_model",
    stage="properties",
    reads=MeasurePart,
    memory=2000,
    minutes=240,
    effort=_effort(lambda at: at.study.properties.compute),
)
MEASURE_REFERENCE = Job(
    verb="measure-reference",
    rule="properties_reference",
    stage="properties",
    reads=MeasureReferencePart,
    memory=1500,
    minutes=240,
    threads=of_labels,
    effort=_effort(_of_reference),
)
PROPERTIES = Job(verb="properties", rule="properties_table", stage="properties", reads=PublishedPart)
FIGURES = Job(verb="properties-figures", rule="properties_figures", stage="properties", reads=FiguresPart)
JOBS = (MEASURE, MEASURE_REFERENCE, PROPERTIES, FIGURES)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        MEASURE,
        _measure,
        "measure the properties of crystals with one model",
        "Measures everything that `properties` of the configuration lists; a failure is a row with the reason.",
    )
    verb.add_argument("--potential", required=True, type=Path, metavar="FILE", help="the model, such as gp.xml")
    add_kind(verb, DEFAULT)
    _add_outputs(verb)

    verb = add(verbs, MEASURE_REFERENCE, _reference, "measure the same properties with the reference engine")
    add_runs(verb)
    _add_outputs(verb)

    verb = add(verbs, PROPERTIES, _properties, "put the properties of all models beside reference and published ones")
    add_files(verb, "--values", "values of each model, and of the reference, by its name (.csv)")
    add_files(verb, "--curves", "their curves (.csv)")
    add_output(verb, what="table to write (.csv)")
    add_output(verb, "--output-curves", "all curves in one table to write (.csv)")

    verb = add(verbs, FIGURES, _figures, "draw properties from the tables")
    verb.add_argument("--values", required=True, type=Path, metavar="FILE", help="properties.csv")
    verb.add_argument("--curves", required=True, type=Path, metavar="FILE", help="properties/curves.csv")
    add_files(verb, "--output", "figures to write, each named after its content (.svg)")


def _add_outputs(verb: argparse.ArgumentParser) -> None:
    add_output(verb, what="values to write (.csv)")
    add_output(verb, "--output-curves", "curves to write (.csv)")


def _measurement(part: MeasurePart, names: tuple[str, ...]) -> Measurement:
    from gapdesign.properties import Measurement
    from gapdesign.prototypes import prototypes

    return Measurement(
        names=names,
        prototypes=prototypes(part.prototypes),
        options=part.properties,
        farthest=part.farthest,
        seed=part.seed,
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


def _measure(arguments: argparse.Namespace, part: MeasurePart) -> None:

    _write(
        arguments, _measurement(part, part.properties.compute), model_of(arguments.kind).evaluator(arguments.potential)
    )


def _reference(arguments: argparse.Namespace, part: MeasureReferencePart) -> None:
    from gapdesign.properties.calculators import of_engine

    engine = same_engine(arguments, part.engine)
    engine.check(part.symbols)
    _write(arguments, _measurement(part, part.names), of_engine(engine, arguments.store, runs_of(arguments)))


def _properties(arguments: argparse.Namespace, part: PublishedPart) -> None:
    from gapdesign.files import read_csv, write_csv
    from gapdesign.properties.compare import compare, together

    values = {name: read_csv(path) for name, path in by_name(arguments.values).items()}
    curves = {name: read_csv(path) for name, path in by_name(arguments.curves).items()}
    write_csv(arguments.output_curves, together(curves))
    write_csv(arguments.output, compare(values, curves, part.published))


def _figures(arguments: argparse.Namespace, part: FiguresPart) -> None:
    from gapdesign.files import read_csv
    from gapdesign.report import properties_figures

    figures = properties_figures.draw(
        read_csv(arguments.values),
        read_csv(arguments.curves),
        methods=part.methods,
    )
    write_figures(arguments.output, figures)
