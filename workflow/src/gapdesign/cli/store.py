"""Verbs for labels beyond one study: store, match."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign.cli.arguments import add, add_config, add_output, progress, say
from gapdesign.engines import ENGINES
from gapdesign.engines.options import LabelOptions
from gapdesign.errors import InputError, ProgramError

STORE = LabelOptions.model_fields["store"].default


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    store = add(
        verbs,
        "store",
        _store,
        "verify, export or import the labels of a store",
        "example: gapdesign store verify labels-store",
    )
    actions = store.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do")
    action = add(
        actions, "verify", _verify, "check every label, list the damaged ones, and exit with status 1 if there are any"
    )
    _add_folder(action)
    action = add(
        actions,
        "export",
        _export_store,
        "write all labels to one extended-XYZ file",
        "Any program can read the file, and `gapdesign store import` restores every label to the last bit.",
    )
    _add_folder(action)
    add_output(action, what="file to write (.extxyz)")
    action = add(
        actions,
        "import",
        _import,
        "import the labels of a file that `store export` wrote",
        "Keeps labels that the store already has. Imports nothing unless all labels match their keys and checksums.",
    )
    action.add_argument("file", type=Path, metavar="FILE", help="file to read (.extxyz)")
    _add_folder(action)

    verb = add(
        verbs,
        "match",
        _match,
        "list structures without a label from the engine `file`, and results that match no structure",
        "example: gapdesign match --config config/mine.yaml results/mine/designs/*.extxyz",
    )
    add_config(verb)
    verb.add_argument("designs", nargs="+", type=Path, metavar="DESIGN", help="designs (.extxyz)")


def _add_folder(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("folder", nargs="?", default=STORE, type=Path, metavar="FOLDER", help="the store (%(default)s)")


def _store(arguments: argparse.Namespace) -> None:
    """Never called: an action is required, and has a function of its own."""


def _verify(arguments: argparse.Namespace) -> None:
    from gapdesign.labels.store import LabelStore

    store = LabelStore(arguments.folder)
    damaged = store.verify(progress("labels checked"))
    for path, reason in damaged.items():
        print(f"{path}: {reason}")
    count = len(store.paths())
    if damaged:
        raise ProgramError(
            f"{len(damaged)} of {count} labels in {arguments.folder} are damaged; they are ignored, and computed"
            " again when they are needed."
        )
    print(f"{arguments.folder}: {count} labels, all intact")


def _export_store(arguments: argparse.Namespace) -> None:
    from gapdesign.labels.store import LabelStore

    count = LabelStore(arguments.folder).export(arguments.output)
    print(f"{arguments.output}: {count} labels")


def _import(arguments: argparse.Namespace) -> None:
    from gapdesign.labels.store import LabelStore

    taken, known = LabelStore(arguments.folder).read_in(arguments.file)
    print(f"{arguments.folder}: {taken} labels imported, {known} were there already")


def _match(arguments: argparse.Namespace) -> None:
    from gapdesign import engines
    from gapdesign.config import study as config
    from gapdesign.files import read_frames

    study = config.load(arguments.config)
    engine = engines.make(study.labels.engine, study.labels)
    if engine.computes:
        found = " or ".join(f"`{name}`" for name, each in ENGINES.items() if not each.computes)
        raise InputError(f"labels.engine: {engine.name} makes its labels; only those of {found} can be matched.")
    everything = []
    for path in arguments.designs:
        frames = read_frames(path)
        missing = engine.missing(frames)
        for atoms, reason in missing:
            print(f"{path.stem} rank {atoms.info.get('rank')}: {reason}")
        say(f"{path.stem}: {len(frames) - len(missing)} of {len(frames)} structures have a label")
        everything += frames
    surplus = engine.surplus(everything)
    for source in surplus:
        print(f"{source}: matches no structure of these designs")
    say(f"{len(surplus)} results match no structure of these designs")
