"""Pair distances as features whose dot product is the Gaussian kernel summed over all pairs of distances."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.kernel import PairShapeOptions

if TYPE_CHECKING:
    from gapdesign.descriptors.base import Centers
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
        self._species, count = tuple(species), len(species)
        self._blocks = count * (count + 1) // 2
        self._block = np.zeros((count, count), dtype=np.int64)
        for number, (i, j) in enumerate(itertools.combinations_with_replacement(range(count), 2)):
            self._block[i, j] = self._block[j, i] = number
        self.dimension = self._blocks * len(self._grid)

    def __call__(self, batch: Batch, centers: Centers) -> np.ndarray:
        """Compute the features of n structures, not normalised.

        Parameters
        ----------
        batch : Batch
        centers : Centers
            Atoms that represent all.

        Returns
        -------
        (n, dimension) float64
        """
        from gapdesign.descriptors.shared.compiled import Crystals, SmearedPairs, pairs_of

        smeared = SmearedPairs(self._options.r_cut, self._options.transition, self._width, self._grid, self._block)
        features = np.zeros((len(batch), self._blocks, len(self._grid)))
        crystals = Crystals.of(batch, self._species)
        pairs_of(crystals, centers.structures, centers.atoms, centers.multiplicities, smeared, features)
        return features.reshape(len(batch), self.dimension)


def fade(distance: np.ndarray, r_cut: float, transition: float) -> np.ndarray:
    """Return QUIP's cutoff function: 1 up to ``r_cut - transition``, then half a cosine down to 0 at ``r_cut``."""
    x = np.clip((distance - r_cut + transition) / transition, 0, 1)
    return 0.5 * (np.cos(np.pi * x) + 1)
