"""Sampler `volume`: prototypes under hydrostatic compression and expansion."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.shared.deform import DeformingSampler


class VolumeOptions(Options):
    """Options of the sampler `volume`: prototypes at other volumes."""

    max: float = Field(
        0.3, gt=0, lt=1, description="Bound of the relative change of volume, drawn uniformly from [-max, max]."
    )


class VolumeSampler(DeformingSampler):
    """Deformations F = v^(1/3) I, with the relative volume v uniform."""

    name = "volume"
    summary = "a prototype compressed or expanded"
    Options = VolumeOptions
    draws = 1

    def deformations(self, uniforms: np.ndarray) -> np.ndarray:
        """Return F of relative volumes in [1 - max, 1 + max]."""
        return np.cbrt(1 + self.options.max * (2 * uniforms[:, :1] - 1))[:, :, None] * np.eye(3)
