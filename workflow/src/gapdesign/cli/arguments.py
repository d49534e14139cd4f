"""What the verbs of several stages have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gapdesign.config.job import Job
from gapdesign.errors import InputError
from gapdesign.progress import Pace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")


def add(
    verbs: argparse._SubParsersAction, what: Job | str, run: Callable, summary: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add a verb.

    Parameters
    ----------
    what : Job or str
        The job of the workflow that it is, or the name of a verb for people.
    run : callable
        Called with the parsed arguments and, for a job that reads the configuration, its part of that.
    summary, more : str
        Help: a phrase, and what follows it.
    """
    job = what if isinstance(what, Job) else None
    verb = verbs.add_parser(
        job.verb if job else what,
        help=summary,
        description=f"{summary[:1].upper()}{summary[1:]}.\n\n{more}".rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(run=run, job=job)
    if job is not None and job.reads is not None:
        add_config(verb)
    return verb


def add_config(verb: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    from gapdesign.config.study import DEFAULT

    verb.add_argument(
        "--config",
        default=DEFAULT,
        metavar="FILE",
        help="configuration of the study: a YAML file, or the part of it that this verb reads as JSON (%(default)s)",
    )


def add_design(verb: argparse.ArgumentParser) -> None:
    """Add ``--design``."""
    verb.add_argument("--design", required=True, help="name of the design")


def add_memory(verb: argparse.ArgumentParser) -> None:
    """Add ``--memory``."""
    verb.add_argument("--memory", type=int, default=1024, metavar="MIB", help="memory to use, in MiB (%(default)s)")


def add_search(verb: argparse.ArgumentParser) -> None:
    """Add the pool that a design is chosen from, as some methods want it, and what choosing may use."""
    add_files(verb, "--features", "all shards of features of the pool (.npy)")
    verb.add_argument("--compressed", nargs="*", default=[], type=Path, metavar="FILE", help="compressed shards (.npy)")
    verb.add_argument("--basis", type=Path, metavar="FILE", help="directions they were compressed by (.npz)")
    add_memory(verb)
    verb.add_argument("--threads", type=int, default=1, metavar="N", help="threads to use (%(default)s)")


def add_output(verb: argparse.ArgumentParser, flag: str = "--output", what: str = "file to write") -> None:
    """Add a required path of a file to write."""
    verb.add_argument(flag, required=True, type=Path, metavar="FILE", help=what)


def add_files(verb: argparse.ArgumentParser, flag: str, what: str) -> None:
    """Add a required list of files."""
    verb.add_argument(flag, required=True, nargs="+", type=Path, metavar="FILE", help=what)


def write_figures(paths: list[Path], figures: Mapping[str, Figure]) -> None:
    """Write figures, each to the files that are called after it: ``.svg``, ``.pdf`` or both.

    Raises
    ------
    InputError
        If a file is called after none of them, or is of another kind.
    """
    from gapdesign.files import write_bytes, write_text
    from gapdesign.report.style import pdf_bytes, svg_text

    for path in paths:
        if path.stem not in figures:
            raise InputError(f"{path}: there is no figure '{path.stem}'; choose from {', '.join(figures)}.")
        if path.suffix not in (".svg", ".pdf"):
            raise InputError(f"{path}: figures are written as .svg and .pdf.")
    # As SVG first: a figure's layout is settled when it is drawn for the first time.
    for path in sorted(paths, key=lambda path: path.suffix != ".svg"):
        if path.suffix == ".svg":
            write_text(path, svg_text(figures[path.stem]))
        else:
            write_bytes(path, pdf_bytes(figures[path.stem]))


def say(line: str) -> None:
    """Report progress, at once."""
    print(line, file=sys.stderr, flush=True)


def progress(what: str) -> Callable[[int, int], None]:
    """A function that reports numbers done and their total, now and then."""
    pace = Pace()

    def tell(done: int, total: int) -> None:
        if pace.is_due():
            say(f"{done} of {total} {what}")

    return tell


def choose(design: str, known: Mapping[str, T], flag: str = "--config") -> T:
    """What is ``known`` of a design.

    Raises
    ------
    InputError
        If it is not among them.
    """
    if design not in known:
        raise InputError(f"--design {design}: no such design in what {flag} gives, which is {', '.join(known)}.")
    return known[design]


def by_name(paths: list[Path]) -> dict[str, Path]:
    """Files by the name of their design: ``labels/OPT1.extxyz`` is OPT1's."""
    return {path.name.removesuffix(path.suffix): path for path in paths}
