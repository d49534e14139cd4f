"""Shards of pools: cutting a pool, naming its files, and reading its features in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from gapdesign.errors import InputError
from gapdesign.stored import CountingFile, StoredArray


def cut(sizes: int | Sequence[int], shard_size: int) -> list[tuple[int, int]]:
    """Return the ranges [start, stop) that cut a pool of so many candidates.

    Parameters
    ----------
    sizes : int or sequence of int
        Candidates of the pool; or, increasing, all numbers at which it may end, each of which ends a range.
    shard_size : int
        Candidates in a range at most.
    """
    ends = [0, *([sizes] if isinstance(sizes, int) else sizes)]
    return [(a, min(a + shard_size, end)) for begin, end in pairwise(ends) for a in range(begin, end, shard_size)]


def shard_path(folder: str | Path, start: int, stop: int, suffix: str) -> Path:
    """Return the path of the shard that holds candidates ``start`` to ``stop`` (excluded) of a pool."""
    return Path(folder) / f"{start}-{stop}.{suffix}"


def shard_range(path: str | Path) -> tuple[int, int]:
    """Return the range [start, stop) in a shard's name.

    Raises
    ------
    InputError
        If the name is not ``<start>-<stop>.<suffix>``.
    """
    try:
        start, stop = map(int, Path(path).stem.split("-"))
    except ValueError:
        raise InputError(f"{path}: the name of a shard must be <start>-<stop>{Path(path).suffix}.") from None
    return start, stop


def in_order(paths: Sequence[str | Path]) -> tuple[list[str | Path], list[int]]:
    """Sort shards by index; return them, and the index where each begins and where the last ends.

    Raises
    ------
    InputError
        If candidates between 0 and the last are missing, or occur twice.
    """
    ordered, bounds = sorted(paths, key=shard_range), [0]
    for path in ordered:
        (start, stop), end = shard_range(path), bounds[-1]
        if start > end:
            raise InputError(f"{path}: the preceding candidates {end} to {start} are missing; run its stage for them.")
        if start < end:
            raise InputError(f"{path}: candidates {start} to {end} are also in the preceding shard; give only one.")
        bounds.append(stop)
    return ordered, bounds


def filled(lengths: Sequence[int]) -> int:
    """Return how many of the shards of a pool, in order, are not behind its end; one at least.

    Parameters
    ----------
    lengths : sequence of int
        Candidates that each holds. A pool that stopped growing has empty shards behind its end.
    """
    return max((number for number, length in enumerate(lengths, 1) if length), default=1)


_FOLDERS = (
    *("candidates/{}", "descriptors/{}", "descriptors/{}/sums", "descriptors/{}/environments"),
    *("rows/{}", "designs/compressed/{}", "designs/compressed/{}/codes", "designs/costs/{}", "replay/rows/{}"),
)
"""Folders of the shards of a pool, below those of the results of a study."""


def leftovers(results: str | Path, ranges: Mapping[str, Sequence[tuple[int, int]]]) -> list[Path]:
    """Return files of shards that are no part of their pools any more, since `size` or `shard_size` changed.

    Parameters
    ----------
    results : path
        Folder of the study's results.
    ranges : mapping of str to sequence of (int, int)
        Pool to the ranges that it is cut into.
    """
    found = []
    for pool, shards in ranges.items():
        names = {f"{start}-{stop}" for start, stop in shards}
        for folder in _FOLDERS:
            files = Path(results, folder.format(pool)).glob("[0-9]*-[0-9]*.np[yz]")
            found += [path for path in files if path.stem not in names]
    return sorted(found)


class Blocks:
    """Rows that are read by ranges, and so in blocks, or one by one."""

    size: int
    dimension: int
    dtype: np.dtype

    def block(self, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop`` (excluded)."""
        raise NotImplementedError

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Single rows, in the order asked for."""
        raise NotImplementedError

    def ranges(self, rows: int) -> list[tuple[int, int]]:
        """Return ranges [start, stop) of at most ``rows`` rows."""
        return [(start, min(start + rows, self.size)) for start in range(0, self.size, rows)]

    def blocks(self, rows: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield blocks of at most ``rows`` rows: the index of the first row, and the features (n, dimension)."""
        for start, stop in self.ranges(rows):
            yield start, self.block(start, stop)


class ArrayFile(Blocks):
    """A two-dimensional array in a file, of which only the rows asked for are read.

    It uses plain reads instead of a memory map, because most clusters count mapped pages as a process's memory.

    Parameters
    ----------
    path : path
    stored : StoredArray, optional
        Which array, where the file is an archive of several.

    Raises
    ------
    InputError
        If the file is missing, cut off or not such an array.
    """

    def __init__(self, path: str | Path, stored: StoredArray | None = None) -> None:
        self._path = Path(path)
        self._stored = StoredArray.alone(self._path) if stored is None else stored
        self._read: list[int] = []
        self.shape, self.dtype = self._stored.shape, self._stored.dtype
        if len(self.shape) != 2:
            raise InputError(f"{path}: not a table of numbers; delete it and run its stage again.")
        self.size, self.dimension = self.shape

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return rows ``start`` to ``stop`` (excluded)."""
        with self._opened() as stream:
            return self._stored.read(stream, start, stop)

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Return single rows, in the order of ``indices``."""
        with self._opened() as stream:
            return self._stored.read_single(stream, indices)

    @property
    def bytes_read(self) -> int:
        """Bytes read from the file so far."""
        return sum(self._read)

    @contextmanager
    def _opened(self) -> Iterator[CountingFile]:
        with CountingFile(self._path) as stream:
            try:
                yield stream
            finally:
                self._read.append(stream.count)


T = TypeVar("T", covariant=True)


class ShardFile(Protocol[T]):
    """A file of some structures, which are read one by one.

    Attributes
    ----------
    dimension : int
        Numbers in a row of it.
    """

    dimension: int

    def __len__(self) -> int:
        """Return the number of structures."""

    def one(self, k: int) -> T:
        """Structure ``k`` alone."""


class OneByOne(Generic[T]):
    """A whole pool that is read from its shards one structure at a time.

    Parameters
    ----------
    paths : sequence of path
        Shards that together cover candidates 0 to ``len``, in any order; behind these, empty ones may follow.
    read : callable
        Opens one of them.
    what : str
        What they hold, for messages.

    Raises
    ------
    InputError
        If a shard is missing or truncated, or its number of structures differs from its name.
    """

    def __init__(self, paths: Sequence[str | Path], read: Callable[[str | Path], ShardFile[T]], what: str) -> None:
        ordered, bounds = in_order(paths)
        shards = [read(path) for path in ordered]
        count = filled([len(shard) for shard in shards])
        self._shards, self._bounds = shards[:count], bounds[: count + 1]
        self.dimension = self._shards[0].dimension
        for path, shard, (start, stop) in zip(ordered[:count], self._shards, pairwise(self._bounds), strict=True):
            if len(shard) != stop - start or shard.dimension != self.dimension:
                raise InputError(f"{path}: its {what} do not match its name; run its stage again.")

    def __len__(self) -> int:
        return self._bounds[-1]

    def one(self, k: int) -> T:
        """Candidate ``k`` alone."""
        number = int(np.searchsorted(self._bounds, k, side="right")) - 1
        return self._shards[number].one(k - self._bounds[number])


class FeaturePool(Blocks):
    """The features of a whole pool, read in blocks from its shards and never all held.

    Parameters
    ----------
    paths : sequence of path
        Shards that together cover candidates 0 to ``size``, in any order; behind these, empty ones may follow.

    Raises
    ------
    InputError
        If a shard is cut off, has another shape than its name says, or is missing between others.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        ordered, bounds = in_order(paths)
        shards = [ArrayFile(path) for path in ordered]
        count = filled([shard.size for shard in shards])
        self._shards, self._bounds = shards[:count], bounds[: count + 1]
        for path, shard, (start, stop) in zip(ordered[:count], self._shards, pairwise(self._bounds), strict=True):
            if shard.shape != (stop - start, self._shards[0].shape[1]):
                raise InputError(f"{path}: its shape {shard.shape} does not match its name; run its stage again.")
        self.size = self._bounds[-1]
        self.dimension, self.dtype = self._shards[0].shape[1], self._shards[0].dtype

    @property
    def bytes_read(self) -> int:
        """Bytes read from the files of the pool so far."""
        return sum(shard.bytes_read for shard in self._shards)

    def first(self, size: int) -> FeaturePool:
        """Return the candidates 0 to ``size`` (excluded) as a pool of their own."""
        part = copy(self)
        count = int(np.searchsorted(self._bounds, size))
        part._shards, part._bounds = self._shards[:count], [*self._bounds[:count], size]
        part.size = size
        return part

    def ranges(self, rows: int) -> list[tuple[int, int]]:
        """Return ranges [start, stop) of at most ``rows`` rows, none of which crosses the end of a shard."""
        return [(a, min(a + rows, stop)) for start, stop in pairwise(self._bounds) for a in range(start, stop, rows)]

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return the features (n, dimension) of a range within one shard."""
        number = int(np.searchsorted(self._bounds, start, side="right")) - 1
        return self._shards[number].block(start - self._bounds[number], stop - self._bounds[number])

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the features (n, dimension) of the candidates ``indices``, in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        features = np.empty((len(indices), self.dimension), self.dtype)
        owner = np.searchsorted(self._bounds, indices, side="right") - 1
        for number in np.unique(owner):
            mine = owner == number
            features[mine] = self._shards[number].rows(indices[mine] - self._bounds[number])
        return features

    def held(self) -> HeldPool:
        """Return the whole pool, held in memory."""
        whole = np.empty((self.size, self.dimension), self.dtype)
        for start, stop in pairwise(self._bounds):
            whole[start:stop] = self.block(start, stop)
        return HeldPool(whole)


class HeldPool(Blocks):
    """An array (n, dimension) that is read like a :class:`FeaturePool`."""

    def __init__(self, features: np.ndarray) -> None:
        self._features, self.dtype = features, features.dtype
        self.size, self.dimension = features.shape

    def held(self) -> HeldPool:
        """Return itself."""
        return self

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return the features (n, dimension) of a range."""
        return self._features[start:stop]

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the features (n, dimension) of the candidates ``indices``, in that order."""
        return self._features[indices]


class SampledPool(Blocks):
    """At most ``count`` candidates of a pool, which are read like a whole one.

    Parameters
    ----------
    pool : FeaturePool or HeldPool
    count : int
    order : (size,) int64, optional
        Candidates of the pool in random order, the first of which are taken; without it, evenly spaced ones.
    """

    def __init__(self, pool: FeaturePool | HeldPool, count: int, order: np.ndarray | None = None) -> None:
        self._pool = pool
        self._indices = evenly(pool.size, count) if order is None else np.sort(order[:count])
        self.size, self.dimension, self.dtype = len(self._indices), pool.dimension, pool.dtype

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return the features (n, dimension) of the candidates at the places ``start`` to ``stop`` (excluded)."""
        return self.rows(np.arange(start, stop))

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Return the features (n, dimension) of the candidates at ``places``."""
        return self._pool.rows(self._indices[np.asarray(places, np.int64)])

    def indices(self) -> np.ndarray:
        """Return the candidates (size,), increasing."""
        return self._indices

    def held(self) -> HeldSample:
        """Read all of it into memory."""
        return HeldSample(self.block(0, self.size), self._indices)


class HeldSample(HeldPool):
    """A :class:`SampledPool` in memory."""

    def __init__(self, features: np.ndarray, indices: np.ndarray) -> None:
        super().__init__(features)
        self._indices = indices

    def indices(self) -> np.ndarray:
        """Return the candidates (size,), increasing."""
        return self._indices


def evenly(size: int, count: int) -> np.ndarray:
    """Return at most ``count`` of the places 0 to ``size``, evenly spaced."""
    return np.arange(min(size, count), dtype=np.int64) * size // min(size, count)
