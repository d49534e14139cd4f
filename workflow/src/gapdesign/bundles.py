"""Bundles: files that list many files, for the inputs of jobs that read whole stretches of designs or shards.

A line holds a mark of the content of a file, and its path; so a bundle changes when one of its files does. The first
line is a checksum of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from gapdesign import records
from gapdesign.errors import InputError
from gapdesign.files import sha256, write_text

SUFFIX = ".bundle"
"""How the names of bundles end."""

SMALL = 10**6
"""Size, in bytes, up to which a file without a record is known by its content; a larger one by size and time."""


def write(output: str | Path, paths: Iterable[str | Path]) -> None:
    """Write a bundle of files.

    Raises
    ------
    InputError
        If a path has a line break in it.
    """
    lines = [f"{_mark(Path(path))} {path}" for path in paths]
    if broken := [line for line in lines if len(line.splitlines()) > 1]:
        raise InputError(f"{broken[0]!r}: a name with a line break cannot be listed; rename the file or its folder.")
    body = "".join(f"{line}\n" for line in lines)
    write_text(output, f"{_head(body)}\n{body}")


def unpack(paths: Iterable[str | Path]) -> list[Path]:
    """Return files, with those that a bundle lists in its place; it may list bundles.

    Raises
    ------
    InputError
        If a bundle is missing or not whole.
    """
    return [file for path in map(Path, paths) for file in (unpack(_read(path)) if path.suffix == SUFFIX else [path])]


def _read(path: Path) -> list[Path]:
    try:
        head, _, body = path.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage that makes it.") from None
    except ValueError:
        head, body = "", ""
    if head != _head(body):
        raise InputError(f"{path}: not a whole list of files; delete it and type the same command again.")
    return [Path(line.split(" ", 1)[1]) for line in body.splitlines()]


def _head(body: str) -> str:
    return f"files {hashlib.sha256(body.encode()).hexdigest()}"


def _mark(path: Path) -> str:
    if (record := records.read(path)) is not None:
        return f"{record.size}:{record.crc32}"
    about = path.stat()
    return sha256(path) if about.st_size <= SMALL else f"{about.st_size}:{about.st_mtime_ns}"
