"""Frames of files of structures, read one at a time by their places in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.files import atomic, read_array
from gapdesign.inputs import extxyz
from gapdesign.inputs.carried import CARRIED, carried
from gapdesign.inputs.filters import FilterOptions
from gapdesign.inputs.frames import Frame, one
from gapdesign.inputs.frames import read as read_all
from gapdesign.inputs.sanity import is_isolated

KEY = "pools.file.path"

ORIGIN = "gapdesign_origin"
"""Key of the file and the number of a frame, in a file that was converted."""


def files_of(path: str | Sequence[str]) -> tuple[str, ...]:
    """Return the files that a key names, one or several."""
    return (path,) if isinstance(path, str) else tuple(path)


def in_words(paths: Sequence[str]) -> str:
    """Return the names of files for a sentence."""
    more = f" and {len(paths) - 1} other file{'s' if len(paths) > 2 else ''}" if len(paths) > 1 else ""
    return f"'{paths[0]}'{more}"


def is_extended_xyz(path: str | Path) -> bool:
    """Return whether a file is plain extended XYZ by its name; other formats are converted first."""
    return Path(path).suffix in (".xyz", ".extxyz")


def convert(paths: Sequence[str | Path], output: str | Path) -> None:
    """Convert files of structures to one of extended XYZ to the last bit, with one structure in memory at a time.

    What frames carry besides their structure becomes one value; see :func:`gapdesign.inputs.carried.carried`.

    Raises
    ------
    InputError
        If one cannot be read; see :func:`gapdesign.inputs.frames.read`.
    """
    from ase.io.extxyz import key_val_dict_to_str

    with atomic(output) as temporary, temporary.open("w", encoding="utf-8") as text:
        for frame in (frame for path in paths for frame in read_all(path, KEY)):
            atoms = frame.atoms
            values = {CARRIED: carried(atoms), ORIGIN: {"file": frame.source, "frame": frame.number}, "pbc": atoms.pbc}
            if "config_type" in atoms.info:
                values["config_type"] = " ".join(str(atoms.info["config_type"]).split())
            lattice = " ".join(repr(float(length)) for length in atoms.cell.array.ravel())
            cell = f'Lattice="{lattice}" ' if atoms.cell.rank else ""
            text.write(f"{len(atoms)}\n{cell}Properties=species:S:1:pos:R:3 {key_val_dict_to_str(values)}\n")
            for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions.tolist(), strict=True):
                text.write(f"{symbol} {x!r} {y!r} {z!r}\n")


def index(path: str | Path, keep: FilterOptions | None = None) -> np.ndarray:
    """Find the candidates in an extended XYZ file: all frames but isolated atoms and those that do not pass a filter.

    Returns
    -------
    (n, 3) int64
        Of each candidate the bytes where its frame begins and ends, and the number of the frame in the file.

    Raises
    ------
    InputError
        If the file is missing or is not extended XYZ.
    """
    rows = [(span.begin, span.end, number) for span, number, _ in _candidates(path, keep or FilterOptions())]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def index_all(paths: Sequence[str], converted: str | Path | None, keep: FilterOptions) -> np.ndarray:
    """Find the candidates in several files; see :func:`index`.

    Parameters
    ----------
    paths : sequence of str
        The user's files.
    converted : path, optional
        Those that are not extended XYZ, converted to one.
    keep : FilterOptions

    Returns
    -------
    (n, 4) int64
        As for one file, and the place of the file among ``paths``; in their order.
    """
    rows: list[tuple[int, int, int, int]] = []
    for source, path in enumerate(paths):
        if is_extended_xyz(path):
            rows += [(span.begin, span.end, number, source) for span, number, _ in _candidates(path, keep)]
    if converted is not None:
        places = {path: source for source, path in enumerate(paths)}
        for span, _, values in _candidates(converted, keep, is_converted=True):
            origin = values[ORIGIN]
            rows.append((span.begin, span.end, origin["frame"], places[origin["file"]]))
    rows.sort(key=lambda row: (row[3], row[2]))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _candidates(
    path: str | Path, keep: FilterOptions, *, is_converted: bool = False
) -> Iterator[tuple[extxyz.Span, int, dict[str, Any]]]:
    """Yield the place and the number of every frame that is a candidate, and what it says where that was read."""
    number = 0
    try:
        with Path(path).open("rb") as stream, Path(path).open("rb") as again:
            for number, span in enumerate(extxyz.spans(stream)):
                if span.atoms == 1 and is_isolated(extxyz.parse(again, span)):
                    continue
                values = extxyz.values(again, span) if is_converted or keep.reads_values else {}
                carries = values.get(CARRIED, {}).get("info", {}) if CARRIED in values else values
                symbols = extxyz.symbols(again, span) if keep.elements is not None else ()
                if keep.passes(carries, span.atoms, symbols):
                    yield span, number, values
    except FileNotFoundError:
        raise InputError(f"{KEY}: no file '{path}'; paths start where snakemake is run.") from None
    except OSError as error:
        raise InputError(f"{KEY}: '{path}' cannot be read ({error.strerror}); make it readable.") from error
    except ValueError as error:
        raise InputError(f"{KEY}: frame {number} of '{path}': {error}; repair or convert it.") from None


def read_index(path: str | Path) -> np.ndarray:
    """Read what :func:`index_all` returned from the file that it was written to.

    Raises
    ------
    InputError
        If the file is missing or not whole, or was written by an older version.
    """
    places = np.asarray(read_array(path))
    if places.ndim != 2:
        raise InputError(f"{path}: an index of an older version; delete it and run its stage again.")
    # Older ones are of one file.
    return places if places.shape[1] == 4 else np.column_stack([places, np.zeros(len(places), np.int64)])


def enough(paths: Sequence[str], count: int, size: int, keep: FilterOptions | None = None) -> None:
    """Refuse files with too few candidates.

    Raises
    ------
    InputError
        If they have less than ``size``.
    """
    if count < size:
        besides = "isolated atoms do not count"
        if keep is not None and not keep.is_open:
            besides += ", nor frames that keep, drop, atoms and elements of pools.file leave out"
        raise InputError(
            f"pools.size: a pool of {size} cannot be drawn from the {count} frames of {in_words(paths)}; set it to"
            f" {count} or less ({besides})."
        )


def read(paths: Iterable[str | Path], places: np.ndarray, sources: Sequence[str]) -> list[Frame]:
    """Read frames of extended XYZ files.

    Parameters
    ----------
    paths
        For each of the user's files, itself or the file that it was converted to.
    places : (n, 4) int
        Rows of :func:`index_all`.
    sources
        The user's files.

    Raises
    ------
    InputError
        If a frame cannot be read or is no structure.
    """
    paths, found = list(paths), {}
    for source in np.unique(places[:, 3]).tolist():
        rows = np.flatnonzero(places[:, 3] == source)
        with Path(paths[source]).open("rb") as stream:
            for row in rows.tolist():
                begin, end, number, _ = places[row].tolist()
                found[row] = one(stream, extxyz.Span(begin, end, 0), sources[source], number, KEY)
    return [found[row] for row in range(len(places))]
