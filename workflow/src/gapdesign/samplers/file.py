"""Sampler `file`: the user's own structures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
from pydantic import Field

from gapdesign.errors import InputError
from gapdesign.inputs.carried import packed
from gapdesign.inputs.filters import FilterOptions
from gapdesign.inputs.frames import refuse_undescribed
from gapdesign.prototypes import Prototype
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared import frames
from gapdesign.samplers.shared.draw import Draw
from gapdesign.streams import stream
from gapdesign.structures import Batch

_Path = Annotated[str, Field(min_length=1)]


class FileSamplerOptions(FilterOptions):
    """Options of the sampler `file`: structures made elsewhere."""

    path: _Path | Annotated[tuple[_Path, ...], Field(min_length=1)] = Field(
        "candidates.extxyz",
        description="File of structures, or a list of files; each may be a pattern such as `runs/*/frames.extxyz`."
        " Extended XYZ, of any size, or any format that ASE reads, plain or compressed. Isolated atoms in it are no"
        " candidates.",
    )
    shuffle: bool = Field(
        True,
        description="`true`: frames in a random order, another for each pool. `false`: candidate i is frame i, isolated"
        " atoms, and frames left out by the keys below, not counted; several files follow one another.",
    )


class FileSampler(Sampler):
    """Frames of files: each candidate is a different frame.

    In a shuffled pool another frame, drawn at random, replaces that of a refused candidate and is then in the pool
    twice; in a pool in the order of the file, a refused frame is an error.
    """

    name = "file"
    summary = "structures of your own, from files"
    needs_prototypes = False
    is_given = True
    Options = FileSamplerOptions

    def __init__(self, options: FileSamplerOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        self._places: np.ndarray | None = None
        self._order: tuple[str, np.ndarray] | None = None

    @classmethod
    def is_ordered(cls, options: FileSamplerOptions) -> bool:
        """Return whether candidates are in the order of the file."""
        return not options.shuffle

    @classmethod
    def structures(cls, options: FileSamplerOptions) -> tuple[str, ...]:
        """Return the paths of the files."""
        return frames.files_of(options.path)

    @classmethod
    def filter(cls, options: FileSamplerOptions) -> FilterOptions:
        """Return which frames become candidates."""
        return options.filter

    @classmethod
    def resolved(cls, options: FileSamplerOptions) -> FileSamplerOptions:
        """Return the options with the files that patterns stand for, in the order of their names."""
        found = [path if Path(path).is_file() else sorted(glob(path)) or path for path in cls.structures(options)]
        paths = dict.fromkeys(path for each in found for path in frames.files_of(each))
        if tuple(paths) == cls.structures(options):
            return options
        return options.model_copy(update={"path": tuple(paths) if len(paths) > 1 else next(iter(paths))})

    @classmethod
    def check(cls, options: FileSamplerOptions, pool: str) -> None:
        """Check that the files are there."""
        for path in cls.structures(options):
            if not Path(path).is_file():
                raise InputError(
                    f"pools.file.path: no file '{path}' for pool {pool}; paths start where snakemake is run."
                )

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        sources = self.structures(self.options)
        with _converted(sources, draw) as converted:
            if self._places is None:
                found = frames.index_all(sources, converted, self.options.filter) if draw.frames is None else None
                self._places = frames.read_index(draw.frames) if found is None else found
            paths = [path if frames.is_extended_xyz(path) else converted for path in sources]
            return self._read(paths, sources, draw)

    def _read(self, paths: Sequence[str | Path], sources: Sequence[str], draw: Draw) -> Batch:
        frames.enough(sources, len(self._places), int(draw.indices[-1]) + 1, self.options.filter)
        places = self._places[self._which(draw)]
        if draw.attempt and not self.options.shuffle:
            raise InputError(
                f"pools.constraints.{draw.broken}: frame {places[0, 2]} of '{sources[places[0, 3]]}' breaks it, and"
                " with pools.file.shuffle: false no other takes its place; remove the frame, or loosen the constraint."
            )
        found = frames.read(paths, places, sources)
        if self.prototypes:  # Without any, elements are those of the frames.
            known = set(np.concatenate([prototype.atoms.numbers for prototype in self.prototypes]).tolist())
            for frame in found:
                refuse_undescribed(frame, frames.KEY, known)
        return packed(found, self.names)

    def _which(self, draw: Draw) -> np.ndarray:
        count = len(self._places)
        if not self.options.shuffle:
            return draw.indices
        if draw.attempt:
            return np.minimum((draw.uniforms(1)[:, 0] * count).astype(int), count - 1)
        name = f"{draw.seed}/frames/{draw.pool}"
        if self._order is None or self._order[0] != name:
            self._order = name, np.random.Generator(stream(name)).permutation(count)
        return self._order[1][draw.indices]


@contextmanager
def _converted(sources: Sequence[str], draw: Draw) -> Iterator[Path | None]:
    """Provide the extended XYZ file of the frames of files in other formats, if there are such."""
    others = [path for path in sources if not frames.is_extended_xyz(path)]
    if not others:
        yield None
    elif draw.frames is not None:
        yield draw.frames.with_suffix(".extxyz")
    else:
        with TemporaryDirectory() as folder:
            frames.convert(others, f"{folder}/frames.extxyz")
            yield Path(folder, "frames.extxyz")
