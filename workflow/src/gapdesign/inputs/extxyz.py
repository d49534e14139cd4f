"""Extended XYZ, frame by frame: where each frame lies in a file, and its structure.

ASE ends a file at its first blank line, and goes on for as long as a number of atoms says. Here frames are found by
their numbers of atoms: blank lines between frames do not count, and whatever else is amiss is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ase import Atoms
from ase.data import atomic_numbers

from gapdesign.files import frame_properties
from gapdesign.inputs.unpacked import reason

LONGEST = 2**24
"""Bytes in the longest line that is read."""

_COUNT = re.compile(rb"\s*\d{1,12}\s*")
_MARK = b"\xef\xbb\xbf"
_PROPERTIES = re.compile(rb"\bProperties\s*=")
_SPECIES_FIRST = re.compile(rb"\bProperties\s*=\s*\"?species:S:1:")


class Span(NamedTuple):
    """Place of a frame in a file, in bytes, and its number of atoms."""

    begin: int
    end: int
    atoms: int


def spans(stream: BinaryIO) -> Iterator[Span]:
    """Find the frames of a file, without parsing them.

    Raises
    ------
    ValueError
        If a frame does not begin with a number of atoms, or is cut off.
    """
    begin, line = stream.tell(), stream.readline(LONGEST)
    if line.startswith(_MARK):
        begin, line = begin + len(_MARK), line.removeprefix(_MARK)
    while line:
        if line.strip():
            if not _COUNT.fullmatch(line):
                raise ValueError(_odd(line))
            count = int(line)
            if not count:
                raise ValueError("it has no atoms")
            for done in range(count + 1):
                line = stream.readline(LONGEST)
                if not line:
                    raise ValueError(f"it ends after {max(done - 1, 0)} of {count} atoms")
                if len(line) == LONGEST:
                    raise ValueError(f"it has a line of more than {LONGEST >> 20} MiB")
            end, line = stream.tell(), stream.readline(LONGEST)
            # Some programs write the cell as up to three more lines.
            while line.lstrip().startswith(b"VEC"):
                end, line = stream.tell(), stream.readline(LONGEST)
            yield Span(begin, end, count)
            begin = end
        else:
            begin, line = stream.tell(), stream.readline(LONGEST)


def parse(stream: BinaryIO, span: Span) -> Atoms:
    """Read a frame, with info, arrays and, in its calculator, results as ASE finds them.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    from ase.io.extxyz import read_xyz

    stream.seek(span.begin)
    raw = stream.read(span.end - span.begin)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not text in UTF-8, by its byte {error.object[error.start]:#04x}; convert the file, for instance by"
            " `iconv -f latin1 -t utf-8`"
        ) from None
    try:
        return next(read_xyz(StringIO(text), index=0, properties_parser=frame_properties))
    except Exception as error:
        raise ValueError(f"it cannot be read: {reason(error)}") from error


def values(stream: BinaryIO, span: Span) -> dict[str, Any]:
    """Return what the second line of a frame says, by name, without reading its atoms.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    from ase.io.extxyz import key_val_str_to_dict

    stream.seek(span.begin)
    stream.readline(LONGEST)
    line = stream.readline(LONGEST)
    try:
        return key_val_str_to_dict(line.decode("utf-8").strip())
    except Exception as error:
        raise ValueError(f"its second line cannot be read: {reason(error)}") from error


def symbols(stream: BinaryIO, span: Span) -> set[str]:
    """Return the elements of a frame; where they stand first in every line, nothing else is parsed.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    stream.seek(span.begin)
    lines = stream.read(span.end - span.begin).split(b"\n")
    count = int(lines[0].removeprefix(_MARK))
    if _SPECIES_FIRST.search(lines[1]) or not _PROPERTIES.search(lines[1]):
        found = {words[0].decode("latin1") for line in lines[2 : 2 + count] if (words := line.split(None, 1))}
        if all(atomic_numbers.get(symbol, 0) for symbol in found):
            return found
    return set(parse(stream, span).symbols)


def looks_alike(path: Path) -> bool:
    """Return whether a file of any name begins as a file of frames does."""
    with path.open("rb") as stream:
        line = stream.readline(64).removeprefix(_MARK)
        while line and not line.strip():
            line = stream.readline(64)
        return _COUNT.fullmatch(line) is not None


def frames(path: Path) -> Iterator[Atoms]:
    """Yield the frames of a file, one in memory at a time.

    Raises
    ------
    ValueError
        If one cannot be read.
    """
    with path.open("rb") as places, path.open("rb") as stream:
        for span in spans(places):
            yield parse(stream, span)


def _odd(line: bytes) -> str:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is text in UTF-16; convert the file to UTF-8"
    shown = line.strip()[:30].decode("utf-8", errors="replace")
    shown = "".join(letter if letter.isprintable() else "?" for letter in shown)
    return f"it begins with “{shown}” where its number of atoms should be"
