"""Any calculator of ASE, by its dotted name."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.engines.base import Engine, Label
from gapdesign.engines.shared import calculators
from gapdesign.files import sha256

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator


class AseOptions(Options):
    """A calculator that follows ASE's interface."""

    calculator: str = Field(
        "ase.calculators.emt.EMT",
        pattern=calculators.DOTTED,
        description="Class of the calculator, derived from ASE's, with its module, such as `tblite.ase.TBLite`.",
    )
    arguments: dict[str, Any] = Field(
        {},
        description="Keyword arguments of the calculator. Where a string names a file (a potential's parameters), the"
        " content of the file identifies the label.",
    )
    isolated_arguments: dict[str, Any] = Field(
        {}, description="Arguments that differ for an isolated atom; its spin comes from Hund's rule."
    )
    isolated_box: float = Field(20.0, ge=5, description="Edge of the cube around an isolated atom, in angstrom.")
    core_hours: float | None = Field(
        None, gt=0, description="Expected cost per structure, in core hours. Default: one second per atom."
    )


class AseEngine(Engine):
    """Any calculator of ASE, run in this process.

    The calculator computes energy and forces. The energy is the free energy where the calculator distinguishes the
    two. ASE's interface does not report whether a calculation converged: one that raises no exception counts as
    converged.
    """

    name = "ase"
    summary = "any calculator of ASE"
    Options = AseOptions
    environment = "ase"
    is_cheap = True

    def __init__(self, options: AseOptions) -> None:
        super().__init__(options)
        self.isolated_box = options.isolated_box

    @property
    def settings(self) -> dict[str, Any]:
        """Name and arguments; files appear by name only, since their content is part of the version."""
        options = self._options
        return {
            "calculator": options.calculator,
            "arguments": _without_folders(options.arguments),
            "isolated_arguments": _without_folders(options.isolated_arguments),
        }

    @cached_property
    def version(self) -> str:
        """Versions of ASE and of the calculator's package, and checksums of the files among the arguments."""
        package = self._options.calculator.split(".")[0]
        distributions = dict.fromkeys(["ase", *importlib.metadata.packages_distributions().get(package, [])])
        versions = [f"{name} {importlib.metadata.version(name)}" for name in distributions]
        return ", ".join([*versions, *(f"{path.name} sha256 {sha256(path)}" for path in self.data)])

    @property
    def data(self) -> list[Path]:
        """The files among the arguments; see :class:`Engine`."""
        return [*calculators.files(self._options.arguments), *calculators.files(self._options.isolated_arguments)]

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that the calculator's package is there; only a job imports it. See :class:`Engine`."""
        calculators.require(self._options.calculator, key="labels.ase.calculator")

    def load(self, elements: Collection[str] = ()) -> None:
        """Import the calculator's class, and make one; see :class:`Engine`."""
        self._make(isolated=False)

    def label(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Run the calculator, which writes its files, if any, into ``folder``; see :class:`Engine`."""
        from ase.calculators.calculator import PropertyNotImplementedError

        atoms = atoms.copy()
        if isolated:
            from ase.data import ground_state_magnetic_moments

            atoms.set_initial_magnetic_moments(ground_state_magnetic_moments[atoms.numbers])
        calculator = self._make(isolated=isolated)
        if hasattr(calculator, "directory"):
            calculator.directory = str(folder)
        atoms.calc = calculator
        try:
            energy = atoms.get_potential_energy(force_consistent=True)
        except PropertyNotImplementedError:
            energy = atoms.get_potential_energy()
        virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        return Label(float(energy), atoms.get_forces() + 0.0, (virial + virial.T) / 2 + 0.0)

    def core_hours(self, atoms: Atoms) -> float:
        """Return the configured cost, or one second per atom; see :class:`Engine`."""
        return self._options.core_hours or len(atoms) / 3600

    def _make(self, *, isolated: bool) -> BaseCalculator:
        options = self._options
        arguments = options.arguments | (options.isolated_arguments if isolated else {})
        return calculators.make(options.calculator, arguments, key="labels.ase")


def _without_folders(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: Path(value).name if calculators.is_file(value) else value for name, value in arguments.items()}
