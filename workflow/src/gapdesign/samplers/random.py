"""Sampler `random`: atoms put at random into random cells, no two of them too close."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from pydantic import Field, model_validator

from gapdesign.config.options import Options
from gapdesign.samplers.shared.crystals import OneByOneSampler, pick, places
from gapdesign.samplers.shared.deform import product, rotations


class RandomOptions(Options):
    """Options of the sampler `random`: disordered structures of any density."""

    atoms: tuple[int, int] = Field(
        (4, 16), description="Fewest and most atoms; every number between is equally likely."
    )
    volume: tuple[float, float] = Field(
        (0.8, 1.4), description="Smallest and largest volume per atom, relative to that of the prototypes."
    )
    skew: float = Field(
        0.3, ge=0, lt=1, description="Deviation of a cell from a cube: cell vectors differ by up to this fraction."
    )
    min_distance: float = Field(
        0.65,
        gt=0,
        lt=2,
        description="Smallest distance between two atoms, as a fraction of the sum of their covalent radii. If"
        " random tries find no such packing, the best of them stays, and `pools.constraints` may still refuse it.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> RandomOptions:
        if not 1 <= self.atoms[0] <= self.atoms[1]:
            raise ValueError("`atoms` must be [fewest, most], both of them 1 or more and the second one not smaller")
        if not 0 < self.volume[0] <= self.volume[1]:
            raise ValueError("`volume` must be [smallest, largest], both above 0 and the second one not smaller")
        return self


class RandomSampler(OneByOneSampler):
    """Random packings with the composition and, within bounds, the density of a prototype."""

    name = "random"
    summary = "atoms at random in random cells, none too close"
    Options = RandomOptions

    def build(self, generator: np.random.Generator) -> Atoms:
        """Build one structure."""
        options, crystal = self.options, pick(self.prototypes, generator).atoms
        size = int(generator.integers(options.atoms[0], options.atoms[1] + 1))
        # Whole formula units as far as they go, in an order that favours none.
        numbers = np.concatenate([generator.permutation(crystal.numbers) for _ in range(-(-size // len(crystal)))])
        volume = size * crystal.cell.volume / len(crystal) * generator.uniform(*options.volume)
        cell = np.eye(3) + options.skew * generator.uniform(-0.5, 0.5, (3, 3))
        cell = product(cell, rotations(generator.random((1, 3)))[0])
        cell *= np.cbrt(volume / abs((cell[0] * np.cross(cell[1], cell[2])).sum()))
        radii = options.min_distance * covalent_radii[numbers[:size]]
        return Atoms(numbers=numbers[:size], positions=places(cell, radii, generator), cell=cell, pbc=True)
