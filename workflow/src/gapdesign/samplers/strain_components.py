"""Sampler `strain_components`: uniform elements of the strain tensor, the baseline that BR gave up."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.shared.deform import DeformingSampler


class StrainComponentsOptions(Options):
    """Options of the sampler `strain_components`: the baseline that should lose."""

    max: float = Field(0.15, gt=0, lt=0.5, description="Bound of every element of the strain tensor.")


class StrainComponentsSampler(DeformingSampler):
    """Deformations F = I + e, with the six elements of the symmetric e uniform."""

    name = "strain_components"
    summary = "a prototype under uniform elements of the strain tensor, the baseline that should lose"
    Options = StrainComponentsOptions
    draws = 6

    def deformations(self, uniforms: np.ndarray) -> np.ndarray:
        """Return F = I + e from numbers (n, 6) for the elements xx, yy, zz, yz, xz and xy of e."""
        xx, yy, zz, yz, xz, xy = self.options.max * (2 * uniforms.T - 1)
        rows = np.array([[1 + xx, xy, xz], [xy, 1 + yy, yz], [xz, yz, 1 + zz]])
        return np.ascontiguousarray(np.moveaxis(rows, 2, 0))
