"""Environments of structures: SOAP vectors of their atoms, one per orbit, and the files that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from gapdesign.errors import InputError
from gapdesign.files import reading, write_arrays
from gapdesign.shards import OneByOne
from gapdesign.stored import StoredArray

GRID = 2.0**26
"""Vectors are multiples of 1 / GRID, about the resolution of single precision. A product of two components is then
an integer over GRID^2, and no partial sum of a dot product of unit vectors exceeds 2^53 of these: it is exact in
double precision, in whatever order a linear algebra library adds."""


def on_grid(vectors: np.ndarray) -> np.ndarray:
    """Round vectors (..., d) to single precision and to multiples of 1 / ``GRID``: (..., d) float32."""
    return (np.rint(vectors.astype(np.float32) * GRID) / GRID).astype(np.float32)


@dataclass(frozen=True)
class Environments:
    """Environments of n structures, packed.

    Attributes
    ----------
    offsets : (n + 1,) int64
        Environments of structure i are ``offsets[i]:offsets[i + 1]`` of the others.
    vectors : (m, d) float32
        SOAP vectors of unit length, multiples of 1 / ``GRID``.
    multiplicities : (m,) int32
        Atoms of the structure that have this environment.
    species : (m,) int32
        Atomic number of the central atom.
    """

    offsets: np.ndarray
    vectors: np.ndarray
    multiplicities: np.ndarray
    species: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def count(self) -> int:
        """Number of environments."""
        return len(self.vectors)

    @property
    def dimension(self) -> int:
        """Length of their vectors."""
        return self.vectors.shape[1]

    @classmethod
    def joined(cls, parts: Sequence[Environments]) -> Environments:
        """Return one pack of all structures, in order."""
        sizes = np.concatenate([np.diff(part.offsets) for part in parts])
        rest = ("vectors", "multiplicities", "species")
        return cls(
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in rest},
        )

    @classmethod
    def none(cls, dimension: int) -> Environments:
        """Return the environments of no structures."""
        nothing = np.zeros(0, np.int32)
        return cls(np.zeros(1, np.int64), np.zeros((0, dimension), np.float32), nothing, nothing)

    def one(self, k: int) -> Environments:
        """Structure ``k`` alone."""
        span = slice(self.offsets[k], self.offsets[k + 1])
        offsets = np.array([0, span.stop - span.start], np.int64)
        return Environments(offsets, self.vectors[span], self.multiplicities[span], self.species[span])


def write_environments(path: str | Path, environments: Environments) -> None:
    """Write environments atomically; equal environments give equal bytes."""
    arrays = {field.name: getattr(environments, field.name) for field in fields(environments)}
    write_arrays(path, arrays, in_part=list(arrays))


class EnvironmentFile:
    """Environments in a file, read on demand and not held in memory.

    Raises
    ------
    InputError
        If the file is missing, truncated, or not written by :func:`write_environments`.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with reading(path, "not complete", run="`snakemake descriptors`"), self._path.open("rb") as stream:
            with np.load(stream, allow_pickle=False) as archive:
                count = int(archive["offsets"][-1])
                # Reading checks their checksums; the vectors, which are large, are checked as they are read.
                sizes = {len(archive[name]) for name in ("multiplicities", "species")}
            self._arrays = {field.name: StoredArray.within(stream, field.name) for field in fields(Environments)}
        vectors = self._arrays["vectors"]
        if vectors.dtype != np.float32 or sizes | {vectors.shape[0]} != {count}:
            raise InputError(f"{path}: its arrays do not belong together; delete it and run its stage again.")
        self.count, self.dimension = vectors.shape

    def __len__(self) -> int:
        return self._arrays["offsets"].shape[0] - 1

    def one(self, k: int) -> Environments:
        """Structure ``k`` alone."""
        with self._path.open("rb", buffering=0) as stream:
            start, stop = self._arrays["offsets"].read(stream, k, k + 2).tolist()
            rest = ("vectors", "multiplicities", "species")
            own = {name: self._arrays[name].read(stream, start, stop) for name in rest}
        return Environments(np.array([0, stop - start], np.int64), **own)


class EnvironmentPool(OneByOne[Environments]):
    """Environments of a whole pool, one structure at a time; see :class:`gapdesign.shards.OneByOne`."""

    _shards: list[EnvironmentFile]

    def __init__(self, paths: Sequence[str | Path]) -> None:
        super().__init__(paths, EnvironmentFile, "environments")

    @property
    def count(self) -> int:
        """Number of environments."""
        return sum(shard.count for shard in self._shards)
