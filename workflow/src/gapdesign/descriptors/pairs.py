"""Pair distances as features whose dot product is the Gaussian kernel summed over all pairs of distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.kernel import PairShapeOptions

if TYPE_CHECKING:
    from gapdesign.structures import Batch

SPACING = 0.8
"""Spacing of the radial grid in units of the smearing width; the kernel is then right to 4e-7."""

REACH = 4.0
"""Extent of the grid beyond zero and the cutoff, in units of the smearing width; the part cut off is 1e-8."""


class PairFeatures:
    """Feature map of the pair kernel.

    The kernel of two structures with distances a and b is sum_ab f(a) f(b) exp(-(a - b)^2 / 2 l^2). A
    Gaussian is the convolution of two narrower ones, so with distances smeared by l / sqrt(2) and sampled
    on a fine grid it is a dot product. f fades pairs out below the cutoff as QUIP's ``distance_2b`` does.
    Each unordered pair of species has a block of its own.

    Parameters
    ----------
    options : PairShapeOptions
    species : sequence of int
        Atomic numbers, increasing.
    """

    def __init__(self, options: PairShapeOptions, species: Sequence[int]) -> None:
        self._options = options
        self._width = options.length / np.sqrt(2)
        step = SPACING * self._width
        self._grid = np.arange(-REACH * self._width, options.r_cut + REACH * self._width + step, step)
        count = len(species)
        self._blocks = count * (count + 1) // 2
        self._block = np.zeros((max(species) + 1, max(species) + 1), dtype=int)
        pairs = [(i, j) for i in range(count) for j in range(i, count)]
        for number, (i, j) in enumerate(pairs):
            self._block[species[i], species[j]] = self._block[species[j], species[i]] = number
        self.dimension = self._blocks * len(self._grid)

    def __call__(self, batch: Batch, k: int, centers: np.ndarray, multiplicity: np.ndarray) -> np.ndarray:
        """Compute the features of structure ``k``, not normalised.

        Parameters
        ----------
        centers, multiplicity : (n,) int
            Atoms that represent all, and the number that each represents.

        Returns
        -------
        (dimension,) float64
        """
        from matscipy.neighbours import neighbour_list

        span = slice(batch.offsets[k], batch.offsets[k + 1])
        numbers = batch.numbers[span]
        i, j, distance = neighbour_list(
            "ijd",
            cutoff=self._options.r_cut,
            positions=batch.positions[span],
            cell=batch.cells[k],
            pbc=batch.pbc[k],
            numbers=numbers,
        )
        weight = np.zeros(len(numbers))
        weight[centers] = multiplicity
        keep = weight[i] > 0
        i, j, distance = i[keep], j[keep], distance[keep]
        weight = weight[i] * fade(distance, self._options.r_cut, self._options.transition)
        smeared = weight[:, None] * np.exp(-((distance[:, None] - self._grid) ** 2) / (2 * self._width**2))
        features = np.zeros((self._blocks, len(self._grid)))
        block = self._block[numbers[i], numbers[j]]
        for number in range(self._blocks):
            features[number] = smeared[block == number].sum(axis=0)
        return features.ravel()


def fade(distance: np.ndarray, r_cut: float, transition: float) -> np.ndarray:
    """Return QUIP's cutoff function: 1 up to ``r_cut - transition``, then half a cosine down to 0 at ``r_cut``."""
    x = np.clip((distance - r_cut + transition) / transition, 0, 1)
    return 0.5 * (np.cos(np.pi * x) + 1)
