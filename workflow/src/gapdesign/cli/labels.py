"""Verbs of the stage labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

from gapdesign.cli.arguments import add, add_design, add_files, add_output, by_name, choose, progress, say
from gapdesign.cli.parts.labels import EnginePart, GatePart
from gapdesign.config.job import Job, of_labels
from gapdesign.config.keys import Symbols
from gapdesign.config.part import From, Part
from gapdesign.labels.runs import Keep, Runs
from gapdesign.labels.suspicions import Contradictions

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.engines.base import Engine
    from gapdesign.labels.labeller import Labeller
    from gapdesign.labels.suspicions import Suspicion


Believed = Annotated[Contradictions, From(lambda at: at.study.labels.contradictions)]


class LabelPart(Part):
    """Keys that labels depend on, besides the structures."""

    engine: EnginePart
    gate: GatePart


class IsolatedPart(Part):
    """Keys that the labels of isolated atoms depend on."""

    engine: EnginePart
    symbols: Symbols


class FailedPart(Part):
    """Keys that the table of structures without a label depends on."""

    engine: EnginePart
    contradictions: Believed


class EngineCheckPart(Part):
    """Keys that the check of the engine depends on."""

    engine: EnginePart
    symbols: Symbols
    contradictions: Believed


ENGINE = Job(
    verb="engine",
    rule="labels_engine",
    stage="labels",
    reads=EngineCheckPart,
    memory=1500,
    minutes=30,
    threads=of_labels,
)
ISOLATED = Job(
    verb="isolated",
    rule="labels_isolated",
    stage="labels",
    reads=IsolatedPart,
    memory=1500,
    minutes=60,
    threads=of_labels,
)
LABEL = Job(
    verb="label",
    rule="labels_batch",
    stage="labels",
    reads=LabelPart,
    memory=1500,
    minutes=240,
    threads=of_labels,
)
LABELS = Job(
    verb="labels",
    rule="labels_design",
    stage="labels",
    reads=LabelPart,
    memory=1500,
    minutes=240,
    threads=of_labels,
)
FAILED = Job(verb="failed", rule="labels_failed", stage="labels", reads=FailedPart)
JOBS = (ENGINE, ISOLATED, LABEL, LABELS, FAILED)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        ENGINE,
        _engine,
        "check that the engine can run here, and record its version",
        "Programs, files and elements are looked for; nothing is computed.",
    )
    add_output(verb, what="its name, version and settings to write (.json)")

    verb = add(verbs, ISOLATED, _isolated, "label the isolated atom of every element of the study")
    add_runs(verb)
    add_output(verb, what="frames to write (.extxyz)")

    verb = add(
        verbs,
        LABEL,
        _label,
        "label a range of ranks of a design",
        "Skips structures that an earlier design contains, and takes labels from the store where it has them.",
    )
    add_runs(verb)
    add_files(verb, "--designs", "this design and all before it, in the order of the configuration (.extxyz)")
    _add_reserves(verb, "reserves of earlier designs of the same pool, which the verb `labels` labels")
    add_design(verb)
    verb.add_argument("--first", required=True, type=int, help="first rank")
    verb.add_argument("--last", required=True, type=int, help="rank after the last")
    _add_max_failed(verb)
    add_output(verb, what="labelled frames to write (.extxyz)")
    add_output(verb, "--output-failed", "table of structures without a label to write (.csv)")

    verb = add(
        verbs,
        LABELS,
        _labels,
        "assign the labels of all batches to a design, and complete it from its reserve",
        "The next rank replaces each structure without a label, so that the design keeps its budget.",
    )
    add_runs(verb)
    add_design(verb)
    add_files(verb, "--designs", "this design and all before it (.extxyz)")
    _add_reserves(verb, "reserves of this design and of earlier ones of the same pool")
    add_files(
        verb, "--labelled", "labelled frames: batches of these designs, and earlier designs of the pool (.extxyz)"
    )
    add_files(verb, "--failed", "tables of structures without a label, of the same batches and designs (.csv)")
    _add_max_failed(verb)
    add_output(verb, what="labelled design to write (.extxyz)")
    add_output(verb, "--output-failed", "table of its structures without a label to write (.csv)")
    verb.add_argument(
        "--output-costs", type=Path, metavar="FILE", help="table to write: what its labels cost by the clock (.csv)"
    )

    verb = add(
        verbs,
        FAILED,
        _failed,
        "collect the structures without a label of all designs",
        "With an engine that finds labels in files, also lists the results that match no structure.",
    )
    add_files(verb, "--tables", "tables of each design, in order (.csv)")
    add_files(verb, "--designs", "all designs (.extxyz)")
    _add_reserves(verb, "their reserves")
    add_output(verb, what="table to write (.csv)")
    add_output(verb, "--output-structures", "the structures to write (.extxyz)")
    verb.add_argument("--labelled", nargs="*", default=[], type=Path, metavar="FILE", help="labelled designs (.extxyz)")
    verb.add_argument("--isolated", type=Path, metavar="FILE", help="labelled isolated atoms (.extxyz)")
    verb.add_argument(
        "--output-suspicions", type=Path, metavar="FILE", help="table to write: suspicions about the labels (.csv)"
    )


def add_runs(verb: argparse.ArgumentParser) -> None:
    """Add the folders in which labels are kept and engines run."""
    verb.add_argument("--store", required=True, type=Path, metavar="FOLDER", help="store of labels")
    verb.add_argument(
        "--engine", type=Path, metavar="FILE", help="version of the engine when the run began, to compare with (.json)"
    )
    verb.add_argument(
        "--scratch", type=Path, metavar="FOLDER", help="folder in which the engine runs, instead of TMPDIR"
    )
    verb.add_argument("--runs", type=Path, metavar="FOLDER", help="folder in which runs are kept; by default none are")
    verb.add_argument("--cores", type=int, default=1, metavar="N", help="cores that the engine has (%(default)s)")
    verb.add_argument("--keep", choices=get_args(Keep), default="failed", help="runs to keep (%(default)s)")


def _add_reserves(verb: argparse.ArgumentParser, what: str) -> None:
    add_files(verb, "--reserves", f"{what} (.extxyz)", may_be_none=True)


def _add_max_failed(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--max-failed",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="largest share of the design that may have no label (%(default)s)",
    )


def runs_of(arguments: argparse.Namespace) -> Runs:
    """Return the folders in which engines run, from the arguments of :func:`add_runs`."""
    return Runs(kept=arguments.runs, keep=arguments.keep, scratch=arguments.scratch)


def same_engine(arguments: argparse.Namespace, part: EnginePart) -> Engine:
    """Return the engine, if it is still what it was when the run began.

    Raises
    ------
    InputError
        If it is not.
    """
    from gapdesign.labels.version import refuse_other

    engine = part.make()
    if arguments.engine is not None:
        refuse_other(engine, arguments.engine)
    return engine


def _labeller(arguments: argparse.Namespace, engine: EnginePart, gate: GatePart | None = None) -> Labeller:
    from gapdesign.labels.labeller import Labeller
    from gapdesign.labels.store import LabelStore

    made = same_engine(arguments, engine)
    places = {"store": LabelStore(arguments.store), "runs": runs_of(arguments), "cores": arguments.cores}
    if gate is None:  # nothing about an isolated atom can be refused
        return Labeller(engine=made, min_fraction=0.0, **places)
    return Labeller(
        engine=made,
        min_fraction=gate.min_distance,
        limits=gate.limits,
        max_core_hours=gate.max_core_hours,
        **places,
    )


def _read(paths: list[Path]) -> dict[str, list[Atoms]]:
    from gapdesign.labels.members import read_members

    return {name: read_members(path) for name, path in by_name(paths).items()}


def _engine(arguments: argparse.Namespace, part: EngineCheckPart) -> None:
    from gapdesign.inputs.labels import in_words
    from gapdesign.labels.suspicions import judge, of_engine
    from gapdesign.labels.version import record

    engine = part.engine.make()
    engine.check(part.symbols)
    engine.load(part.symbols)
    judge(of_engine(engine, part.symbols), part.contradictions, say)
    record(engine, arguments.output)
    if found := engine.found():
        say(f"labels.file: {in_words(found)}")
    say(f"{engine.name} can run: {engine.version}")


def _isolated(arguments: argparse.Namespace, part: IsolatedPart) -> None:
    from gapdesign.files import write_frames
    from gapdesign.labels.labelling import isolated_atoms

    write_frames(arguments.output, isolated_atoms(part.symbols, _labeller(arguments, part.engine)))


def _label(arguments: argparse.Namespace, part: LabelPart) -> None:
    import pandas as pd

    from gapdesign.files import write_csv, write_frames
    from gapdesign.labels.failures import COLUMNS, Allowance
    from gapdesign.labels.labelling import label_frames, owned
    from gapdesign.labels.version import MARK, mark

    labeller, designs = _labeller(arguments, part.engine, part.gate), _read(arguments.designs)
    members = choose(arguments.design, designs, "--designs")
    reserves = _read(arguments.reserves).values()
    ranks = owned(designs, arguments.design, arguments.first, arguments.last, reserves=reserves)
    frames, failures = label_frames(
        [members[rank] for rank in ranks],
        labeller,
        design=arguments.design,
        allowance=Allowance(members, arguments.max_failed),
        progress=progress("labelled"),
    )
    for atoms in frames:
        atoms.info[MARK] = mark(labeller.engine)
    write_csv(arguments.output_failed, pd.DataFrame(failures, columns=COLUMNS))
    write_frames(arguments.output, frames)
    say(f"{len(frames)} structures labelled by {labeller.engine.name}, {len(failures)} failed")


def _labels(arguments: argparse.Namespace, part: LabelPart) -> None:
    import pandas as pd

    from gapdesign.errors import InputError
    from gapdesign.files import read_frames, write_csv, write_frames
    from gapdesign.labels.failures import COLUMNS, Allowance, structures
    from gapdesign.labels.labelling import complete
    from gapdesign.labels.version import refuse_mixture
    from gapdesign.methods.designs import LEFT

    designs, reserves = _read(arguments.designs), _read(arguments.reserves)
    members, reserve = choose(arguments.design, designs, "--designs"), reserves.get(arguments.design, [])
    everything = {name: [*frames, *reserves.get(name, [])] for name, frames in designs.items()}
    rows = [row for path in arguments.failed for row in _rows(path)]
    labeller = _labeller(arguments, part.engine, part.gate)
    labelled = [atoms for path in arguments.labelled for atoms in read_frames(path)]
    refuse_mixture(labelled, labeller.engine, arguments.design)
    frames, failures = complete(
        members,
        reserve,
        labeller,
        design=arguments.design,
        labelled=labelled,
        failed=zip(structures(rows, everything), rows, strict=True),
        allowance=Allowance(members, arguments.max_failed),
        progress=progress("labelled"),
    )
    if not frames:
        raise InputError(f"{arguments.design}: none of its structures got a label; the first: {failures[0]['reason']}")
    write_csv(arguments.output_failed, pd.DataFrame(failures, columns=COLUMNS))
    write_frames(arguments.output, frames)
    if arguments.output_costs:
        known = [(atoms.info["rank"], labeller.core_hours(atoms)) for atoms in frames]
        write_csv(arguments.output_costs, pd.DataFrame(known, columns=["rank", "core_hours"]))
    replaced = sum(atoms.info["rank"] >= len(members) for atoms in frames)
    say(f"{len(frames)} of {len(members)} structures have a label, {replaced} of them from the reserve")
    if len(frames) < len(members):
        fits = " that fits the budget of core-hours" if LEFT in members[-1].info else ""
        say(f"nothing is left in the reserve of {len(reserve)}{fits}; raise labels.reserve to keep the budget")


def _rows(path: Path) -> list[dict]:
    from gapdesign.files import read_csv

    return read_csv(path).fillna({"directory": ""}).to_dict("records")


def _failed(arguments: argparse.Namespace, part: FailedPart) -> None:
    import pandas as pd

    from gapdesign.files import write_csv, write_frames
    from gapdesign.labels.failures import COLUMNS, structures
    from gapdesign.labels.suspicions import judge, table

    designs, reserves = _read(arguments.designs), _read(arguments.reserves)
    rows = [row for path in arguments.tables for row in _rows(path)]
    everything = {name: [*frames, *reserves.get(name, [])] for name, frames in designs.items()}
    write_frames(arguments.output_structures, structures(rows, everything))
    write_csv(arguments.output, pd.DataFrame(rows, columns=COLUMNS))
    if arguments.output_suspicions:
        found = _suspicious(arguments.labelled, arguments.isolated)
        judge(found, part.contradictions, say)
        write_csv(arguments.output_suspicions, table(found))
    engine = part.engine.make()
    if engine.files:
        surplus = engine.surplus([atoms for members in everything.values() for atoms in members])
        say(f"{len(surplus)} results match no structure of the study" + "".join(f"\n  {source}" for source in surplus))


def _suspicious(labelled: list[Path], isolated: Path | None) -> list[Suspicion]:
    """Return what is suspicious about the labels in some files."""
    from gapdesign.files import read_frames
    from gapdesign.labels.suspicions import suspicions

    frames = [atoms for path in labelled for atoms in read_frames(path)]
    alone = read_frames(isolated) if isolated else []
    return suspicions(frames, {str(atoms.symbols): float(atoms.info["REF_energy"]) for atoms in alone})
