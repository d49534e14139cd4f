"""Sampler `md`: frames of hot molecular dynamics, far enough apart to differ (BR section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.samplers.shared.trajectories import TrajectoryOptions, TrajectorySampler, frame_of
from gapdesign.streams import stream


class MdOptions(TrajectoryOptions):
    """Options of the sampler `md`: Langevin dynamics of a supercell at fixed volume."""

    interval: int = Field(50, ge=1, description="Steps between frames.")
    frames_per_trajectory: int = Field(
        50,
        ge=1,
        description="Frames per trajectory. Make `shard_size` a multiple of it: a shard that begins inside a trajectory"
        " runs it from its start.",
    )


class MdSampler(TrajectorySampler):
    """Frames of trajectories, a fixed number of steps apart."""

    name = "md"
    summary = "frames of hot molecular dynamics"
    Options = MdOptions

    @property
    def length(self) -> int:
        """Frames per trajectory."""
        return self.options.frames_per_trajectory

    def _trajectory(self, name: str, count: int) -> Iterator[Atoms]:
        options = self.options
        generator = np.random.Generator(stream(name))
        atoms = self._start(generator)
        atoms.calc = self._calculator
        step, heat, width = self._thermostat(atoms)
        velocities = heat * generator.standard_normal((len(atoms), 3))
        forces = atoms.get_forces()
        for number in range(1, options.equilibration + options.interval * (count - 1) + 2):
            since = number - 1 - options.equilibration
            if since >= 0 and since % options.interval == 0:
                yield frame_of(atoms)
                if since // options.interval == count - 1:
                    return
            kicks = width * generator.standard_normal(velocities.shape)
            forces = step(atoms, velocities, forces, kicks, Atoms.get_forces)
