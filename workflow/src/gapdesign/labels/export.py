"""A design as folders that are ready to be computed anywhere, each with the identity of its structure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gapdesign.engines import ENGINES
from gapdesign.engines.shared.results import IDENTITY, INPUT
from gapdesign.errors import InputError
from gapdesign.files import read_json, write_frames, write_json
from gapdesign.labels.identity import structure_key
from gapdesign.labels.labeller import bare
from gapdesign.labels.labelling import isolated_atom

if TYPE_CHECKING:
    from ase import Atoms


class Writer(Protocol):
    """What writes the input of a program: some engines do."""

    isolated_box: float

    def write_input(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> None:
        """Write the files of one calculation into ``folder``, which is there."""


def formats() -> list[str]:
    """Names of the engines that write input, and `xyz`."""
    return [*(name for name, engine in ENGINES.items() if hasattr(engine, "write_input")), "xyz"]


class Xyz:
    """Writes the structure alone, as extended XYZ."""

    isolated_box = 20.0

    def write_input(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> None:
        """Write ``structure.extxyz``."""
        write_frames(folder / INPUT, [atoms])


def export(frames: Sequence[Atoms], output: Path, writer: Writer, *, design: str) -> list[Path]:
    """Write a folder a rank, ``output/0000`` and so on, and one for each isolated atom, ``output/isolated-Zr``.

    Beside the input, ``gapdesign.json`` says which structure the folder is for: the engine `file` finds results
    that are put there by it, and checks them by their structure all the same.

    Parameters
    ----------
    frames
        The design; ``rank`` in ``info`` names the folders.
    output
        Where the folders go.
    writer
        What writes the input.
    design
        Name of the design.

    Returns
    -------
    list of Path
        The folders.

    Raises
    ------
    InputError
        If a folder is there already for another structure.
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
        raise InputError(f"{folder}: it is there already for another structure; give another --output.")
    folder.mkdir(parents=True, exist_ok=True)
    if isolated:
        atoms.info["config_type"] = "isolated_atom"
    writer.write_input(atoms, folder, isolated=isolated)
    write_json(place, identity)
    return folder
