"""Trajectories of molecular dynamics whose frames are candidates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase import Atoms, units
from pydantic import Field

from gapdesign import engines
from gapdesign.config.options import Options
from gapdesign.engines.shared import calculators
from gapdesign.errors import InputError
from gapdesign.prototypes import Prototype
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared.crystals import pick, strain, supercell
from gapdesign.samplers.shared.draw import Draw
from gapdesign.samplers.shared.dynamics import FunctionCalculator, Langevin
from gapdesign.structures import Batch, pack

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

    from gapdesign.engines import Engine
    from gapdesign.engines.base import Label
    from gapdesign.properties.base import Evaluate


MODEL = "model"
"""Source of the forces that is the model of a design of the study."""


class TrajectoryOptions(Options):
    """Source of the forces, start and thermostat of Langevin dynamics of a supercell at fixed volume."""

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


class TrajectorySampler(Sampler):
    """Frames of trajectories: candidate i is frame i mod L of trajectory i div L.

    Each is a function of (seed, pool, trajectory) alone.

    Raises
    ------
    InputError
        If the engine cannot run, or if the calculator's name cannot be that of one; it is made when it is needed.
    """

    minutes: ClassVar[int] = 720

    def __init__(self, options: TrajectoryOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        if (engine := self._engine(options)) is not None:
            engine.check()
        elif not self.reads_model(options):
            calculators.require(options.calculator, key=f"pools.{self.name}.calculator", others=list(engines.ENGINES))

    @property
    @abstractmethod
    def length(self) -> int:
        """Frames per trajectory."""

    @abstractmethod
    def _trajectory(self, name: str, count: int) -> Iterator[Atoms]:
        """Yield the first ``count`` frames of a trajectory; ``name`` is that of its stream of random numbers."""

    @classmethod
    def environment(cls, options: TrajectoryOptions) -> str:
        """Return the environment of the engine that computes the forces; ASE calculators need none."""
        known = engines.ENGINES
        return known[options.calculator].environment if options.calculator in known else "core"

    @classmethod
    def is_ordered(cls, options: TrajectoryOptions) -> bool:
        """Return True: neighbours are frames of one trajectory."""
        return True

    @classmethod
    def data(cls, options: TrajectoryOptions) -> Sequence[Path]:
        """Return the files that the forces depend on; see :class:`gapdesign.samplers.Sampler`."""
        engine = cls._engine(options)
        if cls.reads_model(options):
            return []
        return calculators.files(options.arguments) if engine is None else engine.data

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        length = self.length
        frames: list[Atoms] = []
        for trajectory in np.unique(draw.indices // length):
            wanted = set((draw.indices[draw.indices // length == trajectory] % length).tolist())
            for number, atoms in enumerate(self._trajectory(f"{draw.name}/trajectory/{trajectory}", max(wanted) + 1)):
                if number in wanted:
                    frames.append(atoms)
        return pack(frames, names=self.names)

    @cached_property
    def _calculator(self) -> BaseCalculator:
        """The source of the forces as a calculator of ASE."""
        if self.reads_model(self.options):
            return FunctionCalculator(partial(_energy_and_forces, _model(**self.options.arguments)))
        if (engine := self._engine(self.options)) is not None:
            return FunctionCalculator(partial(_energy_and_forces, partial(_label, engine)))
        return calculators.make(self.options.calculator, self.options.arguments, key=f"pools.{self.name}")

    def _start(self, generator: np.random.Generator) -> Atoms:
        """Return a strained supercell of one of the prototypes."""
        atoms = supercell(pick(self.prototypes, generator), self.options.atoms)
        strain(atoms, self.options.strain, generator)
        return atoms

    def _thermostat(self, atoms: Atoms) -> tuple[Langevin, np.ndarray, np.ndarray]:
        """Return steps of the dynamics, and the deviations (n, 1) of velocities and of the kicks of the heat bath."""
        options, masses = self.options, atoms.get_masses()[:, None]
        step = Langevin(masses, timestep=options.timestep, friction=options.friction)
        heat = np.sqrt(units.kB * options.temperature / masses)
        return step, heat, np.sqrt(1 - step.kept**2) * heat

    @classmethod
    def _engine(cls, options: TrajectoryOptions) -> Engine | None:
        """Return the engine that computes the forces; None for a calculator of ASE."""
        if options.calculator not in engines.ENGINES:
            return None
        try:
            made_from = engines.ENGINES[options.calculator].Options.model_validate(options.arguments)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"pools.{cls.name}.arguments: the engine {options.calculator} does not take them ({reason});"
                f" give options of labels.{options.calculator}."
            ) from None
        return engines.ENGINES[options.calculator](made_from)


def _model(kind: str, file: str) -> Evaluate:
    """Return a model of the study."""
    from gapdesign.models import MODELS

    return MODELS[kind].evaluator(Path(file))


def frame_of(atoms: Atoms) -> Atoms:
    """Return a copy of moving atoms, inside their cell and without calculator."""
    frame = atoms.copy()
    frame.wrap()
    frame.info = dict(atoms.info)
    return frame


def _label(engine: Engine, atoms: Atoms) -> Label:
    with TemporaryDirectory() as folder:
        return engine.label(atoms, Path(folder))


def _energy_and_forces(evaluate: Evaluate, atoms: Atoms) -> tuple[float, np.ndarray]:
    label = evaluate(atoms)
    return label.energy, label.forces
