"""Verbs of the stage labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign import config
from gapdesign.cli.arguments import add, add_config, add_files, add_output, by_name, choose, say


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(verbs, "isolated", _isolated, "label the isolated atom of every element of the study")
    add_config(verb)
    verb.add_argument("--store", required=True, type=Path, metavar="FOLDER", help="where labels are kept")
    add_output(verb, what="frames to write (.extxyz)")

    verb = add(
        verbs,
        "label",
        _label,
        "label a range of ranks of a design",
        "Structures that an earlier design holds are left to it; labels in the store are not computed again.",
    )
    add_config(verb)
    verb.add_argument("--store", required=True, type=Path, metavar="FOLDER", help="where labels are kept")
    add_files(verb, "--designs", "this design and all before it, in the order of the configuration (.extxyz)")
    verb.add_argument("--design", required=True, help="name of the design")
    verb.add_argument("--first", required=True, type=int, help="first rank")
    verb.add_argument("--last", required=True, type=int, help="rank after the last")
    add_output(verb, what="labelled frames to write (.extxyz)")
    add_output(verb, "--failed", "table of structures without a label to write (.csv)")

    verb = add(verbs, "labels", _labels, "put the labels of all batches to the structures of a design")
    verb.add_argument("--design", required=True, type=Path, metavar="FILE", help="the design (.extxyz)")
    add_files(verb, "--batches", "labelled frames of this design and all before it (.extxyz)")
    add_output(verb, what="labelled design to write (.extxyz)")

    verb = add(verbs, "concatenate", _concatenate, "put tables of the same columns under each other")
    add_files(verb, "--tables", "tables, in order (.csv)")
    add_output(verb, what="table to write (.csv)")


def _isolated(arguments: argparse.Namespace) -> None:
    from gapdesign import engines
    from gapdesign.files import write_frames
    from gapdesign.labels import isolated_atoms
    from gapdesign.store import LabelStore

    study = config.load(arguments.config)
    engine = engines.make(study.labels.engine, study.labels)
    write_frames(arguments.output, isolated_atoms(study.symbols(), engine, LabelStore(arguments.store)))


def _label(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign import engines
    from gapdesign.files import read_frames, write_csv, write_frames
    from gapdesign.labels import FAILURE_COLUMNS, label_frames, owned
    from gapdesign.store import LabelStore

    study = config.load(arguments.config)
    engine = engines.make(study.labels.engine, study.labels)
    designs = {name: read_frames(path) for name, path in by_name(arguments.designs).items()}
    members = choose(arguments.design, designs, "--designs")
    frames, failures = label_frames(
        [members[rank] for rank in owned(designs, arguments.design, arguments.first, arguments.last)],
        engine,
        LabelStore(arguments.store),
        design=arguments.design,
        min_fraction=study.pools.constraints.min_distance,
        progress=lambda done, all_of_them: say(f"{done} of {all_of_them} labelled") if done % 50 == 0 else None,
    )
    write_csv(arguments.failed, pd.DataFrame(failures, columns=FAILURE_COLUMNS))
    write_frames(arguments.output, frames)
    say(f"{len(frames)} structures labelled by {study.labels.engine}, {len(failures)} failed")


def _labels(arguments: argparse.Namespace) -> None:
    from gapdesign.errors import InputError
    from gapdesign.files import read_frames, write_frames
    from gapdesign.labels import collect

    batches = [atoms for path in arguments.batches for atoms in read_frames(path)]
    frames = collect(read_frames(arguments.design), batches, design=arguments.design.stem)
    if not frames:
        raise InputError(f"{arguments.design}: none of its structures got a label; see labels/failed.csv for why.")
    write_frames(arguments.output, frames)


def _concatenate(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import read_csv, write_csv

    tables = [read_csv(path) for path in arguments.tables]
    full = [table for table in tables if len(table)] or tables[:1]
    write_csv(arguments.output, pd.concat(full, ignore_index=True))
