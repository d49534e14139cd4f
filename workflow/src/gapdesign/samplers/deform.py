"""What samplers of homogeneous deformations share: a prototype is picked and deformed, atoms along."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gapdesign.samplers.draw import Draw
from gapdesign.structures import REASONS, Batch, Prototype


class Deform:
    """Sampler that picks a prototype uniformly and deforms it.

    Parameters
    ----------
    prototypes : sequence of Prototype
    deformations : callable
        From an (n, ``draws``) array of uniform numbers to (n, 3, 3) deformation gradients F.
    draws : int
        Numbers a deformation takes; a structure takes one more, for its prototype.
    """

    def __init__(
        self, prototypes: Sequence[Prototype], deformations: Callable[[np.ndarray], np.ndarray], draws: int
    ) -> None:
        self._draws = draws + 1
        self._prototypes = prototypes
        self._deformations = deformations

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        uniforms = draw.uniforms(self._draws)
        n = len(uniforms)
        which = np.minimum((uniforms[:, 0] * len(self._prototypes)).astype(np.int32), len(self._prototypes) - 1)
        deformation = self._deformations(uniforms[:, 1:])
        sizes = np.array([len(prototype.atoms) for prototype in self._prototypes])[which]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        numbers = np.empty(offsets[-1], dtype=np.int32)
        orbits = np.empty(offsets[-1], dtype=np.int32)
        positions = np.empty((offsets[-1], 3))
        cells = np.empty((n, 3, 3))
        for number, prototype in enumerate(self._prototypes):
            mine = np.flatnonzero(which == number)
            size = len(prototype.atoms)
            rows = (offsets[mine][:, None] + np.arange(size)).ravel()
            turned = deformation[mine].transpose(0, 2, 1)
            cells[mine] = product(prototype.atoms.cell[:], turned)
            positions[rows] = product(prototype.atoms.positions, turned).reshape(-1, 3)
            numbers[rows] = np.tile(prototype.atoms.numbers, len(mine))
            orbits[rows] = np.tile(prototype.orbits, len(mine))
        return Batch(
            candidates=draw.indices,
            refusals=np.zeros((n, len(REASONS)), dtype=np.int32),
            prototypes=which,
            deformations=deformation,
            cells=cells,
            pbc=np.ones((n, 3), dtype=bool),
            offsets=offsets,
            numbers=numbers,
            positions=positions,
            orbits=orbits,
            names=tuple(prototype.name for prototype in self._prototypes),
        )


def stretches(uniforms: np.ndarray, largest: float) -> np.ndarray:
    """Deformation gradients F = R diag(lambda) R^T, with uniform stretches in a uniformly random frame.

    Parameters
    ----------
    uniforms : (n, 6)
        Three numbers for the stretches, three for the rotation.
    largest : float
        Bound s of the stretches, which are in [1 - s, 1 + s].

    Returns
    -------
    (n, 3, 3)
    """
    principal = 1 + largest * (2 * uniforms[:, :3] - 1)
    frame = rotations(uniforms[:, 3:])
    return product(frame * principal[:, None, :], frame.transpose(0, 2, 1))


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


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Matrix products of stacks (..., m, k) and (..., k, n) of small matrices.

    Unlike those of a linear algebra library, its sums have one order and no fused operations, so that every
    machine makes the same candidates.
    """
    return (a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2)
