"""Sampler `biased`: molecular dynamics towards what a linear surrogate is not certain of (RK section 2.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from gapdesign.config.options import Identifier
from gapdesign.errors import InputError
from gapdesign.inputs.frames import read, refuse_undescribed
from gapdesign.prototypes import Prototype
from gapdesign.samplers.shared import rows
from gapdesign.samplers.shared.crystals import strain, supercell
from gapdesign.samplers.shared.rows import Rows, SurrogateOptions
from gapdesign.samplers.shared.surrogate import BiasedPotential, Explosion, Surrogate
from gapdesign.samplers.shared.trajectories import MODEL, TrajectoryOptions, TrajectorySampler, frame_of
from gapdesign.streams import stream

SAMPLE, DISPLACEMENT = 10, 0.12
"""Displaced supercells of each prototype that set the scale of the descriptor, and the deviation of each coordinate as
a fraction of the atom's covalent radius."""

EXISTING = "pools.biased.existing"

_Path = Annotated[str, Field(min_length=1)]


class BiasedOptions(TrajectoryOptions):
    """Options of the sampler `biased`: Langevin dynamics in the energy of a calculator minus tau sigma."""

    bias: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Mean force of the bias, as a share of that of the calculator; tau follows it. 0 for no bias.",
    )
    averaged: int = Field(10, ge=1, description="Steps of the running averages of both.")
    tolerance: float | None = Field(
        1.1,
        gt=1,
        description="A structure is taken where sigma exceeds its running average since the last one by this factor."
        " `null`: structures are `interval` steps apart.",
    )
    interval: int = Field(25, ge=1, description="Fewest steps between structures.")
    longest: int = Field(
        250, ge=1, description="Steps after which a structure is taken even if sigma does not exceed its average."
    )
    structures_per_trajectory: int = Field(
        25,
        ge=1,
        description="Structures per trajectory, a round of N. Make `shard_size` a multiple of it: a shard that begins"
        " inside a trajectory runs it from its start.",
    )
    update: bool = Field(
        True,
        description="Whether the surrogate learns each structure as soon as it is taken. `false` is for comparisons.",
    )
    existing: _Path | Annotated[tuple[_Path, ...], Field(min_length=1)] | None = Field(
        None,
        description="Files of structures that the surrogate knows from the start, such as the training set so far.",
    )
    after: Identifier | None = Field(
        None,
        description="Design of this study whose labelled structures the surrogate knows from the start, and whose model"
        " gives the forces with `calculator: model`; only designs that continue it are chosen from the pool.",
    )
    descriptor: SurrogateOptions = Field(SurrogateOptions(), description="Descriptor of the surrogate.")
    scale: float = Field(
        0.3, gt=0, description="Expected deviation of an atom's energy in a displaced crystal, in eV: the prior."
    )
    energy_error: float = Field(0.001, gt=0, description="Expected error of energies, in eV per atom.")
    force_error: float | None = Field(
        0.05,
        gt=0,
        description="Expected error of components of forces, in eV/angstrom. `null`: only energies are learnt.",
    )
    min_distance: float = Field(
        0.5,
        ge=0,
        lt=2,
        description="Atoms closer than this fraction of the sum of their covalent radii end a trajectory, which goes on"
        " from the last structure taken with new velocities.",
    )
    max_force: float = Field(100.0, gt=0, description="Forces of the calculator above it do so, too, in eV/angstrom.")
    restarts: int = Field(10, ge=0, description="Such restarts per trajectory before the sampler gives up.")

    @model_validator(mode="after")
    def _ordered(self) -> BiasedOptions:
        if self.tolerance is not None and self.longest < self.interval:
            raise ValueError(f"`longest` ({self.longest}) must not be below `interval` ({self.interval}); raise it")
        if self.calculator == MODEL and self.after is None:
            raise ValueError("`calculator: model` is the model of a design; name that as `after`")
        return self

    @model_serializer(mode="wrap")
    def _without_usual_start(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a design that is not there, so that what was made before there could be one is not made again."""
        return {key: value for key, value in write(self).items() if key != "after" or value is not None}

    @property
    def files(self) -> tuple[str, ...]:
        """The files of existing structures."""
        return () if self.existing is None else (self.existing,) if isinstance(self.existing, str) else self.existing


class BiasedSampler(TrajectorySampler):
    """Structures that dynamics biased by a surrogate's uncertainty visits, each learnt as soon as it is taken.

    A trajectory is a round of N structures without labels. Its first structure is that after the equilibration, which
    has no bias. Trajectories do not know of one another.
    """

    name = "biased"
    summary = "structures that molecular dynamics finds where a linear surrogate is uncertain"
    Options = BiasedOptions

    def __init__(self, options: BiasedOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        rows.check(options.descriptor, self._species)

    @property
    def length(self) -> int:
        """Structures per trajectory."""
        return self.options.structures_per_trajectory

    @classmethod
    def environment(cls, options: BiasedOptions) -> str:
        """Return the environment of the descriptor, or that of the engine if the descriptor needs none."""
        own = options.descriptor.environment
        return super().environment(options) if own == "core" else own

    @classmethod
    def after(cls, options: BiasedOptions) -> str | None:
        """Return the design whose labelled structures the surrogate knows."""
        return options.after

    @classmethod
    def reads_model(cls, options: BiasedOptions) -> bool:
        """Return whether that design's model gives the forces."""
        return options.calculator == MODEL

    @classmethod
    def knowing(
        cls, options: BiasedOptions, *, labelled: Path, kind: str | None = None, model: Path | None = None
    ) -> BiasedOptions:
        """Return options with the labelled structures among the existing ones, and the model as source of forces."""
        known = {"existing": (*options.files, str(labelled))}
        if cls.reads_model(options):
            known["arguments"] = {"kind": kind, "file": str(model)}
        return options.model_copy(update=known)

    @classmethod
    def data(cls, options: BiasedOptions) -> Sequence[Path]:
        """Return the files of forces, descriptor and existing structures."""
        descriptor = rows.files(options.descriptor)
        return [*super().data(options), *map(Path, (*descriptor, *options.files))]

    @classmethod
    def check(cls, options: BiasedOptions, pool: str) -> None:
        """Check that the files of existing structures are there."""
        for path in options.files:
            if not Path(path).is_file():
                raise InputError(
                    f"pools.biased.existing: no file '{path}' for pool {pool}; paths start where snakemake is run."
                )

    def _trajectory(self, name: str, count: int) -> Iterator[Atoms]:
        options, generator = self.options, np.random.Generator(stream(name))
        atoms = self._start(generator)
        step, heat, width = self._thermostat(atoms)
        potential = self._potential(self._before.copy())
        # Steps since the last structure was taken; before the first one, the steps of equilibration are still to come.
        since, taken, left = -options.equilibration, 0, options.restarts
        safe, forces, has_started = atoms.positions.copy(), None, False
        while True:
            try:
                if forces is None:
                    velocities = heat * generator.standard_normal(safe.shape)
                    forces = self._forces(potential, since, atoms)
                else:
                    since += 1
                    kicks = width * generator.standard_normal(safe.shape)
                    forces = step(atoms, velocities, forces, kicks, partial(self._forces, potential, since))
            except Explosion as reason:
                if not (has_started and left):
                    raise self._gave_up(name, reason, at_once=not has_started) from reason
                left -= 1
                atoms.positions, forces = safe.copy(), None
                since = 0 if taken else -options.equilibration
                potential.restart()
                continue
            has_started = True
            if since > 0:
                potential.adapt()
            if not self._takes(taken, since, potential):
                continue
            yield frame_of(atoms)
            taken += 1
            if taken == count:
                return
            if options.update:
                self._learn(potential.surrogate, atoms)
                forces = potential.forces(atoms)
            potential.forget_sigma()
            safe, since = atoms.positions.copy(), 0

    def _takes(self, taken: int, since: int, potential: BiasedPotential) -> bool:
        """Return whether to take the structure that is ``since`` steps after the last of those ``taken``."""
        options = self.options
        if not taken or since < options.interval:
            return not taken and since == 0
        if options.tolerance is None or since >= options.longest:
            return True
        return potential.sigma > options.tolerance * potential.average

    def _forces(self, potential: BiasedPotential, since: int, atoms: Atoms) -> np.ndarray:
        """Return the forces (n, 3), with the bias once a structure was taken; see :class:`BiasedPotential`."""
        if self._is_too_close(atoms):
            raise Explosion(f"atoms came closer than {self.options.min_distance} times the sum of their covalent radii")
        needs_sigma = self.options.bias or self.options.tolerance is not None
        return potential.forces(atoms) if since > 0 and needs_sigma else potential.mean_forces(atoms)

    def _is_too_close(self, atoms: Atoms) -> bool:
        from matscipy.neighbours import neighbour_list

        if not self.options.min_distance:
            return False
        if not np.isfinite(atoms.positions).all():
            return True
        radii = self.options.min_distance * covalent_radii[atoms.numbers]
        first, second, distance = neighbour_list("ijd", atoms, 2 * radii.max())
        return bool((distance < radii[first] + radii[second]).any())

    def _learn(self, surrogate: Surrogate, atoms: Atoms) -> None:
        """Update the covariance by the rows of a structure."""
        energy, _ = self._rows(atoms)
        surrogate.learn(energy[None], np.array([self.options.energy_error * len(atoms)]))
        if self.options.force_error is not None:
            forces = self._rows.forces(atoms)
            surrogate.learn(forces, np.full(len(forces), self.options.force_error))

    def _potential(self, surrogate: Surrogate) -> BiasedPotential:
        options = self.options
        return BiasedPotential(
            self._calculator,
            self._rows,
            surrogate,
            share=options.bias,
            averaged=options.averaged,
            max_force=options.max_force,
        )

    @cached_property
    def _rows(self) -> Rows:
        """The rows of the surrogate, in the same units for every seed and pool."""
        generator = np.random.Generator(stream("biased/scale"))
        sample = []
        for prototype in self.prototypes:
            for _ in range(SAMPLE):
                atoms = supercell(prototype, self.options.atoms)
                strain(atoms, self.options.strain, generator)
                width = DISPLACEMENT * covalent_radii[atoms.numbers]
                atoms.positions += width[:, None] * generator.standard_normal((len(atoms), 3))
                sample.append(atoms)
        return rows.make(self.options.descriptor, self._species, sample)

    @cached_property
    def _before(self) -> Surrogate:
        """The surrogate that knows the existing structures."""
        surrogate = Surrogate(self._rows.dimension, self.options.scale)
        for path in self.options.files:
            for frame in read(path, EXISTING):
                if not frame.is_isolated:
                    refuse_undescribed(frame, EXISTING, self._species)
                    self._learn(surrogate, frame.bare())
        return surrogate

    @property
    def _species(self) -> list[int]:
        return sorted({int(z) for prototype in self.prototypes for z in prototype.atoms.numbers})

    def _gave_up(self, name: str, reason: Explosion, *, at_once: bool) -> InputError:
        _, _, pool, _, _, trajectory = name.split("/")
        where = f"trajectory {trajectory} of pool {pool}"
        if at_once:
            return InputError(
                f"pools.biased: {where} cannot start: {reason}; check `calculator`, `arguments` and the prototypes."
            )
        return InputError(
            f"pools.biased: {where} broke down {self.options.restarts + 1} times, the last time because {reason}; lower"
            " `temperature`, `timestep` or `bias`, or raise `restarts`."
        )
