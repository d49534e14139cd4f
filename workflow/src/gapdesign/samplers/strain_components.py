"""Sampler `strain_components`: uniform elements of the strain tensor, the baseline that BR gave up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.deform import Deform
from gapdesign.structures import Prototype


class StrainComponentsOptions(Options):
    """Options of the sampler `strain_components`: the baseline that should lose."""

    max: float = Field(0.15, gt=0, lt=0.5, description="Bound of every element of the strain tensor.")


def make(options: StrainComponentsOptions, prototypes: Sequence[Prototype]) -> Deform:
    """Sampler of deformations F = I + e, with the six elements of the symmetric e uniform."""
    return Deform(prototypes, lambda uniforms: deformations(uniforms, options.max), draws=6)


def deformations(uniforms: np.ndarray, largest: float) -> np.ndarray:
    """Deformation gradients F = I + e.

    Parameters
    ----------
    uniforms : (n, 6)
        Numbers for xx, yy, zz, yz, xz, xy.
    largest : float
        Bound of the elements.

    Returns
    -------
    (n, 3, 3)
    """
    xx, yy, zz, yz, xz, xy = largest * (2 * uniforms.T - 1)
    rows = np.array([[1 + xx, xy, xz], [xy, 1 + yy, yz], [xz, yz, 1 + zz]])
    return np.ascontiguousarray(np.moveaxis(rows, 2, 0))
