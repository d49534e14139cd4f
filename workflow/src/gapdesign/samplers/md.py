"""Sampler `md`: frames of hot molecular dynamics, far enough apart to differ (BR section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.samplers.crystals import pick, strain, supercell
from gapdesign.samplers.draw import Draw
from gapdesign.streams import stream
from gapdesign.structures import Batch, Prototype, pack

if TYPE_CHECKING:
    from gapdesign.engines import Engine


class MdOptions(Options):
    """Options of the sampler `md`: Langevin dynamics of a supercell at fixed volume."""

    calculator: str = Field(
        "eam",
        min_length=1,
        description="What gives the forces: an engine of `labels`, or any ASE calculator by its full name, such as"
        " `ase.calculators.emt.EMT`. Cheap is good enough.",
    )
    arguments: dict[str, Any] = Field(
        {}, description="Options of the engine, such as `{potential: Zr_mm.eam.fs}`, or arguments of the calculator."
    )
    atoms: int = Field(16, ge=1, description="Least number of atoms in the supercell.")
    strain: float = Field(
        0.05, ge=0, lt=1, description="Bound s of principal stretches in [1 - s, 1 + s], drawn for each trajectory."
    )
    temperature: float = Field(3000.0, gt=0, description="Temperature, in kelvin: above melting, to be diverse.")
    timestep: float = Field(2.0, gt=0, description="Time step, in femtoseconds.")
    friction: float = Field(0.02, gt=0, description="Friction of the thermostat, in 1/fs.")
    equilibration: int = Field(500, ge=0, description="Steps before the first frame.")
    interval: int = Field(50, ge=1, description="Steps from frame to frame.")
    frames_per_trajectory: int = Field(
        50,
        ge=1,
        description="Frames that one trajectory gives. Make `shard_size` a multiple of it: a shard that begins inside"
        " a trajectory runs it from its start.",
    )


def make(options: MdOptions, prototypes: Sequence[Prototype]) -> Md:
    """Sampler of frames of molecular dynamics."""
    return Md(options, prototypes)


class Md:
    """Candidate i is frame i mod L of trajectory i div L, a function of (seed, pool, trajectory) alone."""

    def __init__(self, options: MdOptions, prototypes: Sequence[Prototype]) -> None:
        self._options = options
        self._prototypes = prototypes
        self._calculator = _calculator(options)

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        length = self._options.frames_per_trajectory
        frames: list[Atoms] = []
        for trajectory in np.unique(draw.indices // length):
            wanted = set((draw.indices[draw.indices // length == trajectory] % length).tolist())
            for number, atoms in enumerate(self._trajectory(f"{draw.name}/trajectory/{trajectory}", max(wanted) + 1)):
                if number in wanted:
                    frames.append(atoms)
        return pack(frames, names=[prototype.name for prototype in self._prototypes])

    def _trajectory(self, name: str, count: int) -> Iterator[Atoms]:
        """The first ``count`` frames of a trajectory."""
        options = self._options
        generator = np.random.Generator(stream(name))
        atoms = supercell(pick(self._prototypes, generator), options.atoms)
        strain(atoms, options.strain, generator)
        atoms.calc = self._calculator
        masses = atoms.get_masses()[:, None]
        heat = np.sqrt(units.kB * options.temperature / masses)
        velocities = heat * generator.standard_normal((len(atoms), 3))
        step = options.timestep * units.fs
        kept = np.exp(-options.friction * options.timestep)
        forces = atoms.get_forces()
        for number in range(1, options.equilibration + options.interval * (count - 1) + 2):
            since = number - 1 - options.equilibration
            if since >= 0 and since % options.interval == 0:
                frame = atoms.copy()
                frame.wrap()
                frame.info = dict(atoms.info)
                yield frame
                if since // options.interval == count - 1:
                    return
            # BAOAB (Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34).
            velocities += 0.5 * step * forces / masses
            atoms.positions += 0.5 * step * velocities
            velocities = kept * velocities + np.sqrt(1 - kept**2) * heat * generator.standard_normal(velocities.shape)
            atoms.positions += 0.5 * step * velocities
            forces = atoms.get_forces()
            velocities += 0.5 * step * forces / masses


class EngineCalculator(Calculator):
    """An engine of labels as an ASE calculator."""

    implemented_properties = ("energy", "forces")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Label the atoms; see ASE."""
        import tempfile
        from pathlib import Path

        super().calculate(atoms, properties, system_changes)
        with tempfile.TemporaryDirectory() as folder:
            label = self._engine.label(self.atoms, Path(folder))
        self.results = {"energy": label.energy, "forces": label.forces}


def _calculator(options: MdOptions) -> Calculator:
    from gapdesign import engines

    if options.calculator in engines.ENGINES:
        try:
            made_from = engines.ENGINES[options.calculator].Options.model_validate(options.arguments)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"pools.md.arguments: the engine {options.calculator} does not take them ({reason});"
                f" give what labels.{options.calculator} takes."
            ) from None
        engine = engines.ENGINES[options.calculator](made_from)
        engine.check()
        return EngineCalculator(engine)
    module, _, name = options.calculator.rpartition(".")
    try:
        return getattr(import_module(module), name)(**options.arguments)
    except Exception as error:
        raise InputError(
            f"pools.md.calculator: '{options.calculator}' cannot be made ({error}); choose from"
            f" {', '.join(engines.ENGINES)}, or give the full name of an ASE calculator and its arguments."
        ) from error
