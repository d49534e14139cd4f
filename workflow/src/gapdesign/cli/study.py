"""Verbs about the configuration itself."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from gapdesign.cli.arguments import add, add_config, add_output, say
from gapdesign.cli.parts.study import StudyPart
from gapdesign.config.job import Job
from gapdesign.config.part import At
from gapdesign.errors import InputError
from gapdesign.replay.options import ReplayOptions

if TYPE_CHECKING:
    from gapdesign.config.study import Study
    from gapdesign.planning.jobs import Jobs

PLAN = Job(verb="plan", rule="plan", stage="report", reads=StudyPart)
ESTIMATE = Job(verb="estimate", rule="report_estimate", stage="report", reads=StudyPart)
JOBS = (PLAN, ESTIMATE)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "check",
        _check,
        "check a configuration and summarise the study",
        "Prints designs and sizes of the study, with formula, volume and nearest distance of every prototype and of\n"
        "some frames of every file of structures, or one sentence about the first mistake.\n\n"
        "example: gapdesign check --config config/studies/zr-elastic.yaml",
    )
    add_config(verb)
    verb = add(
        verbs,
        PLAN,
        _plan,
        "estimate the cost of a study before you spend anything",
        "Prints jobs, core-hours, memory, time and disk of every stage, the labels already in the store, and the\n"
        "source of each figure: measured unit costs, or earlier jobs of this study if there are any.\n\n"
        "example: gapdesign plan --config config/studies/zr-elastic.yaml",
    )
    verb.add_argument("--results", type=Path, metavar="FOLDER", help="folder of the study's results (results/<study>)")
    verb.add_argument(
        "--jobs", type=int, default=100, metavar="N", help="jobs that run at once, for wall times (%(default)s)"
    )
    verb = add(
        verbs,
        "leftovers",
        _leftovers,
        "list the shards that a pool of another size has left behind",
        "A study reads the shards of its present pools alone, and removes none: with the old size they count again.\n\n"
        "example: gapdesign leftovers --config config/config.yaml",
    )
    add_config(verb)
    verb.add_argument("--results", type=Path, metavar="FOLDER", help="folder of the study's results (results/<study>)")
    verb.add_argument("--remove", action="store_true", help="remove them")
    verb = add(
        verbs,
        ESTIMATE,
        _estimate,
        "estimate the jobs and core-hours of every stage for the report",
        "Uses unit costs alone, whatever ran before, so that the page of a study is the same each time you make it.",
    )
    add_output(verb, what="estimate to write (.json)")
    verb = add(
        verbs,
        "document",
        _document,
        "write the schema and the documentation of the configuration",
        "For developers. Both files are generated from the descriptions in the library.",
    )
    schema, page = Path("workflow/schemas/config.schema.json"), Path("config/README.md")
    for flag, default in (("schema", schema), ("page", page)):
        what = f"{flag} to write (%(default)s)"
        verb.add_argument(f"--output-{flag}", type=Path, default=default, metavar="FILE", help=what)


def _check(arguments: argparse.Namespace) -> None:
    from gapdesign.config import study as config
    from gapdesign.inputs import summary
    from gapdesign.planning.table import candidates, ends

    study = config.load(arguments.config)
    pools = map(study.pools.of, study.pools.names)
    kinds = Counter((candidates(pool), ends(pool), len(pool.shards), pool.sampler) for pool in pools)
    lines = [
        f"{count} pool{'s' * (count > 1)} of {size} candidates{until},"
        f" {shards} shard{'s' * (shards > 1)} each ({sampler})"
        for (size, until, shards, sampler), count in kinds.items()
    ]
    print(f"{study.study}: {'; '.join(lines)}")
    for name, design in study.designs.items():
        most, core_hours = study.budget_of(name), study.core_hours_of(name)
        ends = "" if core_hours is None else f"labels of {core_hours:g} core-hours, at most "
        role = "" if design.fit else ", a test set only"
        more = "" if design.after is None else f", those of {design.after.design} and more"
        print(f"  {name}: {ends}{most} structures{more} of pool {design.pool} by {design.method}{role}")
    for line in summary.lines(study):
        print(line)
    for note in notes(study):
        print(note)
    count = len(study.kinds) * len(study.fitted())
    models = f"{count} models ({', '.join(study.kinds)})"
    print(f"labels from {study.labels.engine}; {models}, {count * len(study.compared())} cross-validations")
    _check_labels(study)


def _check_labels(study: Study) -> None:
    """Count labels that were made elsewhere, by key, and find the energies of isolated atoms.

    Raises
    ------
    InputError
        If they are not all there, or not what the configuration says.
    """
    from gapdesign import engines
    from gapdesign.inputs.labels import in_words
    from gapdesign.labels.suspicions import judge, of_engine

    engine = engines.make(study.labels.engine, study.labels)
    if engine.computes:
        return
    engine.check(study.symbols())
    engine.load(study.symbols())
    if found := engine.found():
        print(f"labels.{engine.name}: {in_words(found)}")
    judge(of_engine(engine, study.symbols()), study.labels.contradictions, print)


def _leftovers(arguments: argparse.Namespace) -> None:
    from gapdesign.config import study as config
    from gapdesign.shards import leftovers

    study = config.load(arguments.config)
    ranges = {name: study.pools.of(name).shards for name in study.pools.names}
    paths = leftovers(arguments.results or Path("results", study.study), ranges)
    occupied = sum(path.stat().st_size for path in paths)
    for path in paths:
        print(path)
        if arguments.remove:
            path.unlink()
    say(f"{len(paths)} files of {occupied / 1e6:.1f} MB, {'now removed' if arguments.remove else 'of earlier shards'}")


def notes(study: Study) -> list[str]:
    """Return what deserves a thought before the study runs, in lines."""
    from gapdesign.descriptors.sizes import shard_bytes, too_long

    largest = max(shard_bytes(At(study, pool_name=name)) for name in study.pools.names)
    problem = too_long(study, largest)
    found = [f"note: descriptor: {problem}."] if problem else []
    for name, design in study.designs.items():
        if design.after is not None and study.designs[design.after.design].method == design.method:
            continue
        is_priced, of_frames = study.core_hours_of(name) is not None, study.pools.of(design.pool).is_given
        if caution := design.member.caution(design.options, study.kernel, is_priced=is_priced, of_frames=of_frames):
            found.append(f"note: designs.{name}.method: {design.method}: {caution}.")
    return found


def _plan(arguments: argparse.Namespace, part: StudyPart) -> None:
    from gapdesign.planning import plan
    from gapdesign.planning.table import table

    if arguments.jobs < 1:
        raise InputError(f"--jobs {arguments.jobs}: at least one job must run at once; give 1 or more.")
    results = arguments.results or Path("results", part.study.study)
    # Of a study whose configuration has a replay, that too, although the report may not show it.
    targets = ("report", "replay") if part.study.replay != ReplayOptions() else ("report",)
    print(table(plan(part.study, _jobs(part.study, *targets), results, at_once=arguments.jobs)))
    for note in notes(part.study):
        print(note)


def _estimate(arguments: argparse.Namespace, part: StudyPart) -> None:
    from gapdesign.files import write_json
    from gapdesign.planning import estimate, shipped

    stages = {
        name: {"jobs": jobs, "core_hours": hours}
        for name, (jobs, hours) in estimate(part.study, _jobs(part.study)).items()
    }
    write_json(arguments.output, {"machine": shipped()["machine"], "stages": stages})


def _jobs(study: Study, *targets: str) -> list[Jobs]:
    """Return all jobs of targets of a study, by default its report, by rule."""
    from gapdesign import cli
    from gapdesign.planning import dag
    from gapdesign.planning.jobs import by_rule

    return by_rule(dag.ask(study, *targets), {job.rule: job for job in cli.jobs().values()}, study)


def _document(arguments: argparse.Namespace) -> None:
    from gapdesign.config import documentation as configdoc
    from gapdesign.files import write_text

    write_text(arguments.output_schema, configdoc.schema())
    write_text(arguments.output_page, configdoc.page())
