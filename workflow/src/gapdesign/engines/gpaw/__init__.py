"""GPAW: projector-augmented waves on plane waves, free of charge."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from gapdesign.engines.base import Engine, Label, NotConvergedError
from gapdesign.engines.shared import planewaves, programs
from gapdesign.engines.shared.planewaves import KpointOptions
from gapdesign.errors import InputError
from gapdesign.files import read_json, write_json

if TYPE_CHECKING:
    from ase import Atoms

_RUNNER = Path(__file__).with_name("run_gpaw.py")

_STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as configured", {}),
    (
        "Pulay mixing of a twentieth of the density with five old ones, 333 iterations",
        {"mixer": {"backend": "pulay", "beta": 0.05, "nmaxold": 5, "weight": 50}, "maxiter": 333},
    ),
    (
        "Pulay mixing of a fiftieth of the density with three old ones, Davidson's method with three steps,"
        " 666 iterations",
        {
            "mixer": {"backend": "pulay", "beta": 0.02, "nmaxold": 3, "weight": 100},
            "eigensolver": {"name": "davidson", "niter": 3},
            "maxiter": 666,
        },
    ),
)
"""Description of each attempt and the parameters it sets: they change how GPAW iterates, never what it converges to."""


class GpawOptions(programs.ProgramOptions):
    """GPAW in plane-wave mode."""

    command: str = Field(
        "",
        description="Command that runs a Python script with GPAW, such as `mpirun -np 4 gpaw python`. Default: the"
        " Python that runs gapdesign, on one core.",
    )
    xc: str = Field("PBE", min_length=1, description="Exchange-correlation functional.")
    ecut: float = Field(600.0, gt=0, description="Kinetic energy of the shortest plane wave, in eV.")
    kpoints: KpointOptions = Field(KpointOptions(), description="The mesh of k-points.")
    width: float = Field(0.1, gt=0, description="Width of Methfessel-Paxton smearing of first order, in eV.")
    convergence: dict[str, float] = Field(
        {"energy": 1e-5, "density": 1e-5, "eigenstates": 1e-8},
        description="Thresholds of self-consistency, with GPAW's keys and units, per electron.",
    )
    maxiter: int = Field(100, ge=1, description="Largest number of iterations in the first attempt.")
    setups: dict[str, str] = Field({}, description="Name of each element's PAW data set, where it is not the default.")
    isolated_box: float = Field(
        12.0,
        ge=5,
        description="Edge of an isolated atom's cube, in angstrom; the cost grows as the edge cubed.",
    )


class GpawEngine(Engine):
    """GPAW, with a process of its own per label, so that a crash affects no other label.

    Energies are free energies relative to GPAW's reference atoms; forces and stress are their derivatives.
    """

    name = "gpaw"
    summary = "GPAW, on plane waves"
    Options = GpawOptions
    environment = "gpaw"
    attempts = tuple(words for words, _ in _STEPS)

    def __init__(self, options: GpawOptions) -> None:
        super().__init__(options)
        self.isolated_box = options.isolated_box

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that the user chose, except how GPAW is run and how long it may take."""
        return self._options.model_dump(
            mode="json", exclude={"command", "hours", "core_hours", "maxiter"}, exclude_none=True
        )

    @cached_property
    def version(self) -> str:
        """Version of GPAW and checksum of its PAW data sets, as GPAW itself reports them."""
        return f"gpaw {self._identity['gpaw']}, data sets sha256 {self._identity['datasets']}"

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that GPAW can be started, and that it has data sets for ``elements``; see :class:`Engine`.

        A command that the user gives may wait for an allocation, so it is only looked up, not run.
        """
        if self._options.command:
            programs.require(
                self._options.command, key="labels.gpaw.command", remedy="load GPAW's module or correct the command"
            )
            return
        known = self._identity["elements"]
        for element in elements:
            if element not in known:
                raise InputError(
                    f"labels.gpaw.xc: GPAW has no {self._options.xc} data set for {element}; choose another"
                    " functional, or set GPAW_SETUP_PATH to a folder that holds one."
                )

    def label(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Run GPAW in ``folder``, with its log in ``gpaw.txt`` there; see :class:`Engine`."""
        folder = Path(folder).resolve()
        write_json(folder / "task.json", self._task(atoms, attempt, isolated))
        words = [*self._words, str(_RUNNER), str(folder)]
        results = ["result.json", "failure.json"]
        status = programs.run(words, folder, "run.log", results=results, hours=self._options.hours)
        if (folder / "failure.json").exists():
            raise NotConvergedError(read_json(folder / "failure.json"))
        if status != 0 or not (folder / "result.json").exists():
            raise NotConvergedError(f"GPAW ended with status {status}: {programs.last_lines(folder / 'run.log')}.")
        result = read_json(folder / "result.json")
        if reason := self._refuse(atoms, result, isolated):
            raise NotConvergedError(f"GPAW computed something other than it was asked for: {reason}.")
        virial = -atoms.get_volume() * np.array(result["stress"])
        return Label(result["energy"], np.array(result["forces"]) + 0.0, (virial + virial.T) / 2 + 0.0)

    def core_hours(self, atoms: Atoms) -> float:
        """Estimate the cost from electrons, k-points and plane waves; see :mod:`.shared.planewaves`."""
        options = self._options
        return options.core_hours or planewaves.core_hours(atoms, options.ecut, options.kpoints)

    def _task(self, atoms: Atoms, attempt: int, isolated: bool) -> dict[str, Any]:
        options = self._options
        mesh = (1, 1, 1) if isolated else planewaves.meshes(atoms.cell.array, options.kpoints)[0]
        parameters: dict[str, Any] = {
            "mode": {"name": "pw", "ecut": options.ecut},
            "xc": options.xc,
            "kpts": {"size": mesh, "gamma": True},
            "occupations": {"name": "methfessel-paxton", "order": 1, "width": options.width},
            "convergence": options.convergence,
            "maxiter": options.maxiter,
        }
        if options.setups:
            parameters["setups"] = options.setups
        if isolated:
            # Hund's rule sets the occupations; smearing would mix the shells of the atom.
            parameters |= {"hund": True, "occupations": {"name": "fermi-dirac", "width": 0.0, "fixmagmom": True}}
        return {
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "pbc": atoms.pbc.tolist(),
            "parameters": parameters | _STEPS[attempt][1],
        }

    def _refuse(self, atoms: Atoms, result: dict[str, Any], isolated: bool) -> str | None:
        from ase import Atoms

        options = self._options
        back = Atoms(result["numbers"], positions=result["positions"], cell=result["cell"], pbc=atoms.pbc)
        if reason := programs.compare_structures(atoms, back):
            return f"the structure: {reason}"
        if abs(result["cutoff"] - options.ecut) > 1e-3:
            return f"a cut-off of {result['cutoff']:g} eV in place of {options.ecut:g}"
        mesh = (1, 1, 1) if isolated else planewaves.meshes(atoms.cell.array, options.kpoints)[0]
        if not planewaves.is_mesh(result["points"], result["weights"], mesh):
            return f"k-points that are not of the mesh {mesh}"
        return None

    @property
    def _words(self) -> list[str]:
        command = self._options.command
        return programs.split(command, key="labels.gpaw.command") if command else [sys.executable]

    @cached_property
    def _identity(self) -> dict[str, Any]:
        words = [*self._words, str(_RUNNER), "--identify", self._options.xc]
        answer = subprocess.run(words, capture_output=True, text=True, check=False)
        try:
            return json.loads(answer.stdout.strip().splitlines()[-1])
        except (ValueError, IndexError):
            said = " ".join(answer.stderr.split())[-200:] or "nothing"
            raise InputError(
                f"labels.engine: the engine gpaw needs GPAW, which `{' '.join(words[:-3])}` does not start"
                f" (its output: {said}); docs/engines.md explains how to install it."
            ) from None
