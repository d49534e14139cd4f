"""What samplers of homogeneous deformations share: a prototype is picked and deformed, atoms along."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gapdesign.structures import Batch, Prototype


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
        self.draws = draws + 1
        self._prototypes = prototypes
        self._deformations = deformations

    def __call__(self, uniforms: np.ndarray) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
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
            candidates=np.zeros(n, dtype=np.int64),
            attempts=np.zeros(n, dtype=np.int32),
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


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Matrix products of stacks (..., m, k) and (..., k, n) of small matrices.

    Unlike those of a linear algebra library, its sums have one order and no fused operations, so that every
    machine makes the same candidates.
    """
    return (a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2)
