"""Sampler `strain`: uniform principal stretches in a uniformly random frame (BR section 3.1)."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.shared.deform import DeformingSampler, stretches


class StrainOptions(Options):
    """Options of the sampler `strain`: random stretches along random axes."""

    max: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="Bound s of the principal stretches, drawn uniformly from [1 - s, 1 + s]. It keeps the search"
        " from extremes that resemble nothing and teach nothing.",
    )


class StrainSampler(DeformingSampler):
    """Deformations F = R diag(lambda) R^T."""

    name = "strain"
    summary = "a prototype under random principal stretches along random axes"
    Options = StrainOptions
    draws = 6

    def deformations(self, uniforms: np.ndarray) -> np.ndarray:
        """Return stretches in [1 - max, 1 + max] along random axes."""
        return stretches(uniforms, self.options.max)
