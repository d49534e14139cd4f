"""Verb `new`: a folder for a study of one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign.cli.arguments import add, say
from gapdesign.errors import InputError


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this module."""
    verb = add(
        verbs,
        "new",
        _new,
        "write a folder for a study of your own, which uses the installed workflow",
        "Writes config.yaml, with comments, a Snakefile and a README.md. Edit the first, then do what the last says.\n"
        "\n"
        "example: gapdesign new my-study\n"
        "example: gapdesign new best-of-md --frames md.xyz\n"
        "example: gapdesign new next-round --frames md.xyz --extend training.xyz",
    )
    verb.add_argument("output", type=Path, metavar="FOLDER", help="folder to make; its name is that of the study")
    case = verb.add_mutually_exclusive_group()
    case.add_argument("--elastic", action="store_true", help="strained crystals, for elasticity and phases (default)")
    case.add_argument("--frames", metavar="FILE", help="choose from the frames of a file")
    verb.add_argument("--extend", metavar="FILE", help="choose what a training set that you have lacks")


def _new(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_text
    from gapdesign.sets.new import files

    folder = arguments.output
    frames, existing = (None if path is None else Path(path) for path in (arguments.frames, arguments.extend))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: it is there already and not empty; name another folder.")
    for key, path in (("frames", frames), ("extend", existing)):
        if path is not None and not path.is_file():
            raise InputError(f"--{key} {path}: no such file; name a file of structures.")
    made = files(folder.resolve().name, frames=frames, existing=existing)
    for name, text in made.items():
        write_text(folder / name, text)
    say(f"{folder}: {', '.join(made)}; next: cd {folder}, look at config.yaml, and type snakemake --cores all design")
