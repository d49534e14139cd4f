"""Distances to the nearest neighbours and nothing else: invariants that tell crystals apart without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.base import EnvironmentDescriptor

if TYPE_CHECKING:
    from gapdesign.structures import Batch

_CONSTANT = 0.5
"""Last component of a vector before it is scaled, in units of the root of the number of the others.

Without it, a crystal and the same crystal expanded would be one vector of unit length."""


class DistancesOptions(Options):
    """Options of the descriptor `distances`."""

    neighbours: int = Field(24, ge=1, le=500, description="Nearest neighbours of each element that count.")
    reach: float = Field(
        8.0,
        gt=0,
        le=30,
        description="Distance, in angstrom, at which all neighbours farther than that are taken to be.",
    )


class DistancesDescriptor(EnvironmentDescriptor):
    """Sorted distances of an atom to its nearest neighbours of each element, in units of the reach, and a constant.

    Their average over the atoms of a structure is the average minimum distance (AMD), here for each pair of elements,
    and all of them together are the pointwise distance distribution (PDD), which tells all crystals in general
    position apart. Angles are not seen but by distances.
    """

    name = "distances"
    summary = "distances to the nearest neighbours, without any model; to find what others do not see"
    Options = DistancesOptions
    seconds = 1e-4
    reference = (
        "D. Widdowson et al., Average minimum distances of periodic point sets, MATCH Communications in Mathematical"
        " and in Computer Chemistry 87, 529 (2022)",
        "10.46793/match.87-3.529W",
        "the distances of the selection",
    )

    @classmethod
    def dimension(cls, options: DistancesOptions, n_species: int) -> int:
        """Return the length of a vector: the neighbours of each element, and a constant."""
        return n_species * options.neighbours + 1

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        from matscipy.neighbours import neighbour_list

        atoms, options = batch.atoms(k), self.options
        first, second, distance = neighbour_list("ijd", atoms, options.reach)
        found = np.ones((len(centers), len(self.species), options.neighbours))
        order = np.lexsort((distance, first))
        first, distance, numbers = first[order], distance[order] / options.reach, atoms.numbers[second[order]]
        for row, center in enumerate(centers.tolist()):
            mine = slice(*np.searchsorted(first, [center, center + 1]))
            for column, z in enumerate(self.species):
                nearest = distance[mine][numbers[mine] == z][: options.neighbours]
                found[row, column, : len(nearest)] = nearest
        constant = np.full(len(centers), _CONSTANT * np.sqrt(len(self.species) * options.neighbours))
        return np.column_stack([found.reshape(len(centers), -1), constant])
