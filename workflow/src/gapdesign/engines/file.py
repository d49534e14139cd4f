"""Labels made elsewhere: found in files by structure, in whatever order they stand."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, model_validator

from gapdesign.config.options import Options
from gapdesign.engines.base import Engine, Label, NotConvergedError
from gapdesign.engines.shared.results import Result, ResultSet
from gapdesign.errors import InputError
from gapdesign.files import sha256
from gapdesign.inputs.labels import SPREAD, Keys
from gapdesign.labels.identity import structure_key

if TYPE_CHECKING:
    from ase import Atoms


class FileOptions(Options):
    """Labels made elsewhere."""

    paths: tuple[str, ...] = Field(
        (),
        description="Files, folders (which are searched), and patterns such as `runs/*/vasprun.xml`. The files may be"
        " vasprun.xml, OUTCAR, output of pw.x (`pw.out`, `*.pwo`, `data-file-schema.xml`), extended XYZ, or any other"
        " format that ASE reads, compressed or not.",
    )
    energy_key: str | None = Field(
        None,
        description="Name of the total energy, in eV, in frames. A key that is named here is the only one read."
        " Default: `REF_energy` and `REF_...` of all others, if any frame has one of these; otherwise the energy,"
        " forces and stress that ASE reads.",
    )
    forces_key: str | None = Field(
        None, description="Name of the forces, in eV/angstrom. Default: see `energy_key` (`REF_forces`)."
    )
    virial_key: str | None = Field(
        None,
        description="Name of the virial, in eV: minus the stress times the volume; nine numbers, or six in the order"
        " xx, yy, zz, yz, xz, xy. Default: see `energy_key` (`REF_virial`), unless `stress_key` is named.",
    )
    stress_key: str | None = Field(
        None,
        description="Name of the stress, in eV/angstrom^3, positive under tension as ASE has it; nine numbers, or six"
        " in the order xx, yy, zz, yz, xz, xy. It is read where a frame has no virial. Default: see `energy_key`"
        " (`REF_stress`), unless `virial_key` is named.",
    )
    isolated: dict[str, float] = Field(
        {},
        description="Total energy of each element's isolated atom, in eV, which counts before any frame in the files.",
    )

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        named: dict[str, str] = {}
        for option in ("energy_key", "forces_key", "virial_key", "stress_key"):
            key = getattr(self, option)
            if key is not None and named.setdefault(key, option) != option:
                raise ValueError(f"{named[key]} and {option} are both '{key}', which can only be one of them")
        return self

    @property
    def keys(self) -> Keys:
        """The keys of labels in frames."""
        return Keys(energy=self.energy_key, forces=self.forces_key, virial=self.virial_key, stress=self.stress_key)

    @property
    def results(self) -> ResultSet:
        """All results that the paths lead to; none is read yet."""
        return ResultSet(self.paths, self.keys, self.isolated)


class FileEngine(Engine):
    """Labels from files, matched by structure to within :data:`gapdesign.labels.identity.TOLERANCE`."""

    name = "file"
    summary = "labels that you made elsewhere"
    Options = FileOptions
    computes = False
    attempts = ("as it was found",)

    def __init__(self, options: FileOptions) -> None:
        super().__init__(options)
        self.results = options.results

    @property
    def settings(self) -> dict[str, Any]:
        """The names of the values and the energies of isolated atoms; the files are part of the version."""
        return self._options.model_dump(mode="json", exclude={"paths"})

    @cached_property
    def version(self) -> str:
        """Checksum of all files."""
        sums = sorted(sha256(path) for path in self.files)
        return f"files sha256 {hashlib.sha256(' '.join(sums).encode()).hexdigest()}"

    @property
    def files(self) -> list[Path]:
        """All source files, with those beside them that give the same values to more digits."""
        return self.results.files

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that all paths lead to files; see :class:`Engine`."""
        _ = self.results.sources

    def load(self, elements: Collection[str] = ()) -> None:
        """Read all frames, and check that the isolated atom of each element has an energy; see :class:`Engine`."""
        tally = self.results.tally()
        if not tally["outputs"] and "forces" not in tally["by_key"]:
            raise InputError(
                "labels.file.forces_key: no frame has forces, which every label needs; name their key, or add them."
            )
        self.results.require(elements)

    def found(self) -> dict[str, Any]:
        """Return the numbers of labels in frames, by key; see :class:`Engine`."""
        return self.results.tally()

    def sample(self, most: int) -> list[Atoms]:
        """Return labelled structures of the files, evenly spaced; see :class:`Engine`."""
        return self.results.sample(most)

    def label(self, atoms: Atoms, folder: Path | None = None, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Find the label of a structure, with its atoms in any order and image; see :class:`Engine`.

        Raises
        ------
        NotConvergedError
            If there is no result for the structure, if its result did not converge or lacks its energy or forces, or if
            two results differ.
        InputError
            If the energy of an isolated atom is missing.
        """
        if isolated:
            (element,) = atoms.get_chemical_symbols()
            return Label(self.results.require([element])[element], np.zeros((1, 3)), np.zeros((3, 3)))
        found = self.results.named(structure_key(atoms), atoms)
        if not found:
            found = [(self.results.all[place], order) for place, order in self.results.find(atoms)]
            found = [(result, order) for result, order in found if not result.declared]
        labels, reasons = [], []
        for result, order in found:
            if reason := _refuse(result, order):
                reasons.append(f"{result}: {reason}")
            else:
                labels.append((result, result.ordered(order)))
        if not labels:
            raise NotConvergedError(reasons[0] if reasons else f"No result is of this structure{self._unreadable()}.")
        energies = [values.energy / len(atoms) for _, values in labels]
        if max(energies) - min(energies) > SPREAD:
            named = " and ".join(str(labels[place][0]) for place in (np.argmin(energies), np.argmax(energies)))
            raise NotConvergedError(
                f"{named} are of the same structure and differ by {max(energies) - min(energies):.3g} eV per atom."
            )
        values = labels[0][1]
        return Label(values.energy, values.forces, values.virial)

    def core_hours(self, atoms: Atoms) -> float:
        """Return zero: the labels are there already."""
        return 0.0

    def surplus(self, frames: Sequence[Atoms]) -> list[str]:
        """Return the names of results that belong to none of ``frames`` and to no isolated atom."""
        keys = {structure_key(atoms) for atoms in frames}
        known = {place for atoms in frames for place, _ in self.results.find(atoms)}
        named = {
            str(result)
            for source in self.results.sources
            if source.identity.get("key") in keys
            for result in self.results.of(source)
        }
        unknown = [each for place, each in enumerate(self.results.all) if place not in known and not each.alone]
        return [str(each) for each in unknown if str(each) not in named]

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
        unknown = [f"{each}: {each.reason.rstrip('.')}" for each in self.results.all if each.atoms is None]
        return f", unless one of {len(unknown)} that cannot be read was meant, such as {unknown[0]}" if unknown else ""


def _refuse(result: Result, order: np.ndarray | None) -> str | None:
    """Return why a result gives a structure no label, or None if it does; without an order, it is of another."""
    if result.values is None:
        return result.reason
    if order is None:
        return "It is of another structure than its folder says."
    missing = [name for name in ("energy", "forces") if getattr(result.values, name) is None]
    return f"It has no {' and no '.join(missing)}." if missing else None
