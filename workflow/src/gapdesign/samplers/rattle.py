"""Sampler `rattle`: strained supercells with Gaussian displacements."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.samplers.shared.crystals import CrystalOptions, OneByOneSampler, disturb, pick, supercell


class RattleOptions(CrystalOptions):
    """Options of the sampler `rattle`: crystals with displaced atoms, as at finite temperature."""

    amplitude: float = Field(
        0.15,
        ge=0,
        lt=1,
        description="Largest standard deviation of the Gaussian displacements along each axis, as a fraction of the"
        " atom's covalent radius; each structure draws its own from [0, amplitude].",
    )


class RattleSampler(OneByOneSampler):
    """Supercells of the prototypes, strained and rattled."""

    name = "rattle"
    summary = "a strained supercell whose atoms are displaced by Gaussians"
    Options = RattleOptions

    def build(self, generator: np.random.Generator) -> Atoms:
        """Build one structure."""
        return disturb(supercell(pick(self.prototypes, generator), self.options.atoms), self.options, generator)
