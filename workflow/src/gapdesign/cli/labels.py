"""Verbs of the stage labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from gapdesign.cli.arguments import add, add_config, add_design, add_files, add_output, by_name, choose, progress, say
from gapdesign.config import study as config
from gapdesign.labels.runs import Keep, Runs

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.labels.labeller import Labeller


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "engine",
        _engine,
        "see that the engine can run here, and say which it is",
        "Programs, files and elements are looked for; nothing is computed.",
    )
    add_config(verb)
    add_output(verb, what="its name, version and settings to write (.json)")

    verb = add(verbs, "isolated", _isolated, "label the isolated atom of every element of the study")
    _add_labeller(verb)
    add_output(verb, what="frames to write (.extxyz)")

    verb = add(
        verbs,
        "label",
        _label,
        "label a range of ranks of a design",
        "Structures that an earlier design holds are left to it; labels in the store are not computed again.",
    )
    _add_labeller(verb)
    add_files(verb, "--designs", "this design and all before it, in the order of the configuration (.extxyz)")
    _add_reserves(verb, "reserves of earlier designs of the same pool, which are left to the verb labels")
    add_design(verb)
    verb.add_argument("--first", required=True, type=int, help="first rank")
    verb.add_argument("--last", required=True, type=int, help="rank after the last")
    _add_max_failed(verb)
    add_output(verb, what="labelled frames to write (.extxyz)")
    add_output(verb, "--failed", "table of structures without a label to write (.csv)")

    verb = add(
        verbs,
        "labels",
        _labels,
        "put the labels of all batches to the structures of a design, and fill it up from its reserve",
        "The next rank takes the place of each structure without a label, so that the design keeps its budget.",
    )
    _add_labeller(verb)
    add_design(verb)
    add_files(verb, "--designs", "this design and all before it (.extxyz)")
    _add_reserves(verb, "reserves of this design and of earlier ones of the same pool")
    add_files(verb, "--labelled", "labelled frames: batches of these designs, earlier designs of the pool (.extxyz)")
    add_files(verb, "--failed", "tables of structures without a label, of the same (.csv)")
    _add_max_failed(verb)
    add_output(verb, what="labelled design to write (.extxyz)")
    add_output(verb, "--output-failed", "table of its structures without a label to write (.csv)")

    verb = add(
        verbs,
        "failed",
        _failed,
        "collect the structures of all designs that got no label",
        "With the engine `file`, results that are of no structure are named, too.",
    )
    add_config(verb)
    add_files(verb, "--tables", "tables of each design, in order (.csv)")
    add_files(verb, "--designs", "all designs (.extxyz)")
    _add_reserves(verb, "their reserves")
    add_output(verb, what="table to write (.csv)")
    add_output(verb, "--output-structures", "the structures to write (.extxyz)")

    verb = add(verbs, "concatenate", _concatenate, "put tables of the same columns under each other")
    add_files(verb, "--tables", "tables, in order (.csv)")
    add_output(verb, what="table to write (.csv)")


def _add_labeller(verb: argparse.ArgumentParser) -> None:
    add_config(verb)
    add_runs(verb)


def add_runs(verb: argparse.ArgumentParser) -> None:
    """Add where labels are kept and engines run."""
    verb.add_argument("--store", required=True, type=Path, metavar="FOLDER", help="where labels are kept")
    verb.add_argument("--scratch", type=Path, metavar="FOLDER", help="where the engine runs, in place of TMPDIR")
    verb.add_argument("--runs", type=Path, metavar="FOLDER", help="where runs are kept; without it none are")
    verb.add_argument("--keep", choices=get_args(Keep), default="failed", help="runs that are kept (%(default)s)")


def _add_reserves(verb: argparse.ArgumentParser, what: str) -> None:
    verb.add_argument("--reserves", nargs="*", default=[], type=Path, metavar="FILE", help=f"{what} (.extxyz)")


def _add_max_failed(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--max-failed",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="stop when more of the design get no label (%(default)s)",
    )


def runs_of(arguments: argparse.Namespace) -> Runs:
    """Where engines run, by the arguments of :func:`add_runs`."""
    return Runs(kept=arguments.runs, keep=arguments.keep, scratch=arguments.scratch)


def _labeller(arguments: argparse.Namespace) -> Labeller:
    from gapdesign import engines
    from gapdesign.labels.labeller import Labeller
    from gapdesign.labels.store import LabelStore

    study = config.load(arguments.config)
    return Labeller(
        engine=engines.make(study.labels.engine, study.labels),
        store=LabelStore(arguments.store),
        runs=runs_of(arguments),
        min_fraction=study.pools.constraints.min_distance,
        limits=study.labels.limits,
        max_core_hours=study.labels.max_core_hours,
    )


def _read(paths: list[Path]) -> dict[str, list[Atoms]]:
    from gapdesign.files import read_frames

    return {name: read_frames(path) for name, path in by_name(paths).items()}


def _engine(arguments: argparse.Namespace) -> None:
    from gapdesign import engines
    from gapdesign.files import write_json

    study = config.load(arguments.config)
    engine = engines.make(study.labels.engine, study.labels)
    engine.check(study.symbols())
    write_json(arguments.output, {"engine": engine.name, "version": engine.version, "settings": dict(engine.settings)})
    say(f"{engine.name} can run: {engine.version}")


def _isolated(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_frames
    from gapdesign.labels.labelling import isolated_atoms

    symbols = config.load(arguments.config).symbols()
    write_frames(arguments.output, isolated_atoms(symbols, _labeller(arguments)))


def _label(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import write_csv, write_frames
    from gapdesign.labels.failures import COLUMNS, Allowance
    from gapdesign.labels.labelling import label_frames, owned

    labeller, designs = _labeller(arguments), _read(arguments.designs)
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
    write_csv(arguments.failed, pd.DataFrame(failures, columns=COLUMNS))
    write_frames(arguments.output, frames)
    say(f"{len(frames)} structures labelled by {labeller.engine.name}, {len(failures)} failed")


def _labels(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.errors import InputError
    from gapdesign.files import read_frames, write_csv, write_frames
    from gapdesign.labels.failures import COLUMNS, Allowance, structures
    from gapdesign.labels.labelling import complete

    designs, reserves = _read(arguments.designs), _read(arguments.reserves)
    members, reserve = choose(arguments.design, designs, "--designs"), reserves.get(arguments.design, [])
    everything = {name: [*frames, *reserves.get(name, [])] for name, frames in designs.items()}
    rows = [row for path in arguments.failed for row in _rows(path)]
    frames, failures = complete(
        members,
        reserve,
        _labeller(arguments),
        design=arguments.design,
        labelled=[atoms for path in arguments.labelled for atoms in read_frames(path)],
        failed=zip(structures(rows, everything), rows, strict=True),
        allowance=Allowance(members, arguments.max_failed),
        progress=progress("labelled"),
    )
    if not frames:
        raise InputError(f"{arguments.design}: none of its structures got a label; the first: {failures[0]['reason']}")
    write_csv(arguments.output_failed, pd.DataFrame(failures, columns=COLUMNS))
    write_frames(arguments.output, frames)
    replaced = sum(atoms.info["rank"] >= len(members) for atoms in frames)
    say(f"{len(frames)} of {len(members)} structures have a label, {replaced} of them from the reserve")
    if len(frames) < len(members):
        say(f"the reserve of {len(reserve)} is used up; raise labels.reserve for a design that keeps its budget")


def _rows(path: Path) -> list[dict]:
    from gapdesign.files import read_csv

    return read_csv(path).fillna({"directory": ""}).to_dict("records")


def _failed(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign import engines
    from gapdesign.files import write_csv, write_frames
    from gapdesign.labels.failures import COLUMNS, structures

    designs, reserves = _read(arguments.designs), _read(arguments.reserves)
    rows = [row for path in arguments.tables for row in _rows(path)]
    everything = {name: [*frames, *reserves.get(name, [])] for name, frames in designs.items()}
    write_frames(arguments.output_structures, structures(rows, everything))
    write_csv(arguments.output, pd.DataFrame(rows, columns=COLUMNS))
    study = config.load(arguments.config)
    if study.labels.engine == "file":
        frames = [atoms for members in everything.values() for atoms in members]
        surplus = engines.make("file", study.labels).surplus(frames)
        say(f"{len(surplus)} results are of no structure of the study" + "".join(f"\n  {source}" for source in surplus))


def _concatenate(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import read_csv, write_csv

    tables = [read_csv(path) for path in arguments.tables]
    full = [table for table in tables if len(table)] or tables[:1]
    write_csv(arguments.output, pd.concat(full, ignore_index=True))
