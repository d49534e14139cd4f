"""Sampler `file`: the user's own structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.inputs.carried import note
from gapdesign.inputs.frames import refuse_undescribed
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared import frames
from gapdesign.samplers.shared.draw import Draw
from gapdesign.streams import stream
from gapdesign.structures import Batch, Prototype, pack


class FileSamplerOptions(Options):
    """Options of the sampler `file`: structures made elsewhere."""

    path: str = Field(
        "candidates.extxyz",
        min_length=1,
        description="File of structures: extended XYZ, of any size, or any format that ASE reads, plain or compressed."
        " Isolated atoms in it are no candidates.",
    )
    shuffle: bool = Field(
        True,
        description="`true`: frames in a random order, another for each pool. `false`: candidate i is frame i, isolated"
        " atoms not counted.",
    )


class FileSampler(Sampler):
    """Frames of a file: each candidate is a different frame.

    In a shuffled pool another frame, drawn at random, replaces that of a refused candidate and is then in the pool
    twice; in a pool in the order of the file, a refused frame is an error.
    """

    name = "file"
    summary = "structures of your own, from a file"
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
    def structures(cls, options: FileSamplerOptions) -> str | None:
        """Return the file's path."""
        return options.path

    @classmethod
    def check(cls, options: FileSamplerOptions, pool: str) -> None:
        """Check that the file is there."""
        if not Path(options.path).is_file():
            raise InputError(
                f"pools.file.path: no file '{options.path}' for pool {pool}; paths start where snakemake is run."
            )

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        path = self.options.path
        if frames.is_extended_xyz(path):
            return self._read(path, draw)
        if draw.frames is not None:
            return self._read(str(draw.frames.with_suffix(".extxyz")), draw)
        with TemporaryDirectory() as folder:
            frames.convert(path, f"{folder}/frames.extxyz")
            return self._read(f"{folder}/frames.extxyz", draw)

    def _read(self, path: str, draw: Draw) -> Batch:
        if self._places is None:
            self._places = frames.index(path) if draw.frames is None else frames.read_index(draw.frames)
        frames.enough(self.options.path, len(self._places), int(draw.indices[-1]) + 1)
        places = self._places[self._which(draw)]
        if draw.attempt and not self.options.shuffle:
            raise InputError(
                f"pools.constraints.{draw.broken}: frame {places[0, 2]} of '{self.options.path}' breaks it, and with"
                " pools.file.shuffle: false no other takes its place; remove the frame, or loosen the constraint."
            )
        known = set(np.concatenate([prototype.atoms.numbers for prototype in self.prototypes]).tolist())
        found = frames.read(path, places, self.options.path)
        for frame in found:
            refuse_undescribed(frame, frames.KEY, known)
        return pack([frame.bare() for frame in found], names=self.names, notes=[note(frame) for frame in found])

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
