"""Arguments, progress lines and look-ups that the verbs of several stages share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gapdesign import bundles
from gapdesign.config.job import Job
from gapdesign.config.reading import DEFAULT
from gapdesign.errors import InputError, printable
from gapdesign.progress import Pace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gapdesign.models import Potential

T = TypeVar("T")


def add(
    verbs: argparse._SubParsersAction, what: Job | str, run: Callable, summary: str, more: str = ""
) -> argparse.ArgumentParser:
    """Add a verb.

    Parameters
    ----------
    what : Job or str
        The verb's job in the workflow, or the name of a verb that is no job.
    run : callable
        Called with the parsed arguments and, for a job that reads the configuration, with its part of it.
    summary, more : str
        Help: a phrase, and the text below it.
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
    elif job is not None:
        verb.add_argument("--made-from", metavar="JSON", help="what the workflow makes it from, for its record")
    return verb


def add_config(verb: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    verb.add_argument(
        "--config",
        default=DEFAULT,
        metavar="FILE",
        help="configuration of the study: a YAML file, or JSON as the workflow gives it (%(default)s)",
    )


def add_design(verb: argparse.ArgumentParser) -> None:
    """Add ``--design``."""
    verb.add_argument("--design", required=True, help="name of the design")


def add_kind(verb: argparse.ArgumentParser, default: str | None) -> None:
    """Add ``--kind``; without a default, a job is about the first kind of the study."""
    from gapdesign.models import MODELS

    what = f"kind of model: {', '.join(MODELS)}"
    verb.add_argument("--kind", default=default, help=f"{what} ({default or 'by default the first of the study'})")


def add_memory(verb: argparse.ArgumentParser) -> None:
    """Add ``--memory``."""
    verb.add_argument("--memory", type=int, default=1024, metavar="MIB", help="memory to use, in MiB (%(default)s)")


def add_search(verb: argparse.ArgumentParser) -> None:
    """Add the features of the pool that a design is chosen from, and the memory and threads that choosing may use."""
    add_files(verb, "--features", "all shards of features of the pool (.npy)")
    add_files(verb, "--compressed", "compressed shards (.npy)", may_be_none=True)
    add_files(verb, "--codes", "codes of compressed shards, made from these without (.npy)", may_be_none=True)
    verb.add_argument("--basis", type=Path, metavar="FILE", help="directions of the compression (.npz)")
    add_scaling(verb)
    add_memory(verb)
    verb.add_argument("--threads", type=int, default=1, metavar="N", help="threads to use (%(default)s)")


def add_scaling(verb: argparse.ArgumentParser) -> None:
    """Add the file of the scale of components of environments, which are raw without it."""
    verb.add_argument(
        "--scaling", type=Path, metavar="FILE", help="scale of components where descriptor.components is not raw (.npz)"
    )


def add_output(verb: argparse.ArgumentParser, flag: str = "--output", what: str = "file to write") -> None:
    """Add a required path of a file to write."""
    verb.add_argument(flag, required=True, type=Path, metavar="FILE", help=what)


def add_files(verb: argparse.ArgumentParser, flag: str, what: str, *, may_be_none: bool = False) -> None:
    """Add a list of files, in which a bundle stands for the files that it lists."""
    options = {"nargs": "*", "default": []} if may_be_none else {"nargs": "+", "required": True}
    verb.add_argument(flag, type=Path, action=_Files, metavar="FILE", help=what, **options)


class _Files(argparse.Action):
    """Keeps a list of files, with bundles unpacked."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        """Take the list; see :class:`argparse.Action`."""
        setattr(namespace, self.dest, bundles.unpack(values))


def write_figures(paths: list[Path], figures: Mapping[str, Figure]) -> None:
    """Write figures, each to the files named after it: ``.svg``, ``.pdf`` or both.

    Raises
    ------
    InputError
        If a file is named after none of them, or has another suffix.
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
    """Report progress immediately."""
    print(printable(line), file=sys.stderr, flush=True)


def answer(line: str) -> None:
    """Print a line of what was asked for."""
    print(printable(line))


def progress(what: str) -> Callable[[int, int], None]:
    """A function that reports numbers done and their total, now and then."""
    pace = Pace()

    def tell(done: int, total: int) -> None:
        if pace.is_due():
            say(f"{done} of {total} {what}")

    return tell


def model_of(kind: str) -> type[Potential]:
    """Return the class of a kind of model.

    Raises
    ------
    InputError
        If there is no such kind.
    """
    from gapdesign.models import MODELS

    if kind not in MODELS:
        raise InputError(f"--kind {kind}: there is no such model; choose from {', '.join(MODELS)}.")
    return MODELS[kind]


def choose(design: str, known: Mapping[str, T], flag: str = "--config") -> T:
    """Return the entry of a design in ``known``.

    Raises
    ------
    InputError
        If the design has none.
    """
    if design not in known:
        raise InputError(f"--design {design}: there is no such design in {flag}; choose from {', '.join(known)}.")
    return known[design]


def by_name(paths: list[Path]) -> dict[str, Path]:
    """Return files by the name of their design: ``labels/OPT1.extxyz`` is OPT1's."""
    return {path.name.removesuffix(path.suffix): path for path in paths}
