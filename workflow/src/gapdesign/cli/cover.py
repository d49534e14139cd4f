"""The verb that compares two sets of frames."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign.cli.arguments import add, answer, say
from gapdesign.cli.sets import backend_of, frames_of, refuse_overwriting
from gapdesign.errors import InputError


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "cover",
        _cover,
        "find what one set of frames does not know of another",
        "Compares each frame of theirs with the nearest frame of mine, by the kernel distance that pick goes by. The\n"
        "yardstick is the spacing of mine: the median distance of its frames from their nearest other. Frames of\n"
        "theirs that are farther are uncovered: a potential that was trained on mine has seen nothing like them. No\n"
        "labels are needed.\n"
        "\n"
        "Writes the uncovered frames as they were read, the farthest first, with cover_distance, cover_frame (place\n"
        "in their file) and cover_nearest (place of the nearest in mine); a table of all distances; and a page.\n"
        "\n"
        "example: gapdesign cover training.xyz md-at-1200K.xyz\n"
        "example: gapdesign pick uncovered.extxyz 20 --existing training.xyz",
    )
    verb.add_argument("mine", metavar="MINE", help="frames that you have; any file of structures that ASE reads")
    verb.add_argument("theirs", metavar="THEIRS", help="frames to compare; - for extended XYZ from stdin")
    verb.add_argument("--descriptor", metavar="NAME", help="features to compare by (that of studies: SOAP)")
    for flag, name, what in (
        ("--output", "uncovered.extxyz", "frames to write, if any is uncovered"),
        ("--output-table", "cover.csv", "distances to write"),
        ("--output-page", "cover.html", "page to write"),
    ):
        verb.add_argument(flag, type=Path, default=Path(name), metavar="FILE", help=f"{what} (%(default)s)")


def _cover(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_csv, write_frames, write_text
    from gapdesign.report.cover_page import render
    from gapdesign.sets.cover import cover, in_words

    backend = backend_of(arguments)
    refuse_overwriting(arguments, arguments.mine, arguments.theirs)
    if arguments.mine == "-":
        raise InputError("MINE: only THEIRS comes from standard input; name a file.")
    mine, theirs = (frames_of(getattr(arguments, name), name.upper()) for name in ("mine", "theirs"))
    found = cover(mine, theirs, backend, say)
    lines = in_words(found, mine, theirs)
    for line in (mine.summary(), theirs.summary(), *lines):
        answer(line)
    write_csv(arguments.output_table, found.table(theirs, mine))
    write_text(arguments.output_page, render(found, mine, theirs, lines))
    if not len(found.uncovered):
        # What an earlier run found uncovered is not so now.
        arguments.output.unlink(missing_ok=True)
        arguments.output = None
        answer(f"next: nothing of {theirs.name} needs a label for the sake of {mine.name}")
        return
    write_frames(arguments.output, found.frames(theirs, mine))
    answer(
        f"next: gapdesign pick {arguments.output} N --existing {mine.name} chooses the N of them that are worth most"
    )
