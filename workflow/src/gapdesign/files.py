"""File formats: text, tables, arrays and frames, each written completely or not at all."""

from __future__ import annotations

import ctypes
import errno
import glob
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import ZipFile

import numpy as np

from gapdesign import alive, records
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
def atomic(path: str | Path, arrays: Mapping[str, np.ndarray] | None = None) -> Iterator[Path]:
    """Provide a temporary path beside ``path``; its file becomes ``path`` when the block ends without an error.

    The data reach the disk before the name changes, so a reader sees the old file, the new one, or
    none, whichever process is killed and when. If the block raises, the temporary file is removed.

    Parameters
    ----------
    arrays
        Arrays of the file that are read in part, by name, for the record that a job leaves of it, see
        :mod:`gapdesign.records`.

    Raises
    ------
    OSError
        Which names ``path`` if the block cannot write it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent, f".{glob.escape(path.name)}")
    with _temporary(path) as temporary:
        yield temporary
        _flush(temporary, os.O_NOFOLLOW)
        record = records.describe(path, temporary, arrays or {})
        # Whatever is killed in between: there is no record then, and never one of another content.
        records.place(path).unlink(missing_ok=True)
        temporary.replace(path)
        _flush(path.parent)
    if record is not None:
        write_text(records.place(path), record.text())


@contextmanager
def _named(path: Path, temporary: Path) -> Iterator[None]:
    """Let errors of writing a temporary file name the file that the user knows."""
    try:
        yield
    except OSError as error:
        # NumPy does not say why it wrote less than it was given.
        number = errno.ENOSPC if error.errno is None and "requested and" in str(error) else error.errno
        if number is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _flush(path: Path, flags: int = 0) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path, beginning: str) -> None:
    """Remove temporary files whose writers on this machine were killed."""
    for name in folder.glob(f"{beginning}.{alive.KERNEL}.*"):
        with alive.left(name) as is_left:
            if is_left:
                name.unlink(missing_ok=True)


def write_texts(folder: str | Path, texts: Mapping[str, str]) -> None:
    """Write files of a folder, each atomically, and wait for the disk once for all of them."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder, ".*")
    with ExitStack() as stack:
        pending = {folder / name: stack.enter_context(_temporary(folder / name)) for name in texts}
        for temporary, text in zip(pending.values(), texts.values(), strict=True):
            temporary.write_text(text, encoding="utf-8")
        _flush_all(folder, pending.values())
        for path, temporary in pending.items():
            temporary.replace(path)
    _flush(folder)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Create a temporary file beside ``path``, which is gone afterwards."""
    temporary = path.with_name(f".{path.name}.{alive.unique()}{path.suffix}")
    with _named(path, temporary), alive.held(temporary):
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


def _flush_all(folder: Path, paths: Iterable[Path]) -> None:
    """Wait until files of a folder are on the disk: by one call for its file system where the machine has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if getattr(ctypes.CDLL(None), "syncfs", lambda _: -1)(descriptor) == 0:
            return
    finally:
        os.close(descriptor)
    for path in paths:
        _flush(path, os.O_NOFOLLOW)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Provide an empty folder; it becomes ``path``, with all that is in it, when the block ends without an error.

    Raises
    ------
    InputError
        If there is something at ``path`` already.
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path}: it exists already; remove it, or give another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
        folder = Path(temporary) / path.name
        folder.mkdir()
        yield folder
        for item in sorted(folder.rglob("*")):
            _flush(item)
        _flush(folder)
        folder.rename(path)
    _flush(path.parent)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` atomically as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def read_bytes(path: str | Path) -> bytes:
    """Read a whole file as it is.

    Raises
    ------
    InputError
        If it is missing, cannot be read, or is not what a job wrote.
    """
    with reading(path, "not readable"):
        records.check(path)
        return Path(path).read_bytes()


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
    with reading(path, "not valid JSON"):
        records.check(path)
        return json.loads(Path(path).read_text(encoding="utf-8"))


@contextmanager
def reading(path: str | Path, wrong: str, *, run: str = "the stage that makes it") -> Iterator[None]:
    """Turn what goes wrong while a result is read into one sentence.

    Only a file whose content was seen to be no good is advised to be deleted.

    Parameters
    ----------
    wrong
        What such a file is.
    run
        What makes the file, for the message if it is missing.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or the block raises.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run {run}.") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{path}: cannot be read ({error.strerror}); mend that, then run this again.") from error
        raise InputError(
            f"{path}: {wrong} ({' '.join(str(error).split())}); delete it and run its stage again."
        ) from error


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

    with reading(path, "not readable as CSV"):
        records.check(path)
        _check_end(Path(path))
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values=[""])
        return table.fillna({name: "" for name in TEXTS if name in table})


def _check_end(path: Path) -> None:
    """Check that the last line of a table is whole."""
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END):
            stream.seek(-1, os.SEEK_END)
            if stream.read() != b"\n":
                raise ValueError("cut off in its last line")


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], *, in_part: Sequence[str] = ()) -> None:
    """Write named arrays atomically as one archive; equal arrays give equal bytes.

    Parameters
    ----------
    in_part
        Names of arrays that are read in part, and need checksums of their own.
    """
    with atomic(path, {name: arrays[name] for name in in_part}) as temporary, temporary.open("wb") as stream:
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
    with reading(path, "not complete", run=f"`{run}`"), Path(path).open("rb") as stream:
        if stream.read(2) not in (b"PK", b""):  # what NumPy says of other files is about pickles
            raise ValueError("no archive of arrays")
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as archive:
            return make(dict(archive))


def write_frames(path: str | Path, frames: Iterable[Atoms]) -> None:
    """Write structures atomically as extended XYZ, in the order given, one after the other."""
    from ase.io.extxyz import write_extxyz

    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for atoms in frames:
            write_extxyz(stream, [atoms])


def read_frames(path: str | Path) -> list[Atoms]:
    """Read all structures of an extended XYZ file, with names as text; an empty file gives an empty list.

    Raises
    ------
    InputError
        If the file is missing or cannot be parsed.
    """
    from ase.io import read

    path = Path(path)
    with reading(path, "not readable as extended XYZ"):
        records.check(path)
        if path.stat().st_size == 0:
            return []
        return list(read(path, index=":", format="extxyz", properties_parser=frame_properties))


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
    with atomic(path, {records.WHOLE: array} if array.ndim == 2 else {}) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def read_array(path: str | Path) -> np.ndarray:
    """Map an array into memory, read-only.

    Raises
    ------
    InputError
        If the file is missing, cut off or not an array.
    """
    with reading(path, "not a complete array"):
        records.check(path)
        return np.load(path, mmap_mode="r", allow_pickle=False)
