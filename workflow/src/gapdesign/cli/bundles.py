"""The verb that lists files for jobs that read many."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign.cli.arguments import add, add_output
from gapdesign.config.job import Job

BUNDLE = Job(verb="bundle", rule="bundle", stage="design")
JOBS = (BUNDLE,)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb."""
    verb = add(
        verbs,
        BUNDLE,
        _bundle,
        "list files, for jobs that read many",
        "Where a verb takes a list of files, a bundle stands for the files that it lists.",
    )
    verb.add_argument("--files", nargs="+", required=True, type=Path, metavar="FILE", help="files or bundles, in order")
    add_output(verb, what="list to write (.bundle)")


def _bundle(arguments: argparse.Namespace) -> None:
    from gapdesign import bundles

    bundles.write(arguments.output, arguments.files)
