"""All results that a configuration names, in whatever files: found by structure, and counted by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.engines.shared import outputs
from gapdesign.engines.shared.sources import Source, find
from gapdesign.errors import InputError
from gapdesign.inputs.isolated import isolated_energies, require
from gapdesign.inputs.labels import Keys, Tally, Values, read, with_labels
from gapdesign.inputs.sanity import is_isolated
from gapdesign.labels.identity import order_in
from gapdesign.labels.matching import Index
from gapdesign.labels.suspicions import spaced

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, eq=False)
class Result:
    """One result.

    Attributes
    ----------
    source : str
        File, and frame where it has several.
    atoms : Atoms or None
        The structure, as far as it can be read.
    values : Values or None
        Its labels.
    reason : str
        Why there is none, or not all.
    group : str
        Its ``config_type``; empty if there is none.
    declared, alone : bool
        Whether it is declared to be an isolated atom, and whether it is one.
    is_output : bool
        Whether it is of a program that treats every structure as periodic in all directions.
    """

    source: str
    atoms: Atoms | None
    values: Values | None
    reason: str = ""
    group: str = ""
    declared: bool = False
    alone: bool = False
    is_output: bool = False

    def __str__(self) -> str:
        return self.source

    def ordered(self, order: np.ndarray) -> Values:
        """Return the labels with the forces in the atom order of another account of the structure."""
        values = self.values
        forces = None if values.forces is None else values.forces[order]
        return Values(values.energy, forces, values.virial)


class ResultSet:
    """Results in files, each of which is read when it is needed and only once.

    Parameters
    ----------
    paths
        Files, folders and patterns of either.
    keys
        Names of the labels in frames.
    isolated
        Energies of isolated atoms that the configuration gives, in eV.
    """

    def __init__(self, paths: Sequence[str], keys: Keys, isolated: Mapping[str, float]) -> None:
        self._paths, self._keys, self._given = paths, keys, isolated
        self._outputs: dict[Path, Result] = {}

    @cached_property
    def sources(self) -> list[Source]:
        """The files.

        Raises
        ------
        InputError
            If no path is named, or one leads to no results.
        """
        if not self._paths:
            raise InputError("labels.file.paths: it is empty; name the files or folders that hold your labels.")
        return find(self._paths)

    @property
    def files(self) -> list[Path]:
        """All source files, with those beside them that give the same values to more digits."""
        return [path for source in self.sources for path in source.files]

    def of(self, source: Source) -> list[Result]:
        """Return the results of a source."""
        if source.kind in outputs.OUTPUTS:
            if source.path not in self._outputs:
                self._outputs[source.path] = _of_output(source)
            return [self._outputs[source.path]]
        return self._frames[0][source.path]

    @cached_property
    def all(self) -> list[Result]:
        """All results, in the order of the files."""
        return [result for source in self.sources for result in self.of(source)]

    @cached_property
    def _index(self) -> Index:
        members = [result.atoms for result in self.all if result.atoms is not None]
        self._members = [k for k, result in enumerate(self.all) if result.atoms is not None]
        return Index(members, [k for k, place in enumerate(self._members) if self.all[place].is_output])

    def find(self, atoms: Atoms) -> list[tuple[int, np.ndarray]]:
        """Return the places in :attr:`all` of results of a structure, each with the order of its atoms."""
        return [(self._members[k], order) for k, order in self._index.find(atoms)]

    def named(self, key: str, atoms: Atoms) -> list[tuple[Result, np.ndarray | None]]:
        """Return the results in folders exported for a structure of this key, which spare a search."""
        own = [source for source in self.sources if source.identity.get("key") == key]
        return [(result, _order(atoms, result)) for source in own for result in self.of(source)]

    @cached_property
    def isolated(self) -> dict[str, float]:
        """Energies of isolated atoms, in eV, by element: given, of exported folders, or of frames and outputs.

        Raises
        ------
        InputError
            If two contradict each other.
        """
        return isolated_energies(self.all, self._given)

    def require(self, elements: Iterable[str]) -> dict[str, float]:
        """Return the energies of elements' isolated atoms, in eV.

        Raises
        ------
        InputError
            If one has none, or two contradict each other.
        """
        elements = list(elements)
        # Folders exported for isolated atoms spare the reading of all others.
        exported = [source for source in self.sources if source.identity.get("isolated")]
        energies = isolated_energies((result for source in exported for result in self.of(source)), self._given)
        if not all(element in energies for element in elements):
            energies = self.isolated
            require(elements, energies, self.all)
        return {element: energies[element] for element in elements}

    def tally(self) -> dict[str, Any]:
        """Return the numbers of frames with each label, by key, and of outputs of programs."""
        _, tally = self._frames
        count = sum(source.kind in outputs.OUTPUTS for source in self.sources)
        return tally.data() | {"outputs": count}

    def sample(self, most: int) -> list[Atoms]:
        """Return up to ``most`` structures of several atoms with their labels, evenly spaced, as ``REF_`` values."""
        files = [source for source in self.sources if source.kind in outputs.OUTPUTS]
        read_ones = {source.path for source in spaced(files, most)}
        found = [
            result
            for source in self.sources
            if source.kind not in outputs.OUTPUTS or source.path in read_ones
            for result in self.of(source)
            if result.atoms is not None and result.values is not None and not result.alone and len(result.atoms) > 1
        ]
        return [with_labels(result.atoms, result.values) for result in spaced(found, most)]

    @cached_property
    def _frames(self) -> tuple[dict[Path, list[Result]], Tally]:
        """Results in frames, of all files at once: keys are chosen for the whole set."""
        sources = {str(source.path): source for source in self.sources if source.kind not in outputs.OUTPUTS}
        found, tally = read(list(sources), self._keys)
        results: dict[Path, list[Result]] = {source.path: [] for source in sources.values()}
        for each in found:
            source = sources[each.source]
            declared = each.declared or bool(source.identity.get("isolated", False))
            results[source.path].append(
                Result(str(each), each.atoms, each.values, "", each.group, declared, each.alone or declared)
            )
        return results, tally


def _of_output(source: Source) -> Result:
    atoms, values, reason = outputs.read(source)
    declared = bool(source.identity.get("isolated", False))
    alone = declared or (atoms is not None and is_isolated(atoms))
    return Result(str(source.path), atoms, values, reason, "", declared, alone, is_output=True)


def _order(atoms: Atoms, result: Result) -> np.ndarray | None:
    if result.atoms is None:
        return None
    if not result.is_output:
        return order_in(atoms, result.atoms)
    found = Index([result.atoms], [0]).find(atoms)
    return found[0][1] if found else None
