"""Checks of what the frames of a set say under which keys: labels by other names, labels that lack, settings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gapdesign.inputs.frames import Frame
from gapdesign.inputs.labels import Labelled, Tally
from gapdesign.sets.findings import Findings

LOOKS = {
    "energy": re.compile(r"energ", re.I),
    "forces": re.compile(r"force", re.I),
    "virial": re.compile(r"virial", re.I),
    "stress": re.compile(r"stress", re.I),
}
"""Names that labels may have."""

_WANTED = {"forces": ("forces",), "virial": ("virial", "stress")}
"""Kinds of label besides energies, and the quantities that hold them."""

_NO_LABEL = re.compile(r"tol|cut|delta|std|error|per_atom|fermi|kinetic|weight", re.I)

SETTINGS = (
    ("functional", "suspicious", re.compile(r"functional|(^|_)xc($|_)|(^|_)(meta)?gga($|_)", re.I)),
    ("cut-off energy", "suspicious", re.compile(r"cut_?off_?energy|cut_off_energy|energy_cutoff|encut|ecutwfc", re.I)),
    ("smearing", "note", re.compile(r"smearing|degauss", re.I)),
    ("spin", "note", re.compile(r"^i?spin($|_pol)", re.I)),
)
"""Settings of calculations that all labels of a set should share, how bad it is if they do not, and names of keys."""

_NUMBER = re.compile(r"\s*([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)\s*[A-Za-z]*\s*")


@dataclass(frozen=True)
class Key:
    """A key of frames.

    Attributes
    ----------
    name : str
    looks : str
        The quantity that its name and shape look like; empty if none.
    places : list of int
        Frames that have it.
    """

    name: str
    looks: str
    places: list[int]


def keys(frames: Sequence[Frame]) -> list[Key]:
    """Return all keys of frames, besides those of structures, by name."""
    found: dict[str, Key] = {}
    for place, frame in enumerate(frames):
        atoms = frame.atoms
        results = atoms.calc.results if atoms.calc is not None else {}
        arrays = {name: value for name, value in atoms.arrays.items() if name not in ("numbers", "positions")}
        for name, value in {**atoms.info, **arrays, **results}.items():
            key = found.setdefault(name, Key(name, _looks(name, value, len(atoms)), []))
            key.places.append(place)
    return [found[name] for name in sorted(found)]


def _looks(name: str, value: Any, size: int) -> str:
    if _NO_LABEL.search(name) or isinstance(value, bool | str):
        return ""
    try:
        shape = np.shape(np.asarray(value, float))
    except (TypeError, ValueError):
        return ""
    shapes = {"energy": ((),), "forces": ((size, 3),), "virial": ((9,), (3, 3), (6,)), "stress": ((9,), (3, 3), (6,))}
    return next((what for what, pattern in LOOKS.items() if pattern.search(name) and shape in shapes[what]), "")


def check_keys(findings: Findings, held: Sequence[Key], tally: Tally) -> None:
    """Find structures without labels, and keys that look like labels and are not read."""
    read = {name for found in tally.by_key.values() for name in found}
    others = {
        quantity: sorted(
            (key for key in held if key.looks == quantity and key.name not in read), key=lambda key: -len(key.places)
        )
        for quantity in LOOKS
    }
    offered = [(quantity, found[0]) for quantity, found in others.items() if found and quantity not in tally.by_key]
    if "energy" not in tally.by_key and not offered:
        findings.add("note", "keys", "no energy is read: the set has no labels", "label it, or audit what is labelled")
    elif "energy" not in tally.by_key:
        there = ", ".join(f"{key.name} ({len(key.places)})" for _, key in offered)
        flags = " ".join(f"--{quantity}-key {key.name}" for quantity, key in offered)
        sentence = f"no energy is read; these keys look like labels: {there}"
        findings.add("suspicious", "keys", sentence, f"if they are, name them: {flags}")
    else:
        for quantity, looks in _WANTED.items():
            if quantity not in tally.by_key:
                _add_unread(findings, quantity, [key for name in looks for key in others[name]])


def _add_unread(findings: Findings, quantity: str, found: Sequence[Key]) -> None:
    """Add that a kind of label is not read, and the keys that look like it."""
    sentence = f"no {quantity} {'are' if quantity == 'forces' else 'is'} read"
    if found:
        sentence += f"; {_listed(found)} may be one"
        remedy = f"name the key, if it is right in unit and sign (--{found[0].looks}-key {found[0].name})"
    else:
        remedy = "none is needed for a fit of energies alone; most potentials want both"
    findings.add("note", "keys", sentence, remedy)


def check_lacking(
    findings: Findings, labelled: Sequence[Labelled], held: Sequence[Key], structures: Sequence[int], tally: Tally
) -> None:
    """Find structures that lack a label that others have."""
    read = {name for found in tally.by_key.values() for name in found}
    for quantity, found in tally.by_key.items():
        lacking = [place for place in structures if getattr(labelled[place].values, quantity) is None]
        if not lacking:
            continue
        looks = _WANTED.get(quantity, (quantity,))
        instead = Counter({
            key.name: len({*key.places} & {*lacking}) for key in held if key.looks in looks and key.name not in read
        })  # fmt: skip
        named = ", ".join(f"{name} ({count})" for name, count in instead.most_common(4) if count)
        counted = f"{len(lacking)} of {len(structures)} structures have no {quantity} under {' or '.join(found)}"
        findings.add(
            "note" if quantity == "virial" else "suspicious",
            "unlabelled",
            lambda frames, counted=counted, named=named: (
                f"{counted}: {frames}" + (f"; they have {named}" if named else "")
            ),
            "rename the key where it is the same quantity, or label these"
            if named
            else "label these, or leave them out",
            lacking,
        )


def check_settings(findings: Findings, frames: Sequence[Frame]) -> None:
    """Find settings of calculations that frames do not share, where they say them."""
    for what, severity, pattern in SETTINGS:
        names = sorted({name for frame in frames for name in frame.atoms.info if pattern.search(name)})
        for name in names:
            values: dict[str, list[int]] = {}
            for place, frame in enumerate(frames):
                if name in frame.atoms.info:
                    values.setdefault(_setting(frame.atoms.info[name]), []).append(place)
            if len(values) < 2:
                continue
            ordered = sorted(values.items(), key=lambda item: -len(item[1]))
            rest = [place for _, places in ordered[1:] for place in places]
            counted = ", ".join(f"{value} in {len(places)}" for value, places in ordered[:4])
            findings.add(
                severity,
                "settings",
                lambda named, name=name, counted=counted, what=what: (
                    f"labels are of more than one {what}: {name} is {counted} frames: {named}"
                ),
                "keep one, or label the rest again: a potential cannot learn two",
                sorted(rest),
            )


def _setting(value: Any) -> str:
    """Return a setting in one form: a number with its unit as the number."""
    text = " ".join(str(value).split())
    number = _NUMBER.fullmatch(text)
    return f"{float(number[1]):g}" if number else text.upper() if len(text) < 12 else text


def _listed(found: Sequence[Key]) -> str:
    return ", ".join(f"{key.name} ({len(key.places)})" for key in found[:4])
