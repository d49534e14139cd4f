"""Arrays that stay in their file and are read in part, each part checked when it is read for the first time."""

from __future__ import annotations

import itertools
import math
import os
import struct
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import ZipFile

import numpy as np

from gapdesign import records
from gapdesign.errors import InputError
from gapdesign.files import reading

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer


@dataclass(frozen=True)
class StoredArray:
    """Place of an array in a file.

    Attributes
    ----------
    first : int
        Byte at which it begins.
    shape : tuple of int
    dtype : numpy.dtype
    pieces : Pieces, optional
        Its checks, if the file has a record.
    """

    first: int
    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: Pieces | None = None

    @classmethod
    def alone(cls, path: Path) -> StoredArray:
        """Find the array in a file that :func:`gapdesign.files.write_array` wrote.

        Raises
        ------
        InputError
            If the file is missing, cut off or not an array stored by rows.
        """
        with reading(path, "not a complete array"):
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if not mapped.flags.c_contiguous:
            raise InputError(f"{path}: not a table of numbers; delete it and run its stage again.")
        return cls(mapped.offset, mapped.shape, mapped.dtype)._checked(path, records.WHOLE)

    @classmethod
    def within(cls, stream: BinaryIO, name: str) -> StoredArray:
        """Find an array in an archive that :func:`gapdesign.files.write_arrays` wrote.

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
        return cls(stream.tell(), shape, dtype)._checked(Path(stream.name), name)

    def _checked(self, path: Path, name: str) -> StoredArray:
        """Return it with its checks; where its record has none, the whole file is checked here and now."""
        record = records.read(path)
        if record is None:
            return self
        if name in record.pieces:
            return replace(self, pieces=Pieces(path, self, record, record.pieces[name]))
        records.check(path)
        return self

    def read(self, stream: BinaryIO, start: int, stop: int) -> np.ndarray:
        """Read rows ``start`` to ``stop`` (excluded) of the file, opened without a buffer.

        Raises
        ------
        InputError
            If they are not what was written, as far as a record tells.
        """
        first, last = (start, stop) if self.pieces is None else self.pieces.around(start, stop)
        rows = np.empty((last - first, *self.shape[1:]), self.dtype)
        self._fill(rows, stream, first)
        if self.pieces is not None:
            self.pieces.check(rows, first)
        return rows[start - first : stop - first]

    def read_single(self, stream: CountingFile, indices: np.ndarray) -> np.ndarray:
        """Read single rows, in the order of ``indices``; see :meth:`read`."""
        width, known = self.dtype.itemsize * math.prod(self.shape[1:]), itertools.repeat(True)
        if self.pieces is not None:
            known = self.pieces.are_known(indices).tolist()
        # By as few steps of Python as there can be, since selections read millions of rows.
        content = bytearray().join(
            [
                stream.at(self.first + index * width, width) if is_known else self.read(stream, index, index + 1)
                for index, is_known in zip(np.asarray(indices).tolist(), known, strict=False)
            ]
        )
        if len(content) < len(indices) * width:
            raise _shorter(stream)
        return np.frombuffer(content, self.dtype).reshape(len(indices), *self.shape[1:])

    def _fill(self, rows: np.ndarray, stream: BinaryIO, first: int) -> None:
        """Read rows from ``first`` on into an array."""
        stream.seek(self.first + first * self.dtype.itemsize * math.prod(self.shape[1:]))
        left = memoryview(rows.reshape(-1).view(np.uint8))
        while len(left) and (count := stream.readinto(left)):
            left = left[count:]
        if len(left):
            raise _shorter(stream)


class CountingFile(FileIO):
    """A file opened for reading, which counts the bytes."""

    count = 0

    def readinto(self, buffer: Buffer) -> int:
        """Read bytes into a buffer, and return their number."""
        read = super().readinto(buffer)
        self.count += read
        return read

    def at(self, place: int, size: int) -> bytes:
        """Read ``size`` bytes, or what there is of them, from a place in the file on."""
        self.count += size
        return os.pread(self.fileno(), size, place)


def _shorter(stream: BinaryIO) -> InputError:
    return InputError(f"{stream.name}: it has become shorter while it was read; run its stage again.")


class Pieces:
    """Checks of an array that is read in part.

    Parameters
    ----------
    path : path
        Its file, for messages.
    array : StoredArray
        The array, as the file has it.
    record : Record
        The record of the file.
    written : mapping
        What the record has of the array.

    Attributes
    ----------
    rows : int
        Rows in a piece.

    Raises
    ------
    InputError
        If the file has another size, or the array another shape or type, than was written.
    """

    def __init__(self, path: Path, array: StoredArray, record: records.Record, written: Mapping[str, Any]) -> None:
        if path.stat().st_size != record.size:
            raise records.damaged(path, f"it has {path.stat().st_size} bytes, and was written with {record.size}")
        try:
            is_alike = [array.dtype.str, *array.shape] == [written["dtype"], *written["shape"]]
            self._path, self.rows, self._size = path, int(written["rows"]), array.shape[0]
            self._expected = np.frombuffer(b64decode(written["sums"]), "<u4")
        except (KeyError, TypeError, ValueError):
            is_alike = False
        if not is_alike or len(self._expected) != -(-self._size // self.rows):
            raise records.damaged(path, "its array or its record has another shape or type than was written")
        self._is_known = np.zeros(len(self._expected), bool)

    def are_known(self, indices: np.ndarray) -> np.ndarray:
        """Say (n,) of which rows the pieces were checked before."""
        return self._is_known[np.asarray(indices) // self.rows]

    def around(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows to read, so that those asked for can be checked."""
        first, last = start // self.rows, -(-stop // self.rows)
        if start >= stop or self._is_known[first:last].all():
            return start, stop
        return first * self.rows, min(last * self.rows, self._size)

    def check(self, rows: np.ndarray, start: int) -> None:
        """Check rows that were read from ``start``, with those around them.

        Raises
        ------
        InputError
            If they are not what was written.
        """
        first, last = start // self.rows, -(-(start + len(rows)) // self.rows)
        if not len(rows) or self._is_known[first:last].all():
            return
        wrong = records.sums_of(rows, self.rows) != self._expected[first:last]
        if wrong.any():
            raise records.damaged(self._path, f"from row {(first + int(wrong.argmax())) * self.rows} on")
        self._is_known[first:last] = True
