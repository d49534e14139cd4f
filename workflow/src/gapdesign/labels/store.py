"""Labels kept on disk: computed once, and found again by structure and engine.

Each label is one JSON file, ``<store>/ab/abcdef....json``, named after its key, in a folder named after the first two
digits. Beside the label the file holds the structure, the engine and the attempts, so that people can read it and the
key can be computed again, and a checksum. A file is written under another name and then renamed, so any number of jobs
on one file system may read and fill a store at the same time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np

from gapdesign.engines.base import Engine, Label
from gapdesign.errors import InputError
from gapdesign.files import write_frames, write_text, write_texts
from gapdesign.inputs import frames as inputs
from gapdesign.labels.gate import refuse_label
from gapdesign.labels.identity import structure_key

if TYPE_CHECKING:
    from ase import Atoms

_log = logging.getLogger(__name__)

_BATCH = 256
"""Most files that are written together, each of which is open meanwhile."""

_COST = "core_hours"
"""What a label cost, by the clock; only entries of engines that take their time have it."""

_ENTRY = ("key", "engine", "isolated", "attempts", "symbols", "pbc", "cell", "positions", "label", "checksum")


def label_key(atoms: Atoms, engine: Engine, *, isolated: bool = False) -> str:
    """Return the SHA-256, in hexadecimal, of a structure, of whether it is an isolated atom, and of the engine.

    The engine's name, settings and version count.
    """
    return _key(atoms, _identity(engine), isolated)


def _key(atoms: Atoms, identity: Mapping[str, Any], isolated: bool) -> str:
    return _sha256(_canonical({"structure": structure_key(atoms), "engine": identity, "isolated": isolated}))


class LabelStore:
    """A folder of labels, which any number of processes may read and fill at the same time.

    Parameters
    ----------
    folder
        Folder of the labels, which is made when the first one is stored.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Return the path of the file that holds, or would hold, the label of ``key``."""
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str) -> Label | None:
        """Return the label of ``key``, exact to the last bit, or None if there is none.

        A damaged entry is logged and counts as missing, so that it is computed and written anew.
        """
        path = self.path(key)
        try:
            return _label(_read(path))
        except FileNotFoundError:
            return None
        except _DamagedError as error:
            _log.warning("%s: damaged, the label is computed again (%s)", path, error)
            return None

    def core_hours(self, key: str) -> float | None:
        """Return what the label of ``key`` cost, by the clock; None if it is not here, or nobody measured."""
        try:
            return _read(self.path(key)).get(_COST)
        except (FileNotFoundError, _DamagedError):
            return None

    def put(
        self,
        key: str,
        atoms: Atoms,
        label: Label,
        engine: Engine,
        *,
        isolated: bool = False,
        attempts: Sequence[str] = (),
        core_hours: float | None = None,
    ) -> None:
        """Store the label of ``key``, replacing any that exists.

        Parameters
        ----------
        key
            From :func:`label_key`.
        atoms
            The structure.
        label
            Its label, with finite numbers only.
        engine
            Engine that computed it.
        isolated
            Whether it is an isolated atom.
        attempts
            Description of each attempt and its outcome.
        core_hours
            What it cost, by the clock.

        Raises
        ------
        ValueError
            If a number is not finite.
        """
        entry = {
            "key": key,
            "engine": _identity(engine),
            "isolated": isolated,
            "attempts": list(attempts),
            "symbols": atoms.get_chemical_symbols(),
            "pbc": atoms.pbc.tolist(),
            "cell": atoms.cell.tolist(),
            "positions": atoms.positions.tolist(),
            "label": {
                "energy": float(label.energy),
                "forces": np.asarray(label.forces, dtype=float).tolist(),
                "virial": None if label.virial is None else np.asarray(label.virial, dtype=float).tolist(),
            },
        }
        entry |= {} if core_hours is None else {_COST: float(core_hours)}
        entry["checksum"] = _sha256(_canonical(entry))
        write_text(self.path(key), _text(entry))

    def paths(self) -> list[Path]:
        """Return the files of all entries, sorted by key.

        Raises
        ------
        InputError
            If the folder of the store does not exist.
        """
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder; name that of labels.store.")
        return sorted(self.folder.glob("??/[!.]*.json"))

    def verify(self, progress: Callable[[int, int], None] | None = None) -> dict[Path, str]:
        """Check that every entry is readable and matches its checksum and its key.

        Returns
        -------
        dict
            The damaged entries, each with the fault; empty if all are sound.
        """
        damaged, paths = {}, self.paths()
        for done, path in enumerate(paths, start=1):
            try:
                _read(path)
            except _DamagedError as error:
                damaged[path] = str(error)
            if progress:
                progress(done, len(paths))
        return damaged

    def export(self, output: str | Path) -> int:
        """Write all labels as one extended-XYZ file that :meth:`read_in` accepts; return their number.

        Each frame has ``REF_energy``, ``REF_forces`` and ``REF_virial``, for any program to read, with the eight
        decimals that the format has for atoms. Under ``entry`` it holds the label's whole file, to the last bit, as
        JSON with percent signs and backslashes written as %25 and %5C.

        Raises
        ------
        InputError
            If an entry is damaged.
        """
        paths = self.paths()
        write_frames(output, map(_frame_of, paths))
        return len(paths)

    def read_in(self, path: str | Path) -> tuple[int, int]:
        """Read the labels of a file that :meth:`export` wrote; labels that are here already stay.

        Nothing is read in unless the whole file is sound.

        Returns
        -------
        taken, known : int
            Number of labels that were new here, and of those that were not.

        Raises
        ------
        InputError
            If a frame has no entry, or its entry does not match its checksum, its key or the numbers beside it.
        """
        is_new: dict[str, bool] = {}
        # Sound entries wait in a file until all are known to be sound.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as sound:
            for frame in inputs.read(path, "FILE"):
                entry = _entry(frame.atoms, f"{path}, frame {frame.number}")
                if entry["key"] not in is_new:
                    is_new[entry["key"]] = self.get(entry["key"]) is None
                    if is_new[entry["key"]]:
                        sound.write(f"{json.dumps(entry)}\n")
            sound.seek(0)
            # An exported file is sorted, so that all entries of a folder come together.
            for name, entries in groupby(map(json.loads, sound), key=lambda entry: entry["key"][:2]):
                while batch := list(islice(entries, _BATCH)):
                    write_texts(self.folder / name, {self.path(entry["key"]).name: _text(entry) for entry in batch})
        return sum(is_new.values()), len(is_new) - sum(is_new.values())


class _DamagedError(Exception):
    """An entry is not what was written; the message says in what way."""


def _read(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        _check(entry)
        if f"{entry['key']}.json" != path.name:
            raise _DamagedError("its name is not that of its key")
    except (ValueError, RecursionError) as error:
        raise _DamagedError(f"not JSON: {error}") from None
    return entry


def _check(entry: Any) -> None:
    """Check that an entry is consistent in itself."""
    if not isinstance(entry, dict) or tuple(name for name in entry if name != _COST) != _ENTRY:
        raise _DamagedError(f"it is not made of {', '.join(_ENTRY)}")
    if entry["checksum"] != _sha256(_canonical({name: value for name, value in entry.items() if name != "checksum"})):
        raise _DamagedError("its content does not match its checksum")
    try:
        atoms, label = _structure(entry), _label(entry)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _DamagedError(f"its structure or label is none: {' '.join(str(error).split())}") from None
    if entry["key"] != _key(atoms, entry["engine"], entry["isolated"]):
        raise _DamagedError("its structure and engine do not make its key")
    # A checksum only shows that nobody changed the entry by accident.
    if reason := refuse_label(atoms, label):
        raise _DamagedError(reason.rstrip(".").replace("The engine returned", "it holds"))


def _structure(entry: Mapping[str, Any]) -> Atoms:
    from ase import Atoms

    return Atoms(entry["symbols"], positions=entry["positions"], cell=entry["cell"], pbc=entry["pbc"])


def _frame_of(path: Path) -> Atoms:
    try:
        return _frame(_read(path))
    except _DamagedError as error:
        raise InputError(f"{path}: damaged ({error}); delete it, so that it is computed anew.") from None


def _label(entry: Mapping[str, Any]) -> Label:
    label = entry["label"]
    if isinstance(label["energy"], bool | str):
        raise TypeError(f"its energy is {label['energy']!r}")
    virial = None if label["virial"] is None else np.array(label["virial"], dtype=float)
    return Label(label["energy"], np.array(label["forces"], dtype=float), virial)


def _frame(entry: Mapping[str, Any]) -> Atoms:
    atoms, label = _structure(entry), _label(entry)
    # Backslashes do not survive ASE's quoting.
    text = json.dumps(entry, allow_nan=False).replace("%", "%25").replace("\\", "%5C")
    virial = {} if label.virial is None else {"REF_virial": label.virial.ravel()}
    atoms.info = {"REF_energy": label.energy, **virial, "entry": text}
    if entry["isolated"]:
        atoms.info["config_type"] = "isolated_atom"
    atoms.set_array("REF_forces", label.forces, float, (3,))
    return atoms


def _entry(atoms: Atoms, where: str) -> dict[str, Any]:
    """Return the entry that a frame carries, checked in itself and against the other values of the frame."""
    if "entry" not in atoms.info:
        raise InputError(f"{where}: it has no `entry`; give a file that `gapdesign store export` wrote.")
    try:
        entry = json.loads(unquote(str(atoms.info["entry"])))
        _check(entry)
    except (ValueError, _DamagedError) as error:
        raise InputError(f"{where}: {error}; export it again from the store that it comes from.") from None
    beside = _frame(entry)
    same = len(atoms) == len(beside) and "REF_forces" in atoms.arrays and (atoms.numbers == beside.numbers).all()
    pairs = [(atoms.cell.array, beside.cell.array), (atoms.positions, beside.positions)] if same else []
    pairs += [(atoms.arrays["REF_forces"], beside.arrays["REF_forces"])] if same else []
    names = [name for name in ("REF_energy", "REF_virial") if name in {*atoms.info, *beside.info}]
    pairs += [(atoms.info.get(name, np.nan), beside.info.get(name, np.nan)) for name in names]
    if not same or not all(np.allclose(a, b, rtol=1e-12, atol=1e-8) for a, b in pairs):
        raise InputError(f"{where}: its numbers are not those of its `entry`; export it again and do not edit it.")
    return entry


def _identity(engine: Engine) -> dict[str, Any]:
    return {"name": engine.name, "settings": dict(engine.settings), "version": engine.version}


def _text(entry: Mapping[str, Any]) -> str:
    lines = [f'"{name}": {json.dumps(value, allow_nan=False)}' for name, value in entry.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
