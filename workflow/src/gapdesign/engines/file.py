"""Labels made elsewhere: found in files by structure, in whatever order they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.engines.base import Engine, Label, NotConvergedError
from gapdesign.engines.shared import results
from gapdesign.errors import InputError
from gapdesign.files import sha256
from gapdesign.labels.identity import order_in, structure_key

if TYPE_CHECKING:
    from ase import Atoms

SPREAD = 1e-6
"""Largest difference, in eV per atom, between two energies of one structure that do not contradict each other."""


class FileOptions(Options):
    """Labels made elsewhere."""

    paths: tuple[str, ...] = Field(
        (),
        description="Files, folders (which are searched), and patterns such as `runs/*/vasprun.xml`. The files may be"
        " vasprun.xml, OUTCAR, output of pw.x (`pw.out`, `*.pwo`, `data-file-schema.xml`), extended XYZ, or any other"
        " format that ASE reads.",
    )
    energy_key: str = Field("REF_energy", description="Name of the total energy, in eV, in extended XYZ.")
    forces_key: str = Field("REF_forces", description="Name of the forces, in eV/angstrom.")
    virial_key: str = Field(
        "REF_virial", description="Name of the virial, in eV: minus the stress times the volume; nine numbers."
    )
    stress_key: str = Field(
        "REF_stress",
        description="Name of the stress, in eV/angstrom^3, positive under tension as ASE has it; nine numbers, or six"
        " in the order xx, yy, zz, yz, xz, xy. It is read where a frame has no virial.",
    )
    isolated: dict[str, float] = Field(
        {},
        description="Total energy of each element's isolated atom, in eV, where no frame in the files gives it.",
    )


class FileEngine(Engine):
    """Labels from files, matched by structure to within :data:`gapdesign.labels.identity.TOLERANCE`."""

    name = "file"
    summary = "labels that you made elsewhere"
    Options = FileOptions
    computes = False
    attempts = ("as it was found",)

    def __init__(self, options: FileOptions) -> None:
        super().__init__(options)
        self._read: dict[Path, list[results.Result]] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The names of the values and the energies of isolated atoms; the files are part of the version."""
        return self._options.model_dump(mode="json", exclude={"paths"})

    @cached_property
    def version(self) -> str:
        """Checksum of all files."""
        sums = sorted(sha256(path) for path in self.files)
        return f"files sha256 {hashlib.sha256(' '.join(sums).encode()).hexdigest()}"

    @cached_property
    def sources(self) -> list[results.Source]:
        """The files."""
        if not self._options.paths:
            raise InputError("labels.file.paths: it is empty; name the files or folders that hold your labels.")
        return results.find(self._options.paths)

    @property
    def files(self) -> list[Path]:
        """All source files, with those beside them that give the same values to more digits."""
        return [path for source in self.sources for path in source.files]

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that all paths lead to files; see :class:`Engine`."""
        _ = self.sources

    def label(self, atoms: Atoms, folder: Path | None = None, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Find the label of a structure, with its atoms in any order and image; see :class:`Engine`.

        Raises
        ------
        NotConvergedError
            If there is no result for the structure, if its result did not converge, or if two results differ.
        InputError
            If the energy of an isolated atom is missing.
        """
        if isolated:
            return self._isolated(atoms)
        found = self._named(atoms) or self._matching(atoms)
        labels = [(result, label) for result, label in found if label is not None]
        if not labels:
            reasons = [f"{result.source}: {result.reason}" for result, _ in found]
            raise NotConvergedError(reasons[0] if reasons else f"No result is of this structure{self._unreadable()}.")
        energies = [label.energy / len(atoms) for _, label in labels]
        if max(energies) - min(energies) > SPREAD:
            named = " and ".join(labels[place][0].source for place in (np.argmin(energies), np.argmax(energies)))
            raise NotConvergedError(
                f"{named} are of the same structure and differ by {max(energies) - min(energies):.3g} eV per atom."
            )
        return labels[0][1]

    def core_hours(self, atoms: Atoms) -> float:
        """Return zero: the labels are there already."""
        return 0.0

    def surplus(self, frames: Sequence[Atoms]) -> list[str]:
        """Return the names of results that belong to none of ``frames`` and to no isolated atom."""
        keys = {structure_key(atoms) for atoms in frames}
        left = []
        for source in self.sources:
            if source.identity.get("key") in keys:
                continue
            for result in self._results(source):
                known = result.atoms is not None and any(order_in(atoms, result.atoms) is not None for atoms in frames)
                if not known and not result.isolated:
                    left.append(result.source)
        return left

    def missing(self, frames: Sequence[Atoms]) -> list[tuple[Atoms, str]]:
        """Return the ``frames`` that get no label here, each with the reason."""
        absent = []
        for atoms in frames:
            try:
                self.label(atoms)
            except NotConvergedError as error:
                absent.append((atoms, str(error)))
        return absent

    def _unreadable(self) -> str:
        """Describe the results whose structure cannot be read and which may be the one sought."""
        read = [result for source in self.sources for result in self._results(source)]
        unknown = [f"{result.source}: {result.reason.rstrip('.')}" for result in read if result.atoms is None]
        return f", unless one of {len(unknown)} that cannot be read was meant, such as {unknown[0]}" if unknown else ""

    def _named(self, atoms: Atoms) -> list[tuple[results.Result, Label | None]]:
        """Return the results in folders exported for this structure, which spare a search."""
        key = structure_key(atoms)
        named = []
        for source in self.sources:
            if source.identity.get("key") == key:
                for result in self._results(source):
                    order = None if result.atoms is None else order_in(atoms, result.atoms)
                    named.append(_ordered(result, order))
        return named

    def _matching(self, atoms: Atoms) -> list[tuple[results.Result, Label | None]]:
        matching = []
        for source in self.sources:
            for result in self._results(source):
                if not result.isolated and result.atoms is not None:
                    order = order_in(atoms, result.atoms)
                    if order is not None:
                        matching.append(_ordered(result, order))
        return matching

    def _results(self, source: results.Source) -> list[results.Result]:
        if source.path not in self._read:
            options = self._options
            keys = results.Keys(options.energy_key, options.forces_key, options.virial_key, options.stress_key)
            self._read[source.path] = results.read(source, keys)
        return self._read[source.path]

    def _isolated(self, atoms: Atoms) -> Label:
        (element,) = atoms.get_chemical_symbols()
        energy = self._options.isolated.get(element)
        if energy is None:
            lone = [result for source in self.sources for result in self._results(source) if result.isolated]
            found = [result for result in lone if result.atoms is not None and str(result.atoms.symbols) == element]
            labels = [result.label for result in found if result.label is not None]
            if not labels:
                raise InputError(
                    f"labels.file.isolated: the energy of an isolated atom of {element} is missing; give it as"
                    f" `isolated: {{{element}: -1.23}}`, or add a frame of one atom with config_type=isolated_atom."
                )
            energy = labels[0].energy
        return Label(energy, np.zeros((1, 3)), np.zeros((3, 3)))


def _ordered(result: results.Result, order: np.ndarray | None) -> tuple[results.Result, Label | None]:
    """Return the result and its label, with the forces in the atom order of the requested structure."""
    if result.label is None:
        return result, None
    if order is None:
        other = results.Result(result.source, None, False, None, "It is of another structure than its folder says.")
        return other, None
    return result, Label(result.label.energy, result.label.forces[order], result.label.virial)
