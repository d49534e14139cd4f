"""Export of a design as folders that can be computed anywhere, each with the identity of its structure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gapdesign.engines import ENGINES
from gapdesign.engines.shared.sources import IDENTITY, INPUT
from gapdesign.errors import InputError
from gapdesign.files import read_json, write_frames, write_json
from gapdesign.labels.identity import structure_key
from gapdesign.labels.labeller import bare
from gapdesign.labels.labelling import isolated_atom

if TYPE_CHECKING:
    from ase import Atoms


class Writer(Protocol):
    """An object that writes the input of a program, as some engines do."""

    isolated_box: float

    def write_input(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> None:
        """Write the files of one calculation into ``folder``, which exists already."""


def formats() -> list[str]:
    """Return the names of the engines that write input, and `xyz`."""
    return [*(name for name, engine in ENGINES.items() if hasattr(engine, "write_input")), "xyz"]


class Xyz:
    """Writer of the structure alone, as extended XYZ."""

    isolated_box = 20.0

    def write_input(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> None:
        """Write ``structure.extxyz``."""
        write_frames(folder / INPUT, [atoms])


def export(frames: Sequence[Atoms], output: Path, writer: Writer, *, design: str) -> list[Path]:
    """Write one folder per rank, ``output/0000`` and so on, and one per isolated atom, ``output/isolated-Zr``.

    Beside the input, ``gapdesign.json`` identifies the structure. The engine `file` uses it to find the results in the
    folder, and still checks them by their structure.

    Parameters
    ----------
    frames
        The design; ``rank`` in ``info`` names the folders.
    output
        Folder in which the folders are made.
    writer
        Writer of the input.
    design
        Name of the design.

    Returns
    -------
    list of Path
        The folders.

    Raises
    ------
    InputError
        If a folder exists already for another structure.
    """
    folders = []
    for number, atoms in enumerate(frames):
        rank = int(atoms.info.get("rank", number))
        identity = {"design": design, "rank": rank}
        if "candidate" in atoms.info:
            identity |= {"pool": str(atoms.info["pool"]), "candidate": int(atoms.info["candidate"])}
        folders.append(_write(output / f"{rank:04d}", bare(atoms), writer, identity, isolated=False))
    for element in dict.fromkeys(symbol for atoms in frames for symbol in atoms.get_chemical_symbols()):
        atoms = isolated_atom(element, writer.isolated_box)
        folders.append(_write(output / f"isolated-{element}", atoms, writer, {}, isolated=True))
    return folders


def _write(folder: Path, atoms: Atoms, writer: Writer, origin: dict[str, Any], *, isolated: bool) -> Path:
    identity = {"key": structure_key(atoms), "isolated": isolated, **origin}
    place = folder / IDENTITY
    if place.exists() and read_json(place).get("key") != identity["key"]:
        raise InputError(f"{folder}: it exists already for another structure; give another --output.")
    folder.mkdir(parents=True, exist_ok=True)
    if isolated:
        atoms.info["config_type"] = "isolated_atom"
    writer.write_input(atoms, folder, isolated=isolated)
    write_json(place, identity)
    return folder
