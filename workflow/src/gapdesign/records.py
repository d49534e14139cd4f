"""Records of files that jobs wrote: what each was made from, and what shows that it is whole.

The record of ``designs/OPT1.extxyz`` is ``designs/.made/OPT1.extxyz.json``, so that it is copied and archived with the
file. It holds no time and no host, and equal files that were made from the same have equal records. A file without a
record is read unchecked.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gapdesign.errors import InputError

FOLDER = ".made"
"""Folder of the records of the files beside it."""

WHOLE = ""
"""Name of the array in a file that holds one."""

PIECE = 2048
"""Bytes of rows that are checked together, at least; a row of SOAP is longer and is checked by itself."""

_CHUNK = 2**20
_WORD = 8

_job: tuple[str | None, frozenset[Path]] = (None, frozenset())
"""What the running job is made from, and the files that it leaves; none where no job runs."""


@dataclass(frozen=True)
class Record:
    """What is known of a file since it was written.

    Attributes
    ----------
    made_from : str or None
        Digest of the part of the configuration, with revision and contents of the user's files, of the job that
        wrote it.
    size : int
        Bytes.
    crc32 : str
        Checksum of the whole.
    pieces : dict
        Arrays that are read in part, by name: shape, type, rows in a piece, and the checksums of all pieces.
    """

    made_from: str | None
    size: int
    crc32: str
    pieces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self)) + "\n"


def place(path: str | Path) -> Path:
    """Return where the record of a file is."""
    path = Path(path)
    return path.parent / FOLDER / f"{path.name}.json"


def read(path: str | Path) -> Record | None:
    """Return the record of a file, or None if it has none that can be read."""
    try:
        record = Record(**json.loads(place(path).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return record if isinstance(record.size, int) and isinstance(record.pieces, dict) else None


@contextmanager
def of_job(made_from: str | None, outputs: Iterable[str | Path]) -> Iterator[None]:
    """Record ``outputs``, as far as they are written in this block, as made by one job."""
    global _job  # threads that a job starts write files too
    before, _job = _job, (made_from, frozenset(map(Path, outputs)))
    try:
        yield
    finally:
        _job = before


def digest(part: str) -> str:
    """Return the digest of what a job is made from: its part of the configuration, as JSON."""
    return hashlib.sha256(part.encode()).hexdigest()


def describe(path: Path, content: Path, arrays: Mapping[str, np.ndarray]) -> Record | None:
    """Return the record of a file, or None if no job is to leave it.

    Parameters
    ----------
    content
        Where it is, as yet.
    arrays
        Arrays in it that are read in part, by name.
    """
    made_from, outputs = _job
    if path not in outputs:
        return None
    pieces = {name: _in_pieces(array) for name, array in arrays.items()}
    return Record(made_from, content.stat().st_size, _crc32(content), pieces)


def check(path: str | Path) -> None:
    """Compare a file with its record, if it has one.

    Raises
    ------
    InputError
        If the file is not what was written.
    """
    record = read(path)
    if record is None:
        return
    if (size := Path(path).stat().st_size) != record.size:
        raise damaged(path, f"it has {size} bytes, and was written with {record.size}")
    if _crc32(Path(path)) != record.crc32:
        raise damaged(path, "its checksum is not the one that it was written with")


def damaged(path: str | Path, reason: str) -> InputError:
    """Return the error for a file that is not what was written."""
    return InputError(
        f"{path}: damaged or edited ({reason}); delete it and run its stage again, or delete {place(path)} if the"
        " change is meant."
    )


def differs(path: str | Path, made_from: str) -> bool:
    """Return whether a file was made from something else, as far as records tell.

    A file without a record beside files that have one counts as different: nobody knows what it was made from.
    """
    record = read(path)
    if record is None:
        return Path(path).exists() and place(path).parent.is_dir()
    return record.made_from is not None and record.made_from != made_from


def _in_pieces(array: np.ndarray) -> dict[str, Any]:
    width = array.itemsize * math.prod(array.shape[1:])
    step = _WORD // math.gcd(width, _WORD)  # so that pieces end with a word
    rows = step * max(1, -(-PIECE // max(1, width * step)))
    return {
        "rows": rows,
        "shape": list(array.shape),
        "dtype": array.dtype.str,
        "sums": b64encode(sums_of(array, rows).tobytes()).decode(),
    }


def sums_of(array: np.ndarray, rows: int) -> np.ndarray:
    """Return a checksum of each piece of an array: the sum of its 64-bit words, folded to 32 bits.

    It is four times as fast as a CRC, and any change of a single word changes it.
    """
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    length = rows * array[:1].nbytes
    count = len(content) // length if length else 0
    sums = content[: count * length].view(np.uint64).reshape(count, length // _WORD).sum(axis=1, dtype=np.uint64)
    if len(rest := content[count * length :]):
        last = np.pad(rest, (0, -len(rest) % _WORD)).view(np.uint64).sum(dtype=np.uint64)
        sums = np.append(sums, last)
    return (sums ^ (sums >> np.uint64(32))).astype("<u4")


def _crc32(path: Path) -> str:
    checksum = 0
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_CHUNK):
            checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"
