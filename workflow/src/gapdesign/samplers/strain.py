"""Sampler `strain`: uniform principal stretches in a uniformly random frame (BR section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.deform import Deform, stretches
from gapdesign.structures import Prototype


class StrainOptions(Options):
    """Options of the sampler `strain`: random stretches along random axes."""

    max: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="Bound s of the principal stretches, drawn uniformly from [1 - s, 1 + s]. It keeps the search"
        " from extremes that resemble nothing and teach nothing.",
    )


def make(options: StrainOptions, prototypes: Sequence[Prototype]) -> Deform:
    """Sampler of deformations F = R diag(lambda) R^T."""
    return Deform(prototypes, lambda uniforms: stretches(uniforms, options.max), draws=6)
