"""Sampler `rattle`: strained supercells with Gaussian displacements."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from gapdesign.samplers.crystals import CrystalOptions, OneByOne, disturb, pick, supercell
from gapdesign.structures import Prototype


class RattleOptions(CrystalOptions):
    """Options of the sampler `rattle`: crystals whose atoms left their sites, as heat moves them."""

    amplitude: float = Field(
        0.15,
        ge=0,
        lt=1,
        description="Largest standard deviation of the Gaussian displacements along each axis, as a fraction of the"
        " atom's covalent radius; each structure draws its own from [0, amplitude].",
    )


def make(options: RattleOptions, prototypes: Sequence[Prototype]) -> OneByOne:
    """Sampler of rattled crystals."""
    return OneByOne(
        prototypes,
        lambda generator: disturb(supercell(pick(prototypes, generator), options.atoms), options, generator),
    )
