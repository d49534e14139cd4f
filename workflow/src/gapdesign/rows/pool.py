"""Rows of the labels of whole pools, in files of one shard each, of which only the structures asked for are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from gapdesign.errors import InputError
from gapdesign.files import reading, write_arrays
from gapdesign.shards import OneByOne
from gapdesign.stored import StoredArray
from gapdesign.voigt import OFFSET


class LabelRows(Protocol):
    """Rows of the labels of structures."""

    def __len__(self) -> int:
        """Return the number of structures."""

    def one(self, k: int) -> np.ndarray:
        """Return the rows (7 + 3 n, m) of structure ``k``; see :meth:`.functions.RowFunctions.rows`."""


def write_rows(path: str | Path, rows: Sequence[np.ndarray], width: int = 0) -> None:
    """Write the rows of structures, of ``width`` numbers if there are none, atomically; equal ones give equal bytes."""
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in rows])]).astype(np.int64)
    packed = np.concatenate(rows) if rows else np.zeros((0, width), np.float32)
    write_arrays(path, {"offsets": offsets, "rows": packed}, in_part=["offsets", "rows"])


class HeldRows:
    """Rows of structures in memory."""

    def __init__(self, rows: Sequence[np.ndarray]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def one(self, k: int) -> np.ndarray:
        """Structure ``k`` alone."""
        return self._rows[k]


class RowFile:
    """Rows in a file, read on demand and not held in memory.

    Raises
    ------
    InputError
        If the file is missing, truncated, or not written by :func:`write_rows`.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with reading(path, "not complete", run="gapdesign rows"), self._path.open("rb") as stream:
            with np.load(stream, allow_pickle=False) as archive:
                self._offsets = archive["offsets"]
            self._rows = StoredArray.within(stream, "rows")
        if self._rows.dtype != np.float32 or self._offsets[-1] != self._rows.shape[0]:
            raise InputError(f"{path}: its arrays do not belong together; delete it and run its stage again.")
        self.dimension = self._rows.shape[1]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def one(self, k: int) -> np.ndarray:
        """Structure ``k`` alone."""
        with self._path.open("rb", buffering=0) as stream:
            return self._rows.read(stream, int(self._offsets[k]), int(self._offsets[k + 1]))


class RowPool(OneByOne[np.ndarray]):
    """Rows of a whole pool, one structure at a time; see :class:`gapdesign.shards.OneByOne`."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        super().__init__(paths, RowFile, "rows")


def atoms_of(rows: np.ndarray) -> int:
    """Return the number of atoms of a structure with rows (7 + 3 n, m)."""
    return (len(rows) - OFFSET) // 3
