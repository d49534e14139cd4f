"""Labels that are kept: paid for once, found again by what was computed.

A label lies in one JSON file, ``<store>/ab/abcdef....json``, named by its key. Its first two digits make the
folder. Beside the label the file holds the structure and the engine, for people to read, and a checksum.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.engines.base import Engine, Label
from gapdesign.files import write_text

if TYPE_CHECKING:
    from ase import Atoms

_log = logging.getLogger(__name__)

DECIMALS = 10
"""Decimals of lengths, in angstrom, to which structures are told apart."""


def structure_key(atoms: Atoms) -> str:
    """Hexadecimal SHA-256 of numbers, cell, positions and periodicity; info and other arrays do not count.

    Lengths are rounded to 1e-10 angstrom, so that the last bits of a computation do not make another
    structure. The same crystal in another cell, order of atoms or orientation is another structure.
    """
    lines = [
        " ".join(map(str, atoms.numbers.tolist())),
        " ".join("T" if periodic else "F" for periodic in atoms.pbc),
        _lengths(atoms.cell.array),
        _lengths(atoms.positions),
    ]
    return _sha256("\n".join(lines))


def _lengths(values: np.ndarray) -> str:
    # Adding zero turns -0.0 into 0.0.
    rounded = np.round(values, DECIMALS) + 0.0
    return " ".join(f"{value:.{DECIMALS}f}" for value in rounded.ravel().tolist())


def label_key(atoms: Atoms, engine: Engine) -> str:
    """Hexadecimal SHA-256 of a structure and of the engine's name, settings and version."""
    return _sha256(_canonical({"structure": structure_key(atoms), "engine": _identity(engine)}))


class LabelStore:
    """A folder of labels, which any number of processes may read and fill at the same time.

    Parameters
    ----------
    folder
        Where the labels are; made when the first one is put.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """The file that holds, or would hold, the label of ``key``."""
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str) -> Label | None:
        """Give the label of ``key``, to the last bit as it was put; None if there is none.

        A damaged entry is reported to the log and counts as none, so that it is computed and written anew.
        """
        path = self.path(key)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            if entry["key"] != key or entry.pop("checksum") != _sha256(_canonical(entry)):
                raise ValueError("its content does not match its checksum")
            label = entry["label"]
            return Label(label["energy"], np.array(label["forces"]), np.array(label["virial"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("%s: damaged, the label is computed again (%s)", path, error)
            return None

    def put(self, key: str, atoms: Atoms, label: Label, engine: Engine) -> None:
        """Keep the label of ``key``, or replace what is there.

        Parameters
        ----------
        key
            From :func:`label_key`.
        atoms
            The structure.
        label
            Its label; every number finite.
        engine
            Who computed it.

        Raises
        ------
        ValueError
            If a number is not finite.
        """
        entry = {
            "key": key,
            "engine": _identity(engine),
            "symbols": atoms.get_chemical_symbols(),
            "pbc": atoms.pbc.tolist(),
            "cell": atoms.cell.tolist(),
            "positions": atoms.positions.tolist(),
            "label": {
                "energy": float(label.energy),
                "forces": np.asarray(label.forces, dtype=float).tolist(),
                "virial": np.asarray(label.virial, dtype=float).tolist(),
            },
        }
        entry["checksum"] = _sha256(_canonical(entry))
        lines = [f'"{name}": {json.dumps(value, allow_nan=False)}' for name, value in entry.items()]
        write_text(self.path(key), "{\n" + ",\n".join(lines) + "\n}\n")


def _identity(engine: Engine) -> dict[str, Any]:
    return {"name": engine.name, "settings": dict(engine.settings), "version": engine.version}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
