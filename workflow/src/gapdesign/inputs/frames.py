"""The reader of every file of structures that a study is given.

Files that `pools.file.path`, `existing`, `labels.file.paths` and `prototypes.x.file` name are read here, so that all of
these keys take the same formats, see the same frames in the same order and refuse the same mistakes.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from ase import Atoms
from ase.data import chemical_symbols

from gapdesign.errors import InputError
from gapdesign.inputs import extxyz
from gapdesign.inputs.kinds import kind_of, refuse_file, refuse_frame, without_inventions
from gapdesign.inputs.sanity import is_isolated, mistake
from gapdesign.inputs.unpacked import reason, unpacked

XYZ = ("extxyz", "xyz")
"""ASE's names of the formats that :mod:`.extxyz` reads."""


@dataclass(frozen=True)
class Frame:
    """One structure of a file.

    Attributes
    ----------
    atoms : Atoms
        The structure with ``pbc``, ``info``, ``arrays`` and the results in its calculator as the file has them.
    source : str
        Path of the file, as the configuration names it.
    number : int
        Its place in the file, from 0.
    """

    atoms: Atoms
    source: str
    number: int

    def __str__(self) -> str:
        return f"frame {self.number} of '{self.source}'"

    @property
    def is_isolated(self) -> bool:
        """Whether it is an isolated atom: a reference of energies, and no candidate."""
        return is_isolated(self.atoms)

    def bare(self) -> Atoms:
        """Return its structure alone: elements, positions, cell and periodicity."""
        atoms = self.atoms
        return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def one(stream: BinaryIO, span: extxyz.Span, source: str, number: int, key: str) -> Frame:
    """Read one frame of a plain extended XYZ file, as :func:`read` reads all.

    Raises
    ------
    InputError
        If it cannot be read or is no structure.
    """
    try:
        atoms = extxyz.parse(stream, span)
    except ValueError as error:
        raise InputError(f"{key}: frame {number} of '{source}': {error}; repair or convert it.") from error
    return _sound(Frame(atoms, source, number), key)


def refuse_undescribed(frame: Frame, key: str, species: Collection[int]) -> None:
    """Refuse a structure that no descriptor of a study can describe.

    Parameters
    ----------
    frame : Frame
    key : str
        Key of the configuration that names its file.
    species : collection of int
        Atomic numbers in the study.

    Raises
    ------
    InputError
        If it has an element that the study does not have, or no cell.
    """
    for z in frame.atoms.numbers.tolist():
        if z not in species:
            raise InputError(
                f"{key}: {frame} holds {chemical_symbols[z]}, which no prototype of the study has; add one that does."
            )
    if frame.atoms.cell.rank < 3:
        raise InputError(f"{key}: {frame} has no cell with a volume; give it one, with vacuum around a cluster.")


def read(path: str | Path, key: str) -> Iterator[Frame]:
    """Yield all structures of a file, one in memory at a time.

    Parameters
    ----------
    path
        Extended XYZ or any format that ASE reads; plain, or compressed by gzip, bzip2, xz or zip.
    key : str
        Key of the configuration that names it, for messages.

    Raises
    ------
    InputError
        If the file is missing, cut off or in a format that cannot be trusted, or if a frame cannot be read or is no
        structure (see :func:`.sanity.mistake`). The sentence names key, file and frame.
    """
    with unpacked(path, key) as place:
        for number, atoms in enumerate(_structures(place, str(path), key)):
            yield _sound(Frame(atoms, str(path), number), key)


def _sound(frame: Frame, key: str) -> Frame:
    if problem := mistake(frame.atoms):
        raise InputError(f"{key}: {frame} {problem}.")
    return frame


def _structures(place: Path, path: str, key: str) -> Iterator[Atoms]:
    kind = kind_of(place, path, key)
    found = extxyz.frames(place) if kind in XYZ else _by_ase(place, kind, path, key)
    for number in count():
        try:
            with warnings.catch_warnings():
                # What they warn of (occupancies, guessed elements, symmetry) is checked.
                warnings.simplefilter("ignore")
                atoms = next(found, None)
                problem = None if atoms is None else refuse_frame(atoms, kind, place)
        except InputError:
            raise
        except Exception as error:
            what = reason(error) if kind in XYZ else f"ASE cannot read it as '{kind}': {reason(error)}"
            raise InputError(f"{key}: frame {number} of '{path}': {what}; repair or convert it.") from error
        if atoms is None:
            if not number:
                raise InputError(f"{key}: '{path}' holds no structure; name a file of structures.")
            return
        if problem:
            raise InputError(f"{key}: frame {number} of '{path}' {problem}.")
        yield without_inventions(atoms, kind)


def _by_ase(place: Path, kind: str, path: str, key: str) -> Iterator[Atoms]:
    from ase.io import iread

    refuse_file(place, kind, path, key)
    options: dict[str, Any] = {"index": ":", "format": kind, "do_not_split_by_at_sign": True}
    yield from iread(str(place), **options)
