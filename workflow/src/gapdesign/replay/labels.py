"""Existing labels, by structure, and the rows that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from ase import Atoms

from gapdesign.engines.file import SPREAD, FileOptions
from gapdesign.engines.shared.results import ISOLATED, find, read_frames, symmetric
from gapdesign.errors import InputError
from gapdesign.files import read_array, read_arrays, write_arrays
from gapdesign.labels.identity import structure_key
from gapdesign.replay.rows import OFFSET, offsets
from gapdesign.structures import VOIGT


@dataclass(frozen=True)
class Labels:
    """Labels of n structures of a pool, in the order of its candidates.

    Attributes
    ----------
    sizes : (n,) int
        Atoms of each.
    values : (sum of 7 + 3 sizes,)
        In the order of :class:`gapdesign.replay.rows.LabelRows`, energies above isolated atoms; nan where there is
        none.
    groups : (n,) str
        ``config_type`` in the files; empty where there is none.
    """

    sizes: np.ndarray
    values: np.ndarray
    groups: np.ndarray

    @cached_property
    def offsets(self) -> np.ndarray:
        """Positions (n + 1,) at which the labels of each structure begin; the last is their end."""
        return offsets(self.sizes)

    def of(self, k: int) -> np.ndarray:
        """Return the labels (7 + 3 m,) of structure k of m atoms."""
        return self.values[self.offsets[k] : self.offsets[k + 1]]

    def write(self, path: str | Path) -> None:
        """Write the labels atomically; equal ones give equal bytes."""
        write_arrays(path, {"sizes": self.sizes, "values": self.values, "groups": self.groups})

    @classmethod
    def read(cls, path: str | Path) -> Labels:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or not whole.
        """
        return read_arrays(path, lambda arrays: cls(**arrays), run="snakemake replay")


class LabelFiles:
    """Frames of the user's files with the labels that each has: an energy, forces, a virial, or some of these.

    Parameters
    ----------
    options
        Paths of the files, and the keys of labels in them.

    Raises
    ------
    InputError
        If a file cannot be read, an isolated atom has no energy, or frames of one structure contradict each other.
    """

    def __init__(self, options: FileOptions) -> None:
        if not options.paths:
            raise InputError("labels.file.paths: it is empty; name the files that hold the labels of the pools.")
        self._options = options
        self._frames: dict[str, Atoms] = {}
        self.isolated = dict(options.isolated)
        for source in find(options.paths):
            for number, atoms in enumerate(read_frames(source.path)):
                self._take(atoms, f"{source.path}, frame {number}")

    def _take(self, atoms: Atoms, where: str) -> None:
        """Keep a frame; of several of one structure, keep the first."""
        energy = atoms.info.get(self._options.energy_key)
        if atoms.info.get("config_type") == ISOLATED:
            if energy is None:
                raise InputError(
                    f"labels.file.energy_key: {where} is an isolated atom without '{self._options.energy_key}'; set"
                    " the key that holds its energy, or remove the frame."
                )
            self.isolated.setdefault(str(atoms.symbols), float(energy))
            return
        first = self._frames.setdefault(_key(atoms), atoms)
        other = first.info.get(self._options.energy_key)
        if energy is not None and other is not None and abs(energy - other) > SPREAD * len(atoms):
            raise InputError(
                f"labels.file.paths: {where} repeats the structure of another frame, and their energies differ by"
                f" {abs(energy - other) / len(atoms):.3g} eV per atom; keep the correct one."
            )

    def labels(self, structures: Iterable[Atoms], pool: str) -> Labels:
        """Return the labels of the structures of a pool.

        Raises
        ------
        InputError
            If a structure is in no file.
        """
        sizes, values, groups = [], [np.zeros(0)], []
        for number, atoms in enumerate(structures):
            frame = self._frames.get(_key(atoms))
            if frame is None:
                raise InputError(
                    f"labels.file.paths: candidate {number} of pool {pool} ({atoms.get_chemical_formula()}) is not"
                    " in these files; add the file that the pool was read from."
                )
            sizes.append(len(atoms))
            values.append(self._values(frame))
            groups.append(str(frame.info.get("config_type", "")))
        return Labels(np.array(sizes, np.int64), np.concatenate(values), np.array(groups, dtype=str))

    def atoms(self) -> list[Atoms]:
        """Return a frame of one atom for every element, with its energy in ``info["REF_energy"]``."""
        return [Atoms(element, info={"REF_energy": energy}) for element, energy in sorted(self.isolated.items())]

    def _values(self, frame: Atoms) -> np.ndarray:
        options, values = self._options, np.full(OFFSET + 3 * len(frame), np.nan)
        if options.energy_key in frame.info:
            values[0] = float(frame.info[options.energy_key]) - sum(map(self._alone, frame.symbols))
        virial = None
        if options.virial_key in frame.info:
            virial = symmetric(frame.info[options.virial_key], 1.0)
        elif options.stress_key in frame.info:
            virial = symmetric(frame.info[options.stress_key], -frame.get_volume())
        if virial is not None:
            values[1:OFFSET] = [virial[place] for place in VOIGT]
        if options.forces_key in frame.arrays:
            values[OFFSET:] = frame.arrays[options.forces_key].ravel()
        return values

    def _alone(self, element: str) -> float:
        if element not in self.isolated:
            raise InputError(
                f"labels.file.isolated: there is no energy of an isolated atom of {element}; give it as `isolated:"
                f" {{{element}: -1.23}}`, or add a frame of one atom with config_type={ISOLATED}."
            )
        return self.isolated[element]


def _key(atoms: Atoms) -> str:
    """Return a key of the structure as pools have it, periodic in all directions."""
    return structure_key(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True))


@dataclass(frozen=True)
class LabelledRows:
    """Rows of the structures of a pool, in their files, with their labels.

    Attributes
    ----------
    shards
        Files of rows, in the order of the candidates.
    labels : Labels
    """

    shards: Sequence[Path]
    labels: Labels

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the structures of each shard, and their rows."""
        ends, start = self.labels.offsets, 0
        for path in self.shards:
            rows = read_array(path)
            stop = int(np.searchsorted(ends, ends[start] + len(rows)))
            if stop == len(ends) or ends[stop] != ends[start] + len(rows):
                raise InputError(f"{path}: these are not the rows of the labelled structures; run its stage again.")
            yield slice(start, stop), rows
            start = stop

    def of(self, structures: Sequence[int]) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Yield rows, labels and number of atoms of some structures, in the order of the pool."""
        wanted, ends = np.unique(np.asarray(structures, dtype=np.int64)), self.labels.offsets
        for span, rows in self.blocks():
            first = ends[span.start]
            for k in wanted[(wanted >= span.start) & (wanted < span.stop)].tolist():
                yield rows[ends[k] - first : ends[k + 1] - first], self.labels.of(k), int(self.labels.sizes[k])
