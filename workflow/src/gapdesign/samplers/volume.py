"""Sampler `volume`: prototypes under hydrostatic compression and expansion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.deform import Deform
from gapdesign.structures import Prototype


class VolumeOptions(Options):
    """Options of the sampler `volume`: prototypes at other volumes."""

    max: float = Field(
        0.3, gt=0, lt=1, description="Bound of the relative change of volume, drawn uniformly from [-max, max]."
    )


def make(options: VolumeOptions, prototypes: Sequence[Prototype]) -> Deform:
    """Sampler of deformations F = v^(1/3) I."""
    return Deform(prototypes, lambda uniforms: deformations(uniforms, options.max), draws=1)


def deformations(uniforms: np.ndarray, largest: float) -> np.ndarray:
    """Deformation gradients (n, 3, 3) of uniform relative volumes, from numbers (n, 1)."""
    return np.cbrt(1 + largest * (2 * uniforms[:, :1] - 1))[:, :, None] * np.eye(3)
