"""How files are laid out and written: shards, frames, tables, and the rule that none is ever half there."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gapdesign.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

Made = TypeVar("Made")

_HOST = platform.node()


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; what is written there becomes ``path`` when the block ends well.

    The data reach the disk before the name changes, so a reader sees the old file, the new one, or
    none, whatever is killed when. If the block raises, the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}{path.suffix}")
    try:
        temporary.touch()
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove temporary files of ``path`` whose writers on this machine were killed."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{_HOST}.*"):
        writer = left.name.removeprefix(f".{path.name}.{_HOST}.").removesuffix(path.suffix)
        if writer.isdigit() and not Path(f"/proc/{writer}").exists():
            left.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` atomically as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` atomically as indented JSON in the order it has."""
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
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); delete it and run its stage again.") from None


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table atomically, as :func:`csv_bytes` gives it."""
    write_bytes(path, csv_bytes(table))


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Give a table as CSV; floats with the fewest digits that give the same number back."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a table written by :func:`write_csv`, floats to the last bit and names as text, whatever they look like.

    Raises
    ------
    InputError
        If the file is missing or is not a table.
    """
    import pandas as pd

    if not Path(path).exists():
        raise InputError(f"{path}: no such file; run the stage that makes it.")
    texts = ("design", "model", "test_set", "method", "pool", "engine", "reason", "directory")
    names = dict.fromkeys((*texts, "prototype", "property", "unit", "label"), str)
    try:
        table = pd.read_csv(path, dtype=names, keep_default_na=False, na_values=[""])
        return table.fillna({name: "" for name in names if name in table})
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as CSV ({reason}); delete it and run its stage again.") from error


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays atomically as one archive; equal ones give equal bytes."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def read_arrays(path: str | Path, make: Callable[[dict[str, np.ndarray]], Made], *, run: str) -> Made:
    """What is made of the arrays that :func:`write_arrays` wrote.

    Parameters
    ----------
    make : callable
        From the arrays by name to what they stand for; whatever it raises says that they are not it.
    run : str
        The command that makes the file, to be named where there is none.

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
    """Read all structures of an extended XYZ file; an empty file gives an empty list.

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
        return list(read(path, index=":", format="extxyz"))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not readable as extended XYZ ({reason}); delete it and run its stage again."
        ) from error


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def shard_path(folder: str | Path, start: int, stop: int, suffix: str) -> Path:
    """Path of the shard that holds candidates ``start`` to ``stop`` (excluded) of a pool."""
    return Path(folder) / f"{start}-{stop}.{suffix}"


def shard_range(path: str | Path) -> tuple[int, int]:
    """Range [start, stop) that a shard's name tells.

    Raises
    ------
    InputError
        If the name is not ``<start>-<stop>.<suffix>``.
    """
    try:
        start, stop = map(int, Path(path).stem.split("-"))
    except ValueError:
        raise InputError(f"{path}: a shard is called <start>-<stop>{Path(path).suffix}.") from None
    return start, stop


def in_order(paths: Sequence[str | Path]) -> tuple[list[str | Path], list[int]]:
    """Shards by increasing index, and where each begins and the last ends.

    Raises
    ------
    InputError
        If they leave out candidates between 0 and the last, or have some twice.
    """
    ordered, bounds = sorted(paths, key=shard_range), [0]
    for path in ordered:
        (start, stop), end = shard_range(path), bounds[-1]
        if start > end:
            raise InputError(f"{path}: candidates {end} to {start} before it are missing; run its stage for them.")
        if start < end:
            raise InputError(f"{path}: candidates {start} to {end} are in the shard before it too; give one.")
        bounds.append(stop)
    return ordered, bounds


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


class _Blocks:
    """What reads ranges of rows can be read in blocks."""

    size: int

    def ranges(self, rows: int) -> list[tuple[int, int]]:
        """Ranges [start, stop) of at most ``rows`` rows."""
        return [(start, min(start + rows, self.size)) for start in range(0, self.size, rows)]

    def blocks(self, rows: int) -> Iterator[tuple[int, np.ndarray]]:
        """Blocks of at most ``rows`` rows: the first one's index, and the features (n, dimension)."""
        for start, stop in self.ranges(rows):
            yield start, self.block(start, stop)


class ArrayFile(_Blocks):
    """A two-dimensional array in a file, of which only the rows asked for are read.

    Plain reads are used, not a memory map: what is mapped counts as a process's memory on most clusters.

    Raises
    ------
    InputError
        If the file is missing, cut off or not such an array.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        mapped = read_array(path)
        if mapped.ndim != 2 or not mapped.flags.c_contiguous:
            raise InputError(f"{path}: not a table of numbers; delete it and run its stage again.")
        self.shape, self._dtype, self._offset = mapped.shape, mapped.dtype, mapped.offset
        self.size, self.dimension = mapped.shape

    def block(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop`` (excluded)."""
        width = self.shape[1]
        skipped = self._offset + start * width * self._dtype.itemsize
        return np.fromfile(self._path, self._dtype, (stop - start) * width, offset=skipped).reshape(-1, width)

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Single rows, in the order asked for."""
        width, size = self.shape[1], self.shape[1] * self._dtype.itemsize
        rows = np.empty((len(indices), width), self._dtype)
        with self._path.open("rb", buffering=0) as stream:
            for place, index in enumerate(indices):
                stream.seek(self._offset + int(index) * size)
                stream.readinto(rows[place])
        return rows


class FeaturePool(_Blocks):
    """The features of a whole pool, read in blocks from its shards and never all held.

    Parameters
    ----------
    paths : sequence of path
        Shards that together cover candidates 0 to ``size``, in any order.

    Raises
    ------
    InputError
        If a shard is cut off, has another shape than its name says, or one is missing between others.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        ordered, self._bounds = in_order(paths)
        self._shards = [ArrayFile(path) for path in ordered]
        for path, shard, (start, stop) in zip(ordered, self._shards, pairwise(self._bounds), strict=True):
            if shard.shape != (stop - start, self._shards[0].shape[1]):
                raise InputError(f"{path}: {shard.shape} is not the shape its name promises; run its stage again.")
        self.size = self._bounds[-1]
        self.dimension = self._shards[0].shape[1]

    def first(self, size: int) -> FeaturePool:
        """The candidates 0 to ``size`` (excluded) as a pool of their own, which they would be."""
        part = copy(self)
        count = int(np.searchsorted(self._bounds, size))
        part._shards, part._bounds = self._shards[:count], [*self._bounds[:count], size]
        part.size = size
        return part

    def ranges(self, rows: int) -> list[tuple[int, int]]:
        """Ranges [start, stop) of at most ``rows`` rows, none across a shard's end."""
        return [(a, min(a + rows, stop)) for start, stop in pairwise(self._bounds) for a in range(start, stop, rows)]

    def block(self, start: int, stop: int) -> np.ndarray:
        """Features (n, dimension) of a range within one shard."""
        number = int(np.searchsorted(self._bounds, start, side="right")) - 1
        return self._shards[number].block(start - self._bounds[number], stop - self._bounds[number])

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Features (n, dimension) of the candidates ``indices``, in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        features = np.empty((len(indices), self.dimension), dtype=np.float32)
        owner = np.searchsorted(self._bounds, indices, side="right") - 1
        for number in np.unique(owner):
            mine = owner == number
            features[mine] = self._shards[number].rows(indices[mine] - self._bounds[number])
        return features

    def held(self) -> HeldPool:
        """The whole of it in memory."""
        whole = np.empty((self.size, self.dimension), dtype=np.float32)
        for start, stop in pairwise(self._bounds):
            whole[start:stop] = self.block(start, stop)
        return HeldPool(whole)


class HeldPool(_Blocks):
    """An array (n, dimension) that is read like a :class:`FeaturePool`."""

    def __init__(self, features: np.ndarray) -> None:
        self._features = features
        self.size, self.dimension = features.shape

    def block(self, start: int, stop: int) -> np.ndarray:
        """Features (n, dimension) of a range."""
        return self._features[start:stop]

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Features (n, dimension) of the candidates ``indices``, in that order."""
        return self._features[indices]
