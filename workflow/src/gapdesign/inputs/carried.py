"""What a frame carries besides its structure: kept with candidates and designs, under names that are no label's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.inputs.frames import Frame

CARRIED = "carried"
"""Key of all that a frame carries, in a file that was converted."""

PREFIX = "source_"
"""Beginning of the names under which a design has it: an energy of the source is never taken for a label."""

_STRUCTURE = ("numbers", "positions")


def carried(atoms: Atoms) -> dict[str, dict[str, Any]]:
    """Return info, results and arrays of a frame in types of JSON; what has none is left out.

    Tensors of nine numbers keep the order that extended XYZ has them in.
    """
    if CARRIED in atoms.info:
        return atoms.info[CARRIED]
    from ase.io.extxyz import per_atom_properties

    results = atoms.calc.results if atoms.calc is not None else {}
    columns = {name: value for name, value in results.items() if name in per_atom_properties}
    values = {**atoms.info, **{name: value for name, value in results.items() if name not in columns}}
    arrays = {**atoms.arrays, **columns}
    plain = {name: _plain(value) for name, value in values.items()}
    rows = {name: np.asarray(value).tolist() for name, value in arrays.items() if name not in _STRUCTURE}
    return {
        "info": {name: value for name, value in plain.items() if value is not None and _is_json(value)},
        "arrays": {name: held for name, held in rows.items() if np.ndim(held) in (1, 2) and _is_json(held)},
    }


def note(frame: Frame) -> bytes:
    """Return source, number and all else that a frame carries as one text."""
    held = {"file": frame.source, "frame": frame.number, **carried(frame.atoms)}
    return json.dumps(held, separators=(",", ":")).encode("ascii")


def annotate(atoms: Atoms, note: bytes) -> None:
    """Give a candidate what its frame carried: names in ``info`` and ``arrays`` begin with :data:`PREFIX`."""
    held = json.loads(note)
    atoms.info[f"{PREFIX}file"], atoms.info[f"{PREFIX}frame"] = held["file"], held["frame"]
    for name, value in held["info"].items():
        atoms.info[f"{PREFIX}{name}"] = np.array(value) if isinstance(value, list) else value
    for name, rows in held["arrays"].items():
        atoms.arrays[f"{PREFIX}{name}"] = np.array(rows)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.ravel(order="F").tolist() if value.shape == (3, 3) else value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
