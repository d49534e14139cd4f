"""Existing labels, by structure, and the rows that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from ase import Atoms

from gapdesign.engines.file import FileOptions
from gapdesign.engines.shared.results import Result
from gapdesign.errors import InputError
from gapdesign.files import read_array, read_arrays, write_arrays
from gapdesign.inputs.labels import SPREAD, Values, in_words
from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import offsets


@dataclass(frozen=True)
class Labels:
    """Labels of n structures of a pool, in the order of its candidates.

    Attributes
    ----------
    sizes : (n,) int
        Atoms of each.
    values : (sum of 7 + 3 sizes,)
        In the order of :mod:`gapdesign.models.shared.leastsquares`, energies above isolated atoms; nan where there is
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
    """Results in the user's files with the labels that each has: an energy, forces, a virial, or some of these.

    Parameters
    ----------
    options
        Paths of the files, and the keys of labels in them.

    Raises
    ------
    InputError
        If a file cannot be read, a named key is in no frame, or isolated atoms contradict each other.
    """

    def __init__(self, options: FileOptions) -> None:
        self._results = options.results
        self.found = in_words(self._results.tally())
        self.isolated = self._results.isolated

    def labels(self, structures: Iterable[Atoms], pool: str) -> Labels:
        """Return the labels of the structures of a pool.

        Raises
        ------
        InputError
            If a structure is in no file, if results of one contradict each other, or if the energy of an isolated atom
            is missing.
        """
        sizes, values, groups = [], [np.zeros(0)], []
        for number, atoms in enumerate(structures):
            found = [(self._results.all[place], order) for place, order in self._results.find(atoms)]
            if not found:
                raise InputError(
                    f"labels.file.paths: candidate {number} of pool {pool} ({atoms.get_chemical_formula()}) is not"
                    f" in these files{self._unreadable()}; add the file that the pool was read from."
                )
            _refuse_contradiction([result for result, _ in found], len(atoms))
            # The first that has labels at all, in the order of the files.
            result, order = next((each for each in found if each[0].values is not None), found[0])
            sizes.append(len(atoms))
            values.append(self._values(atoms, Values() if result.values is None else result.ordered(order)))
            groups.append(result.group)
        return Labels(np.array(sizes, np.int64), np.concatenate(values), np.array(groups, dtype=str))

    def atoms(self) -> list[Atoms]:
        """Return a frame of one atom for every element, with its energy in ``info["REF_energy"]``."""
        return [Atoms(element, info={"REF_energy": energy}) for element, energy in sorted(self.isolated.items())]

    def _values(self, atoms: Atoms, labels: Values) -> np.ndarray:
        alone = self._results.require(sorted(set(atoms.symbols))) if labels.energy is not None else {}
        return row(labels, atoms, alone)

    def _unreadable(self) -> str:
        unknown = [each for each in self._results.all if each.atoms is None]
        return f" (of {len(unknown)} no structure can be read, such as {unknown[0]})" if unknown else ""


def row(labels: Values, atoms: Atoms, alone: Mapping[str, float]) -> np.ndarray:
    """Return the labels (7 + 3 n,) of a structure of n atoms, its energy above those of its atoms alone."""
    energy = None if labels.energy is None else labels.energy - sum(alone[element] for element in atoms.symbols)
    return leastsquares.labels(len(atoms), energy=energy, virial=labels.virial, forces=labels.forces)


def _refuse_contradiction(results: Sequence[Result], size: int) -> None:
    """Refuse results of one structure of ``size`` atoms whose energies differ."""
    having = [each for each in results if each.values is not None and each.values.energy is not None]
    energies = [each.values.energy for each in having]
    if energies and max(energies) - min(energies) > SPREAD * size:
        low, high = having[int(np.argmin(energies))], having[int(np.argmax(energies))]
        first, second = sorted((low, high), key=having.index)
        raise InputError(
            f"labels.file.paths: {second} repeats the structure of {first}, and their energies differ by"
            f" {(max(energies) - min(energies)) / size:.3g} eV per atom; keep the correct one."
        )


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
