"""File formats: text, tables, arrays and frames, each written completely or not at all."""

from __future__ import annotations

import glob
import hashlib
import json
import math
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from zipfile import ZipFile

import numpy as np

from gapdesign import alive
from gapdesign.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

Made = TypeVar("Made")

TEXTS = (
    *("study", "pool", "prototype", "design", "model", "train", "test", "test_set", "config_type"),
    *("method", "engine", "property", "curve", "unit", "label", "group", "reason", "directory"),
    *("source_file", "source_config_type"),
)
"""Columns of tables, and keys of frames, that hold text, whatever it looks like."""

_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|\S*)')
"""A key and its value in the second line of a frame."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Provide a temporary path beside ``path``; its file becomes ``path`` when the block ends without an error.

    The data reach the disk before the name changes, so a reader sees the old file, the new one, or
    none, whichever process is killed and when. If the block raises, the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{alive.unique()}{path.suffix}")
    with alive.held(temporary):
        try:
            yield temporary
            _flush(temporary, os.O_NOFOLLOW)
            temporary.replace(path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _flush(path: Path, flags: int = 0) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(path: Path) -> None:
    """Remove temporary files of ``path`` whose writers on this machine were killed."""
    for name in path.parent.glob(f".{glob.escape(path.name)}.{alive.KERNEL}.*"):
        with alive.left(name) as is_left:
            if is_left:
                name.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` atomically as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` atomically as indented JSON, keeping its order."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage that makes it.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); delete it and run its stage again.") from None


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table atomically, in the form of :func:`csv_bytes`."""
    write_bytes(path, csv_bytes(table))


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV, with the fewest digits that reproduce each float."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a table written by :func:`write_csv`: floats to the last bit, and names always as text.

    Raises
    ------
    InputError
        If the file is missing or is not a table.
    """
    import pandas as pd

    if not Path(path).exists():
        raise InputError(f"{path}: no such file; run the stage that makes it.")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values=[""])
        return table.fillna({name: "" for name in TEXTS if name in table})
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as CSV ({reason}); delete it and run its stage again.") from error


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays atomically as one archive; equal arrays give equal bytes."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


@contextmanager
def archive(path: str | Path) -> Iterator[Callable[[str, tuple[int, ...], Any, Iterable[np.ndarray]], None]]:
    """Give a function that adds an array to an archive, block by block; the archive becomes ``path`` at the end.

    The function takes the array's name, shape, type and blocks of rows. The bytes are those of :func:`write_arrays`.
    """
    with atomic(path) as temporary, ZipFile(temporary, "w") as target:

        def add(name: str, shape: tuple[int, ...], dtype: Any, blocks: Iterable[np.ndarray]) -> None:
            descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
            header = {"descr": descr, "fortran_order": False, "shape": shape}
            with target.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array_header_1_0(stream, header)
                for block in blocks:
                    stream.write(np.ascontiguousarray(block, dtype).tobytes())

        yield add


@dataclass(frozen=True)
class StoredArray:
    """Place of an array in a file.

    Attributes
    ----------
    first : int
        Byte at which it begins.
    shape : tuple of int
    dtype : numpy.dtype
    """

    first: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @classmethod
    def within(cls, stream: BinaryIO, name: str) -> StoredArray:
        """Find an array in an archive that :func:`write_arrays` wrote.

        Raises
        ------
        Exception
            Whatever says that it is none, or not whole.
        """
        stream.seek(ZipFile(stream).getinfo(f"{name}.npy").header_offset + 26)
        stream.seek(sum(struct.unpack("<HH", stream.read(4))), os.SEEK_CUR)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = read(stream)
        if in_columns and len(shape) > 1:
            raise ValueError(f"{name} is stored by columns")
        return cls(stream.tell(), shape, dtype)

    def read(self, stream: BinaryIO, start: int, stop: int) -> np.ndarray:
        """Read rows ``start`` to ``stop`` (excluded)."""
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        stream.seek(self.first + start * self.dtype.itemsize * math.prod(self.shape[1:]))
        stream.readinto(rows.reshape(-1).view(np.uint8))
        return rows


def read_arrays(path: str | Path, make: Callable[[dict[str, np.ndarray]], Made], *, run: str) -> Made:
    """Read the arrays that :func:`write_arrays` wrote, and make an object of them.

    Parameters
    ----------
    make : callable
        Function that makes the object from the arrays by name; if it raises, the file holds something else.
    run : str
        The command that makes the file, for the message if it is missing.

    Raises
    ------
    InputError
        If the file is missing, cut off or damaged (such archives carry checksums), or holds something else.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return make(dict(archive))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run `{run}`.") from None
    except Exception as error:
        raise InputError(f"{path}: not complete ({error}); delete it and run its stage again.") from error


def write_frames(path: str | Path, frames: Sequence[Atoms]) -> None:
    """Write structures atomically as extended XYZ, in the order given."""
    from ase.io import write

    with atomic(path) as temporary:
        if frames:
            write(temporary, list(frames), format="extxyz")


def read_frames(path: str | Path) -> list[Atoms]:
    """Read all structures of an extended XYZ file, with names as text; an empty file gives an empty list.

    Raises
    ------
    InputError
        If the file is missing or cannot be parsed.
    """
    from ase.io import read

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; run the stage that makes it.")
    if path.stat().st_size == 0:
        return []
    try:
        return list(read(path, index=":", format="extxyz", properties_parser=frame_properties))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not readable as extended XYZ ({reason}); delete it and run its stage again."
        ) from error


def frame_properties(line: str) -> dict[str, Any]:
    """Read the second line of a frame as ASE does, but keep names that look like numbers or truth values as text."""
    from ase.io.extxyz import key_val_str_to_dict

    properties = key_val_str_to_dict(line)
    if mistaken := [key for key in TEXTS if not isinstance(properties.get(key, ""), str)]:
        spelt = dict(_PAIR.findall(line))
        properties |= {key: spelt[key].strip('"') for key in mistaken}
    return properties


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array atomically in NumPy's own format."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def read_array(path: str | Path) -> np.ndarray:
    """Map an array into memory, read-only.

    Raises
    ------
    InputError
        If the file is missing, cut off or not an array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the stage that makes it.") from None
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path}: not a complete array ({error}); delete it and run its stage again.") from error
