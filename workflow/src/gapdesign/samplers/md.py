"""Sampler `md`: frames of hot molecular dynamics, far enough apart to differ (BR section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units
from pydantic import Field

from gapdesign import engines
from gapdesign.config.options import Options
from gapdesign.engines.shared import calculators
from gapdesign.errors import InputError
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared.crystals import pick, strain, supercell
from gapdesign.samplers.shared.draw import Draw
from gapdesign.samplers.shared.dynamics import FunctionCalculator, Langevin
from gapdesign.streams import stream
from gapdesign.structures import Batch, Prototype, pack

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

    from gapdesign.engines import Engine


class MdOptions(Options):
    """Options of the sampler `md`: Langevin dynamics of a supercell at fixed volume."""

    calculator: str = Field(
        "eam",
        min_length=1,
        description="Source of the forces: an engine of `labels`, or any calculator of ASE by the full name of its"
        " class, such as `ase.calculators.emt.EMT`. A cheap one is good enough.",
    )
    arguments: dict[str, Any] = Field(
        {}, description="Options of the engine, such as `{potential: Zr_mm.eam.fs}`, or arguments of the calculator."
    )
    atoms: int = Field(16, ge=1, description="Smallest number of atoms in the supercell.")
    strain: float = Field(
        0.05, ge=0, lt=1, description="Bound s of principal stretches in [1 - s, 1 + s], drawn for each trajectory."
    )
    temperature: float = Field(
        3000.0, gt=0, description="Temperature, in kelvin; above melting, frames are more diverse."
    )
    timestep: float = Field(2.0, gt=0, description="Time step, in femtoseconds.")
    friction: float = Field(0.02, gt=0, description="Friction of the thermostat, in 1/fs.")
    equilibration: int = Field(500, ge=0, description="Steps before the first frame.")
    interval: int = Field(50, ge=1, description="Steps between frames.")
    frames_per_trajectory: int = Field(
        50,
        ge=1,
        description="Frames per trajectory. Make `shard_size` a multiple of it: a shard that begins inside a trajectory"
        " runs it from its start.",
    )


class MdSampler(Sampler):
    """Frames of trajectories: candidate i is frame i mod L of trajectory i div L.

    Each is a function of (seed, pool, trajectory) alone.

    Raises
    ------
    InputError
        If the engine cannot run, or if the calculator's name cannot be that of one; it is made when it is needed.
    """

    name = "md"
    summary = "frames of hot molecular dynamics"
    Options = MdOptions
    minutes = 720

    def __init__(self, options: MdOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        if (engine := _engine(options)) is not None:
            engine.check()
        else:
            calculators.require(options.calculator, key="pools.md.calculator", others=list(engines.ENGINES))

    @classmethod
    def environment(cls, options: MdOptions) -> str:
        """Return the environment of the engine that computes the forces; ASE calculators need none."""
        known = engines.ENGINES
        return known[options.calculator].environment if options.calculator in known else "core"

    @classmethod
    def is_ordered(cls, options: MdOptions) -> bool:
        """Return True: neighbours are frames of one trajectory."""
        return True

    @classmethod
    def data(cls, options: MdOptions) -> Sequence[Path]:
        """Return the files that the forces depend on; see :class:`gapdesign.samplers.Sampler`."""
        engine = _engine(options)
        return calculators.files(options.arguments) if engine is None else engine.data

    @cached_property
    def _calculator(self) -> BaseCalculator:
        return _calculator(self.options)

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        length = self.options.frames_per_trajectory
        frames: list[Atoms] = []
        for trajectory in np.unique(draw.indices // length):
            wanted = set((draw.indices[draw.indices // length == trajectory] % length).tolist())
            for number, atoms in enumerate(self._trajectory(f"{draw.name}/trajectory/{trajectory}", max(wanted) + 1)):
                if number in wanted:
                    frames.append(atoms)
        return pack(frames, names=self.names)

    def _trajectory(self, name: str, count: int) -> Iterator[Atoms]:
        """Yield the first ``count`` frames of a trajectory."""
        options = self.options
        generator = np.random.Generator(stream(name))
        atoms = supercell(pick(self.prototypes, generator), options.atoms)
        strain(atoms, options.strain, generator)
        atoms.calc = self._calculator
        masses = atoms.get_masses()[:, None]
        heat = np.sqrt(units.kB * options.temperature / masses)
        velocities = heat * generator.standard_normal((len(atoms), 3))
        step = Langevin(masses, timestep=options.timestep, friction=options.friction)
        width = np.sqrt(1 - step.kept**2) * heat
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
            kicks = width * generator.standard_normal(velocities.shape)
            forces = step(atoms, velocities, forces, kicks, Atoms.get_forces)


def _engine(options: MdOptions) -> Engine | None:
    """Return the engine that computes the forces; None for a calculator of ASE."""
    if options.calculator not in engines.ENGINES:
        return None
    try:
        made_from = engines.ENGINES[options.calculator].Options.model_validate(options.arguments)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"pools.md.arguments: the engine {options.calculator} does not take them ({reason});"
            f" give options of labels.{options.calculator}."
        ) from None
    return engines.ENGINES[options.calculator](made_from)


def _calculator(options: MdOptions) -> BaseCalculator:
    """Return the source of the forces as a calculator of ASE."""
    if (engine := _engine(options)) is not None:
        return FunctionCalculator(partial(_energy_and_forces, engine))
    return calculators.make(options.calculator, options.arguments, key="pools.md")


def _energy_and_forces(engine: Engine, atoms: Atoms) -> tuple[float, np.ndarray]:
    with TemporaryDirectory() as folder:
        label = engine.label(atoms, Path(folder))
    return label.energy, label.forces
