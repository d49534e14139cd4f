"""Sampler `file`: the user's own structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.files import read_array
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
        description="File of periodic structures: extended XYZ, of any size, or any format that ASE reads.",
    )
    shuffle: bool = Field(
        True,
        description="`true`: frames in a random order, another for each pool. `false`: candidate i is frame i.",
    )


class FileSampler(Sampler):
    """Frames of a file: each candidate is a different frame.

    Another frame, drawn at random, replaces that of a refused candidate and is then in the pool twice.
    """

    name = "file"
    summary = "structures of your own, from a file"
    Options = FileSamplerOptions

    def __init__(self, options: FileSamplerOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        self._begins: np.ndarray | None = None
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
            structures = self._read(path, draw)
        elif draw.frames is not None:
            structures = self._read(str(draw.frames.with_suffix(".extxyz")), draw)
        else:
            with TemporaryDirectory() as folder:
                frames.convert(path, f"{folder}/frames.extxyz")
                structures = self._read(f"{folder}/frames.extxyz", draw)
        return pack(structures, names=self.names)

    def _read(self, path: str, draw: Draw) -> list[Atoms]:
        if self._begins is None:
            self._begins = frames.offsets(path) if draw.frames is None else np.asarray(read_array(draw.frames))
        frames.enough(self.options.path, len(self._begins) - 1, int(draw.indices[-1]) + 1)
        structures = frames.read(path, self._begins, self._which(draw))
        known = np.unique(np.concatenate([prototype.atoms.numbers for prototype in self.prototypes]))
        for atoms in structures:
            for z in atoms.numbers[~np.isin(atoms.numbers, known)]:
                raise InputError(
                    f"pools.file.path: '{path}' holds {chemical_symbols[z]}, which no prototype of the study has; add"
                    " one that does."
                )
        return structures

    def _which(self, draw: Draw) -> np.ndarray:
        count = len(self._begins) - 1
        if draw.attempt:
            return np.minimum((draw.uniforms(1)[:, 0] * count).astype(int), count - 1)
        if not self.options.shuffle:
            return draw.indices
        name = f"{draw.seed}/frames/{draw.pool}"
        if self._order is None or self._order[0] != name:
            self._order = name, np.random.Generator(stream(name)).permutation(count)
        return self._order[1][draw.indices]
