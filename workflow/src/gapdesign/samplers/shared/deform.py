"""Homogeneous deformations of prototypes, for the samplers that pick and deform one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from gapdesign.prototypes import Prototype
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared.draw import Draw
from gapdesign.structures import REASONS, Batch


class DeformingSampler(Sampler):
    """Sampler that picks a prototype uniformly and deforms it.

    Attributes
    ----------
    draws
        Random numbers per deformation; a structure takes one more, for its prototype.
    """

    keeps_cells = True
    is_continuous = True
    draws: ClassVar[int]

    @abstractmethod
    def deformations(self, uniforms: np.ndarray) -> np.ndarray:
        """Return deformation gradients F (n, 3, 3) from uniform numbers (n, ``draws``)."""

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        uniforms = draw.uniforms(self.draws + 1)
        return deform(self.prototypes, uniforms[:, 0], self.deformations(uniforms[:, 1:]))

    def points(self, draw: Draw) -> np.ndarray:
        """Return the uniform numbers (n, ``draws``) of the deformations."""
        return draw.uniforms(self.draws + 1)[:, 1:]

    def at(self, prototypes: np.ndarray, points: np.ndarray) -> Batch:
        """Make the structures; see :meth:`gapdesign.samplers.Sampler.at`."""
        return deform(self.prototypes, (prototypes + 0.5) / len(self.prototypes), self.deformations(points))


def deform(prototypes: Sequence[Prototype], choices: np.ndarray, deformation: np.ndarray) -> Batch:
    """Deform prototypes, with their atoms.

    Parameters
    ----------
    prototypes : sequence of Prototype
    choices : (n,)
        A number in [0, 1] for each structure, which picks its prototype.
    deformation : (n, 3, 3)
        Deformation gradients F.

    Returns
    -------
    Batch
    """
    n = len(choices)
    which = np.minimum((choices * len(prototypes)).astype(np.int32), len(prototypes) - 1)
    sizes = np.array([len(prototype.atoms) for prototype in prototypes])[which]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    numbers = np.empty(offsets[-1], dtype=np.int32)
    orbits = np.empty(offsets[-1], dtype=np.int32)
    positions = np.empty((offsets[-1], 3))
    cells = np.empty((n, 3, 3))
    for number, prototype in enumerate(prototypes):
        mine = np.flatnonzero(which == number)
        size = len(prototype.atoms)
        rows = (offsets[mine][:, None] + np.arange(size)).ravel()
        turned = deformation[mine].transpose(0, 2, 1)
        cells[mine] = product(prototype.atoms.cell[:], turned)
        positions[rows] = product(prototype.atoms.positions, turned).reshape(-1, 3)
        numbers[rows] = np.tile(prototype.atoms.numbers, len(mine))
        orbits[rows] = np.tile(prototype.orbits, len(mine))
    return Batch(
        candidates=np.arange(n),
        refusals=np.zeros((n, len(REASONS)), dtype=np.int32),
        prototypes=which,
        deformations=deformation,
        cells=cells,
        pbc=np.ones((n, 3), dtype=bool),
        offsets=offsets,
        numbers=numbers,
        positions=positions,
        orbits=orbits,
        names=tuple(prototype.name for prototype in prototypes),
    )


def stretches(uniforms: np.ndarray, largest: float) -> np.ndarray:
    """Return deformation gradients F = R diag(lambda) R^T, with uniform stretches in a uniformly random frame.

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
    """Return rotations uniform on SO(3) (Haar), by unit quaternions (Shoemake, Graphics Gems III, 1992, p. 124).

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
    """Return the matrix products of stacks (..., m, k) and (..., k, n) of small matrices.

    Unlike those of a linear algebra library, its sums have one order and no fused operations, so that every
    machine makes the same candidates.
    """
    return (a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2)
