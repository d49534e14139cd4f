"""Numbers of the user's own: arrays in the files that structures come from, or beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.base import EnvironmentDescriptor
from gapdesign.errors import InputError
from gapdesign.inputs import extxyz
from gapdesign.inputs.carried import carried, origin
from gapdesign.inputs.frames import read

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.structures import Batch


class ArrayOptions(Options):
    """Options of the descriptor `array`: numbers that you have, one of `key` and `path`."""

    key: str | None = Field(
        None,
        min_length=1,
        description="Name of the numbers in the frames that structures come from: rows of atoms, or else one vector for"
        " the frame.",
    )
    path: str | None = Field(
        None,
        min_length=1,
        description="File of the numbers (.npy), in the order of the one file that all structures come from: a row for"
        " each frame, or a row for each atom of each frame.",
    )
    length: int | None = Field(
        None, ge=1, description="Numbers of an atom or a frame. Needed with `key`; with `path` the file says it."
    )


class ArrayDescriptor(EnvironmentDescriptor):
    """Numbers from files, a vector for each atom, or one for the frame that stands for each of its atoms.

    They are taken as they are: whether they change when a structure is turned is up to whoever made them.
    """

    name = "array"
    summary = "numbers of your own, per atom or per structure, from the files that your structures come from"
    Options = ArrayOptions
    files_of_structures = True
    seconds = 1e-5

    def __init__(self, options: ArrayOptions, species: Sequence[int]) -> None:
        super().__init__(options, species)
        self._length = self.dimension(options, len(species))
        self._batch: Batch | None = None
        self._rows: list[np.ndarray] = []

    @classmethod
    def dimension(cls, options: ArrayOptions, n_species: int) -> int:
        """Return the length of a vector: that of a row of the file, or the one that is given.

        Raises
        ------
        InputError
            If neither or both of `key` and `path` are given, no length is known, or the file has no rows of numbers.
        """
        if (options.key is None) == (options.path is None):
            raise InputError("descriptor.array: give one of key (numbers in the frames) and path (a .npy file).")
        if options.path is not None:
            length = _rows(options.path).shape[1]
            if options.length not in (None, length):
                raise InputError(
                    f"descriptor.array.length: rows of '{options.path}' have {length} numbers, not {options.length}."
                )
            return length
        if options.length is None:
            raise InputError(f"descriptor.array.length: say how many numbers '{options.key}' has for an atom or frame.")
        return options.length

    @classmethod
    def files(cls, options: ArrayOptions) -> tuple[str, ...]:
        """Return the file of the numbers, if there is one; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return (options.path,) if options.path else ()

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Return the numbers of some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`.

        Raises
        ------
        InputError
            If the structure is from no file, or its frame has no such numbers.
        """
        if batch is not self._batch:
            self._batch, self._rows = batch, self._of_frames(batch)
        atoms = int(batch.offsets[k + 1] - batch.offsets[k])
        rows = self._rows[k]
        return np.broadcast_to(rows, (atoms, self._length))[centers] if rows.ndim == 1 else rows[centers]

    def _of_frames(self, batch: Batch) -> list[np.ndarray]:
        """Return the numbers of all structures of a batch: (atoms, length) or (length,) of each."""
        wanted: dict[str, dict[int, list[int]]] = {}
        for k, note in enumerate(batch.notes):
            if not note:
                raise InputError(
                    f"descriptor.array: candidate {batch.candidates[k]} is from no file, so that it has no numbers of"
                    " its own; use pools of the sampler `file`."
                )
            source, number = origin(bytes(note))
            wanted.setdefault(source, {}).setdefault(number, []).append(k)
        rows: list[np.ndarray] = [np.empty(0)] * len(batch)
        for source, numbers in wanted.items():
            found = self._by_path(source, numbers) if self.options.path else self._by_key(source, numbers)
            for number, places in numbers.items():
                for k in places:
                    rows[k] = self._sound(found[number], int(np.diff(batch.offsets)[k]), source, number)
        return rows

    def _sound(self, rows: np.ndarray, atoms: int, source: str, number: int) -> np.ndarray:
        """Return the numbers of a frame if they are finite and of the right shape."""
        what = f"'{self.options.key}'" if self.options.key else f"'{self.options.path}'"
        if rows.shape not in ((atoms, self._length), (self._length,)):
            shape = "x".join(map(str, rows.shape)) or "one number"
            raise InputError(
                f"descriptor.array: frame {number} of '{source}' has {what} of shape {shape}; it must be"
                f" {atoms}x{self._length} or {self._length} (atoms x length, or length)."
            )
        if not np.isfinite(rows).all():
            raise InputError(
                f"descriptor.array: frame {number} of '{source}' has {what} that is not finite; repair it."
            )
        return rows

    def _by_key(self, source: str, numbers: dict[int, list[int]]) -> dict[int, np.ndarray]:
        found = {}
        for number, atoms in _frames(source, sorted(numbers)):
            held = carried(atoms)
            value = held["arrays"].get(self.options.key, held["info"].get(self.options.key))
            if value is None:
                names = ", ".join([*held["arrays"], *held["info"]]) or "nothing"
                raise InputError(
                    f"descriptor.array.key: frame {number} of '{source}' has no '{self.options.key}', only {names}."
                )
            try:
                rows = np.asarray(value, dtype=float)
            except (TypeError, ValueError):
                raise InputError(
                    f"descriptor.array.key: '{self.options.key}' in frame {number} of '{source}' is not numbers."
                ) from None
            found[number] = rows[:, None] if rows.ndim == 1 and self._length == 1 and len(rows) == len(atoms) else rows
        return found

    def _by_path(self, source: str, numbers: dict[int, list[int]]) -> dict[int, np.ndarray]:
        rows, offsets = _rows(self.options.path), _offsets(source)
        frames, atoms = len(offsets) - 1, int(offsets[-1])
        if len(rows) == frames:
            return {number: np.asarray(rows[number], dtype=float) for number in numbers}
        if len(rows) != atoms:
            raise InputError(
                f"descriptor.array.path: '{self.options.path}' has {len(rows)} rows, while '{source}' has {frames}"
                f" frames and {atoms} atoms; it needs a row for each of one or the other."
            )
        return {number: np.asarray(rows[offsets[number] : offsets[number + 1]], dtype=float) for number in numbers}


def _rows(path: str) -> np.ndarray:
    """Return the numbers (n, d) of a file, mapped and not read."""
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"descriptor.array.path: no file '{path}'; paths start where snakemake is run.") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"descriptor.array.path: '{path}' is no array of NumPy ({error}).") from error
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "fiu":
        shape = "x".join(map(str, rows.shape)) or "one number"
        raise InputError(
            f"descriptor.array.path: '{path}' has {rows.dtype} of shape {shape}; it must have rows of numbers."
        )
    return rows


def _frames(source: str, numbers: Sequence[int]) -> Iterator[tuple[int, Atoms]]:
    """Yield some frames of a file, by their increasing numbers; of plain extended XYZ no others are parsed."""
    if _is_plain(source):
        spans = _spans(source, Path(source).stat().st_mtime_ns)
        with Path(source).open("rb") as stream:
            for number in numbers:
                yield number, extxyz.parse(stream, spans[number])
        return
    wanted = set(numbers)
    for frame in read(source, "descriptor.array"):
        if frame.number in wanted:
            yield frame.number, frame.atoms
        if frame.number == numbers[-1]:
            return


def _offsets(source: str) -> np.ndarray:
    """Return the first atom (n + 1,) of each frame of a file, among all its atoms; the last is their number."""
    if _is_plain(source):
        counts = [span.atoms for span in _spans(source, Path(source).stat().st_mtime_ns)]
    else:
        counts = [len(frame.atoms) for frame in read(source, "descriptor.array")]
    return np.concatenate([[0], np.cumsum(counts)])


def _is_plain(source: str) -> bool:
    return Path(source).suffix in (".xyz", ".extxyz")


@lru_cache(maxsize=4)
def _spans(source: str, changed: int) -> list[extxyz.Span]:
    """Return the places of all frames of a file, which is scanned once for as long as it stays the same."""
    with Path(source).open("rb") as stream:
        return list(extxyz.spans(stream))
