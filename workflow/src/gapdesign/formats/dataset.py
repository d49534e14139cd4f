"""Labelled structures of files, and their parts: what is learnt, and what training does not see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.formats.base import TRAIN, VALID, Dataset, Datum
from gapdesign.inputs import frames as structures
from gapdesign.inputs.frames import Frame
from gapdesign.inputs.labels import QUANTITIES, SPREAD, Keys, of_frames

GROUPS = ("config_type", "source_config_type")
"""Keys of frames whose values name groups."""

KIN = ("parent", "trajectory")
"""Keys of frames whose equal values say that structures come from one another; such stay in one part."""

_RESULTS = {*QUANTITIES, "free_energy", "dipole", "magmom", "Lattice", "Properties", "pbc"}


def read(paths: Sequence[str | Path], keys: Keys, *, labelled: bool = True) -> list[Datum]:
    """Read structures with their labels, from files in any format that studies take.

    Parameters
    ----------
    paths
        The files.
    keys
        Names of the labels.
    labelled
        Refuse files without any energy.

    Raises
    ------
    InputError
        If a file cannot be read, or something under the key of a label is none.
    """
    frames = [frame for path in paths for frame in structures.read(path, "FILE")]

    def excuse(error: InputError, frame: Frame | None) -> None:
        if labelled or frame is not None:
            raise error

    found, _ = of_frames(frames, keys, excuse)
    used = {name for quantity in QUANTITIES for name in keys.candidates(quantity)}
    return [
        Datum(each.atoms, each.values, _said(frame.atoms.info, used), str(frame))
        for frame, each in zip(frames, found, strict=True)
    ]


def _said(info: dict[str, Any], used: Collection[str]) -> dict[str, Any]:
    """Return what a frame says in text, numbers or truth values, besides its labels."""
    plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in info.items()}
    return {
        key: value
        for key, value in plain.items()
        if isinstance(value, str | int | float) and key not in _RESULTS and key not in used
    }


def gather(data: Iterable[Datum], references: Iterable[Datum]) -> tuple[list[Datum], dict[str, Datum]]:
    """Part structures from isolated atoms, which become `config_type=IsolatedAtom`.

    Parameters
    ----------
    data
        Structures, among which there may be isolated atoms.
    references
        Isolated atoms of another file.

    Raises
    ------
    InputError
        If one of the references is none, two isolated atoms of an element differ, or nothing else is left.
    """
    found, alone = [], {}
    for each in references:
        if not _is_alone(each):
            raise InputError(f"--isolated: {each.name} is no isolated atom with an energy; give one atom per frame.")
        _add(alone, each)
    for each in data:
        if _is_alone(each):
            _add(alone, each)
        else:
            found.append(each)
    if not found:
        raise InputError("FILE: there is no structure besides isolated atoms; name a file of labelled structures.")
    return found, alone


def _is_alone(datum: Datum) -> bool:
    marked = datum.atoms.copy()
    marked.info["config_type"] = datum.said.get("config_type", "")
    return structures.is_isolated(marked) and datum.values.energy is not None


def _add(alone: dict[str, Datum], datum: Datum) -> None:
    energy = datum.values.energy
    first = alone.setdefault(
        str(datum.atoms.symbols),
        Datum(datum.atoms, type(datum.values)(energy=energy), {"config_type": "IsolatedAtom"}, datum.name),
    )
    if abs(first.values.energy - energy) > SPREAD:
        raise InputError(
            f"--isolated: {first.name} and {datum.name} are isolated atoms of {datum.atoms.symbols} with the energies"
            f" {first.values.energy:g} and {energy:g} eV; keep the one that goes with the set."
        )


def parted(
    data: Sequence[Datum],
    isolated: dict[str, Datum],
    *,
    share: float = 0.0,
    groups: Collection[str] = (),
    seed: int = 0,
    together: str | None = None,
) -> Dataset:
    """Keep some structures back, which training does not see.

    Equal structures stay in one part, and so do those that come from one another: with equal values of :data:`KIN`, or
    of a key that is named.

    Parameters
    ----------
    data
        Structures, in order; both parts keep it.
    isolated
        Isolated atoms by element, which are not parted.
    share
        Share to keep back at random.
    groups
        Values of `config_type` to keep back instead.
    seed
        Of the random choice.
    together
        Key of frames whose equal values stay together.

    Raises
    ------
    InputError
        If one of the parts would be empty, or no frame has such a value or key.
    """
    if groups:
        back = _of_groups(data, groups)
    elif share:
        back = _at_random(data, share, seed, together)
    else:
        return Dataset({TRAIN: data}, isolated)
    train = [each for k, each in enumerate(data) if k not in back]
    if not train:
        raise InputError(f"--valid: all {len(data)} structures would be kept back; keep fewer, or add structures.")
    return Dataset({TRAIN: train, VALID: [data[k] for k in sorted(back)]}, isolated)


def _of_groups(data: Sequence[Datum], groups: Collection[str]) -> set[int]:
    names = [{str(each.said[key]) for key in GROUPS if key in each.said} for each in data]
    known = sorted(set().union(*names))
    for group in groups:
        if group not in known:
            there = f"there are {', '.join(known[:20])}" if known else "no frame has one"
            raise InputError(f"--valid-config-type {group}: no structure is of this config_type; {there}.")
    return {k for k, each in enumerate(names) if each & set(groups)}


def _at_random(data: Sequence[Datum], share: float, seed: int, together: str | None) -> set[int]:
    if together is not None and not any(together in each.said for each in data):
        raise InputError(f"--together {together}: no frame has this key; name one that says where frames come from.")
    families = _families(data, KIN if together is None else (together,))
    wanted, back = max(1, round(share * len(data))), set()
    order = np.random.default_rng(seed).permutation(len(families)).tolist()
    for k in order:
        if len(back) + len(families[k]) <= wanted:
            back |= families[k]
    return back or min((families[k] for k in order), key=len)


def _families(data: Sequence[Datum], keys: Sequence[str]) -> list[set[int]]:
    """Return the places of structures that stay together, by their first ones."""
    from gapdesign.labels.identity import structure_key

    family, first = list(range(len(data))), {}

    def root(k: int) -> int:
        while family[k] != k:
            k = family[k]
        return k

    for k, each in enumerate(data):
        marks = [structure_key(each.atoms), *((key, each.said[key]) for key in keys if key in each.said)]
        for mark in marks:
            family[root(k)] = root(first.setdefault(mark, k))
    found: dict[int, set[int]] = {}
    for k in range(len(data)):
        found.setdefault(root(k), set()).add(k)
    return list(found.values())
