"""What a frame carries besides its structure: kept with candidates and designs, under names that are no label's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.inputs.frames import Frame
    from gapdesign.structures import Batch

CARRIED = "gapdesign_carried"
"""Key of all that a frame carries, in a file that was converted."""

PREFIX = "source_"
"""Beginning of the names under which a design has it: an energy of the source is never taken for a label."""

LONGEST = 2**14
"""Bytes that a candidate keeps of what its frame carried; the largest values are left out first."""

_STRUCTURE = ("numbers", "positions")


def carried(atoms: Atoms) -> dict[str, dict[str, Any]]:
    """Return info, results and arrays of a frame in types of JSON; what has none is left out.

    Tensors of nine numbers keep the order that extended XYZ has them in.
    """
    from ase.io.extxyz import per_atom_properties

    if CARRIED in atoms.info:
        return atoms.info[CARRIED]
    results = atoms.calc.results if atoms.calc is not None else {}
    columns = {name: value for name, value in results.items() if name in per_atom_properties}
    values = {**atoms.info, **{name: value for name, value in results.items() if name not in columns}}
    arrays = {**atoms.arrays, **columns}
    plain = {name: _plain(value) for name, value in values.items()}
    rows = {name: np.asarray(value).tolist() for name, value in arrays.items() if name not in _STRUCTURE}
    return {
        "info": {name: value for name, value in plain.items() if value is not None and _size(value)},
        "arrays": {name: held for name, held in rows.items() if np.ndim(held) in (1, 2) and _size(held)},
    }


def note(frame: Frame) -> bytes:
    """Return source, number and, within :data:`LONGEST`, all else that a frame carries as one text."""
    held: dict[str, Any] = {"file": frame.source, "frame": frame.number, "info": {}, "arrays": {}}
    left = LONGEST - _size(held)
    everything = carried(frame.atoms)
    sizes = [(_size(value), kind, name) for kind, found in everything.items() for name, value in found.items()]
    kept: set[tuple[str, str]] = set()
    for size, kind, name in sorted(sizes):
        left -= size + _size(name) + 2
        if left >= 0:
            kept.add((kind, name))
    for kind, found in everything.items():
        held[kind] = {name: value for name, value in found.items() if (kind, name) in kept}
    return _text(held).encode("ascii")


def packed(frames: Sequence[Frame], names: Sequence[str] | None = None) -> Batch:
    """Pack structures of frames with what each carries; for ``names`` see :func:`gapdesign.structures.pack`."""
    from gapdesign.structures import pack

    return pack([frame.bare() for frame in frames], names=names, notes=[note(frame) for frame in frames])


def origin(note: bytes) -> tuple[str, int]:
    """Return the file and the number of the frame that a candidate is."""
    held = json.loads(note)
    return held["file"], held["frame"]


def config_type(note: bytes) -> str:
    """Return the `config_type` of the frame that a candidate is; empty if it has none."""
    return str(json.loads(note)["info"].get("config_type", ""))


def annotate(atoms: Atoms, note: bytes) -> None:
    """Give a candidate what its frame carried: names in ``info`` and ``arrays`` begin with :data:`PREFIX`."""
    held = json.loads(note)
    atoms.info |= {f"{PREFIX}file": held["file"], f"{PREFIX}frame": held["frame"]}
    for name, value in held["info"].items():
        atoms.info.setdefault(f"{PREFIX}{name}", np.array(value) if isinstance(value, list) else value)
    for name, rows in held["arrays"].items():
        atoms.arrays[f"{PREFIX}{name}"] = np.array(rows)


def _plain(value: Any) -> Any:
    if isinstance(value, str):  # on one line, as extended XYZ needs it
        return value if value.isprintable() else " ".join(value.split())
    if isinstance(value, np.ndarray):
        return value.ravel(order="F").tolist() if value.shape == (3, 3) else value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _size(value: Any) -> int:
    """Return the length of a value as text; 0 if it has none."""
    try:
        return len(_text(value))
    except (TypeError, ValueError, RecursionError):
        return 0
