"""Frames of a file of structures, read one at a time by their places in it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from gapdesign.errors import InputError
from gapdesign.files import atomic, read_array
from gapdesign.inputs import extxyz
from gapdesign.inputs.carried import CARRIED, carried
from gapdesign.inputs.frames import Frame, one
from gapdesign.inputs.frames import read as read_all
from gapdesign.inputs.sanity import is_isolated

KEY = "pools.file.path"

QUICK = 2**24
"""Bytes up to which a file is counted whenever a configuration is read."""


def is_extended_xyz(path: str | Path) -> bool:
    """Return whether a file is plain extended XYZ by its name; other formats are converted first."""
    return Path(path).suffix in (".xyz", ".extxyz")


def convert(path: str | Path, output: str | Path) -> None:
    """Convert a file of structures to extended XYZ to the last bit, with one structure in memory at a time.

    What frames carry besides their structure becomes one value; see :func:`gapdesign.inputs.carried.carried`.

    Raises
    ------
    InputError
        If it cannot be read; see :func:`gapdesign.inputs.frames.read`.
    """
    from ase.io.extxyz import key_val_dict_to_str

    with atomic(output) as temporary, temporary.open("w", encoding="utf-8") as text:
        for frame in read_all(path, KEY):
            atoms = frame.atoms
            values = {CARRIED: carried(atoms), "pbc": atoms.pbc}
            if "config_type" in atoms.info:
                values["config_type"] = " ".join(str(atoms.info["config_type"]).split())
            lattice = " ".join(repr(float(length)) for length in atoms.cell.array.ravel())
            cell = f'Lattice="{lattice}" ' if atoms.cell.rank else ""
            text.write(f"{len(atoms)}\n{cell}Properties=species:S:1:pos:R:3 {key_val_dict_to_str(values)}\n")
            for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions.tolist(), strict=True):
                text.write(f"{symbol} {x!r} {y!r} {z!r}\n")


def index(path: str | Path) -> np.ndarray:
    """Find the candidates in an extended XYZ file: all frames but isolated atoms.

    Returns
    -------
    (n, 3) int64
        Of each candidate the bytes where its frame begins and ends, and the number of the frame in the file.

    Raises
    ------
    InputError
        If the file is missing or is not extended XYZ.
    """
    rows, number = [], 0
    try:
        with Path(path).open("rb") as stream, Path(path).open("rb") as again:
            for number, span in enumerate(extxyz.spans(stream)):
                if span.atoms > 1 or not is_isolated(extxyz.parse(again, span)):
                    rows.append((span.begin, span.end, number))
                number += 1
    except FileNotFoundError:
        raise InputError(f"{KEY}: no file '{path}'; paths start where snakemake is run.") from None
    except OSError as error:
        raise InputError(f"{KEY}: '{path}' cannot be read ({error.strerror}); make it readable.") from error
    except ValueError as error:
        raise InputError(f"{KEY}: frame {number} of '{path}': {error}; repair or convert it.") from None
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def read_index(path: str | Path) -> np.ndarray:
    """Read what :func:`index` returned from the file that it was written to.

    Raises
    ------
    InputError
        If the file is missing or not whole, or was written by an older version.
    """
    places = np.asarray(read_array(path))
    if places.ndim != 2:
        raise InputError(f"{path}: an index of an older version; delete it and run its stage again.")
    return places


def enough(path: str | Path, count: int, size: int) -> None:
    """Refuse a file with too few candidates.

    Raises
    ------
    InputError
        If it has less than ``size``.
    """
    if count < size:
        raise InputError(
            f"pools.size: a pool of {size} cannot be drawn from the {count} frames of '{path}'; set it to {count} or"
            " less (isolated atoms do not count)."
        )


def refuse_too_few(path: str | Path, size: int) -> None:
    """Refuse a file with too few frames, if it can be counted at once; see :func:`enough`."""
    place = Path(path)
    if not is_extended_xyz(place) or not place.is_file():
        return
    state = place.stat()
    if state.st_size > QUICK:
        return
    count = _count(str(place), state.st_size, state.st_mtime_ns, state.st_ino)
    if count:
        enough(path, count, size)


@lru_cache(maxsize=64)
def _count(path: str, *state: int) -> int | None:
    """Return the number of frames; None if the file is not whole, which whoever reads it explains."""
    try:
        with Path(path).open("rb") as stream:
            return sum(1 for _ in extxyz.spans(stream))
    except (ValueError, OSError):
        return None


def read(path: str | Path, places: np.ndarray, source: str) -> list[Frame]:
    """Read frames of an extended XYZ file.

    Parameters
    ----------
    path
        The file.
    places : (n, 3) int
        Rows of :func:`index`.
    source : str
        The user's file, if ``path`` was converted from it.

    Raises
    ------
    InputError
        If a frame cannot be read or is no structure.
    """
    with Path(path).open("rb") as stream:
        return [one(stream, extxyz.Span(begin, end, 0), source, number, KEY) for begin, end, number in places.tolist()]
