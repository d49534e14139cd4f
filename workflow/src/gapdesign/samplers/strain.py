"""Sampler `strain`: uniform principal stretches in a uniformly random frame (BR section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from gapdesign.options import Options
from gapdesign.samplers.deform import Deform, product
from gapdesign.structures import Prototype


class StrainOptions(Options):
    """Options of the sampler `strain`."""

    max: float = Field(
        0.15,
        gt=0,
        lt=1,
        description="Bound s of the principal stretches, drawn uniformly from [1 - s, 1 + s]. It keeps the search"
        " from extremes that resemble nothing and teach nothing.",
    )


def make(options: StrainOptions, prototypes: Sequence[Prototype]) -> Deform:
    """Sampler of deformations F = R diag(lambda) R^T."""
    return Deform(prototypes, lambda uniforms: deformations(uniforms, options.max), draws=6)


def deformations(uniforms: np.ndarray, largest: float) -> np.ndarray:
    """Deformation gradients F = R diag(lambda) R^T.

    Parameters
    ----------
    uniforms : (n, 6)
        Three numbers for the stretches, three for the rotation.
    largest : float
        Bound s of the stretches.

    Returns
    -------
    (n, 3, 3)
    """
    stretches = 1 + largest * (2 * uniforms[:, :3] - 1)
    frame = rotations(uniforms[:, 3:])
    return product(frame * stretches[:, None, :], frame.transpose(0, 2, 1))


def rotations(uniforms: np.ndarray) -> np.ndarray:
    """Rotations uniform on SO(3) (Haar), by unit quaternions (Shoemake, Graphics Gems III, 1992, p. 124).

    Parameters
    ----------
    uniforms : (n, 3)

    Returns
    -------
    (n, 3, 3)
    """
    u1, u2, u3 = uniforms.T
    r1, r2 = np.sqrt(1 - u1), np.sqrt(u1)
    x, y = r1 * np.sin(2 * np.pi * u2), r1 * np.cos(2 * np.pi * u2)
    z, w = r2 * np.sin(2 * np.pi * u3), r2 * np.cos(2 * np.pi * u3)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(rows), 2, 0))
