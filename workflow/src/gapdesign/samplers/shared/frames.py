"""Frames of a file of structures, read one at a time by their offsets."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
from ase import Atoms

from gapdesign.errors import InputError
from gapdesign.files import atomic


def is_extended_xyz(path: str | Path) -> bool:
    """Return whether a file is extended XYZ by its name; other formats are converted first."""
    return Path(path).suffix in (".xyz", ".extxyz")


def convert(path: str | Path, output: str | Path) -> None:
    """Convert a file of structures that ASE reads to extended XYZ, with one structure in memory at a time.

    Raises
    ------
    InputError
        If ASE does not read it.
    """
    from ase.io import iread, write

    with atomic(output) as temporary, temporary.open("w", encoding="utf-8") as text:
        try:
            for atoms in iread(path, index=":"):
                write(text, Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc), format="extxyz")
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(f"pools.file.path: ASE cannot read '{path}' ({reason}); convert it first.") from error


def offsets(path: str | Path) -> np.ndarray:
    """Return the offset of each frame of an extended XYZ file, in bytes, and of the end.

    Raises
    ------
    InputError
        If the file is missing or is not extended XYZ.
    """
    begins = [0]
    try:
        with Path(path).open("rb") as stream:
            while line := stream.readline():
                if not line.strip():
                    continue
                count = int(line)
                for _ in range(count + 1):
                    if not stream.readline():
                        raise ValueError("the last frame is cut off")
                begins.append(stream.tell())
    except FileNotFoundError:
        raise InputError(f"pools.file.path: no file '{path}'; paths start where snakemake is run.") from None
    except ValueError as error:
        raise InputError(
            f"pools.file.path: frame {len(begins) - 1} of '{path}' is not extended XYZ ({error}); repair or convert it."
        ) from None
    return np.array(begins, dtype=np.int64)


def enough(path: str | Path, count: int, size: int) -> None:
    """Refuse a file with too few frames."""
    if count < size:
        raise InputError(
            f"pools.size: a pool of {size} cannot be drawn from the {count} frames of '{path}'; set it to {count} or"
            " less."
        )


def read(path: str | Path, begins: np.ndarray, which: np.ndarray) -> list[Atoms]:
    """Read frames of an extended XYZ file: elements, positions and cell only, in the order of ``which``.

    Raises
    ------
    InputError
        If a frame cannot be read or has no cell.
    """
    from ase.io import read as parse

    frames = []
    with Path(path).open("rb") as stream:
        for number in which:
            stream.seek(int(begins[number]))
            text = stream.read(int(begins[number + 1] - begins[number])).decode("utf-8")
            try:
                atoms = parse(StringIO(text), format="extxyz")
            except Exception as error:
                reason = " ".join(str(error).split())
                raise InputError(
                    f"pools.file.path: frame {number} of '{path}' is not extended XYZ ({reason}); repair or convert it."
                ) from error
            if atoms.cell.rank < 3:
                raise InputError(
                    f"pools.file.path: frame {number} of '{path}' has no cell with a volume; give it one, with vacuum"
                    " around a cluster."
                )
            frames.append(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True))
    return frames
