"""Numbers of frames and elements in files of structures, counted when a configuration is read and then remembered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gapdesign.errors import InputError
from gapdesign.files import write_text
from gapdesign.inputs import extxyz
from gapdesign.inputs.carried import carried
from gapdesign.inputs.filters import FilterOptions
from gapdesign.inputs.frames import Frame, read
from gapdesign.samplers.shared.frames import enough, in_words, index, is_extended_xyz

MEMORY = Path(".snakemake", "gapdesign-frames.json")
"""File that keeps what was counted in a working directory."""

QUICK = 2**24
"""Bytes of an extended XYZ file up to which it is counted again whenever a configuration is read."""


class Survey(NamedTuple):
    """Candidates in files, isolated atoms and what a filter leaves out not counted, and their elements."""

    count: int
    elements: frozenset[str]


def survey(paths: Sequence[str], keep: FilterOptions, key: str) -> Survey:
    """Count the candidates in files, and find their elements.

    Raises
    ------
    InputError
        If a file is missing or cannot be read.
    """
    found = [_one(path, keep, key) for path in paths]
    return Survey(sum(each.count for each in found), frozenset().union(*(each.elements for each in found)))


def is_candidate(frame: Frame, keep: FilterOptions) -> bool:
    """Return whether a frame is no isolated atom and passes a filter."""
    values = carried(frame.atoms)["info"] if keep.reads_values else {}
    return not frame.is_isolated and keep.passes(values, len(frame.atoms), set(frame.atoms.symbols))


def refuse_nothing(found: Survey, paths: Sequence[str], key: str, keep: FilterOptions) -> None:
    """Refuse files without any candidate.

    Raises
    ------
    InputError
    """
    if not found.count:
        why = (
            "holds isolated atoms only" if keep.is_open else "has no frame that keep, drop, atoms and elements let pass"
        )
        raise InputError(f"{key}: {in_words(paths)} {why}; name a file of structures, or loosen the conditions.")


def refuse_too_few(paths: Sequence[str], size: int, keep: FilterOptions) -> None:
    """Refuse files with too few candidates, if they can be counted at once."""
    places = [Path(path) for path in paths]
    if not all(is_extended_xyz(place) and place.is_file() for place in places):
        return
    if sum(place.stat().st_size for place in places) > QUICK:
        return
    try:
        count = sum(_count(path, keep.model_dump_json(), *_state(path)) for path in paths)
    except InputError:  # which whoever reads the file explains
        return
    if count:
        enough(paths, count, size, keep)


@lru_cache(maxsize=1024)
def _count(path: str, keep: str, *state: int) -> int:
    return len(index(path, FilterOptions.model_validate_json(keep)))


def _one(path: str, keep: FilterOptions, key: str) -> Survey:
    """Survey one file, or remember what was found in it."""
    try:
        state = _state(path)
    except OSError:
        raise InputError(f"{key}: no file '{path}'; paths start where snakemake is run.") from None
    return _survey(path, keep.model_dump_json(), key, *state)


def _state(path: str) -> tuple[int, ...]:
    stat = Path(path).stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@lru_cache(maxsize=1024)
def _survey(path: str, keep: str, key: str, *state: int) -> Survey:
    filtered, place = FilterOptions.model_validate_json(keep), f"{Path(path).resolve()} {keep}"
    if is_extended_xyz(path) and state[0] <= QUICK:
        return _read(path, filtered, key)
    known: dict[str, list] = {}
    with suppress(OSError, ValueError, TypeError):
        known = dict(json.loads(MEMORY.read_text(encoding="utf-8")))
    match known.get(place):
        case [list(before), int(count), list(elements)] if before == list(state):
            return Survey(count, frozenset(elements))
    found = _read(path, filtered, key)
    with suppress(OSError):
        write_text(MEMORY, json.dumps(known | {place: [state, found.count, sorted(found.elements)]}))
    return found


def _read(path: str, keep: FilterOptions, key: str) -> Survey:
    count, elements = 0, set()
    if is_extended_xyz(path):
        with Path(path).open("rb") as stream:
            for begin, end, number in index(path, keep).tolist():
                try:
                    elements |= extxyz.symbols(stream, extxyz.Span(begin, end, -1))
                except ValueError as error:
                    raise InputError(f"{key}: frame {number} of '{path}': {error}; repair or convert it.") from None
                count += 1
        return Survey(count, frozenset(elements))
    for frame in read(path, key):
        if is_candidate(frame, keep):
            count, elements = count + 1, elements | set(frame.atoms.symbols)
    return Survey(count, frozenset(elements))
