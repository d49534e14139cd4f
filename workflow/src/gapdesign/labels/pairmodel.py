"""A model of energies that is linear in its coefficients, quick to set up and the same on every machine.

Every atom has densities, sums of a radial function over its neighbours of an element; the energy is a sum of these
densities and of the square roots of those of all elements, as in Finnis and Sinclair (1984).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from ase import Atoms

CUTOFF = 6.0
"""Radius of a neighbourhood, in angstrom."""

NEAREST = 1.5
"""Centre of the first radial function, in angstrom."""

FUNCTIONS = 9
"""Radial functions."""


class PairModel:
    """Rows of energies, forces and virials of structures.

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers.
    """

    def __init__(self, elements: Sequence[int]) -> None:
        self._elements = sorted(elements)
        self._centres, step = np.linspace(NEAREST, CUTOFF, FUNCTIONS, endpoint=False, retstep=True)
        self._width = 0.8 * step
        kinds = len(self._elements)
        self.size = kinds * kinds * FUNCTIONS + kinds * FUNCTIONS

    def rows(self, atoms: Atoms) -> dict[str, np.ndarray]:
        """Return the rows of a structure of n atoms: energy (1, m), forces (3 n, m), virial (6, m) in eV."""
        from matscipy.neighbours import neighbour_list

        i, j, distance, vector = neighbour_list("ijdD", atoms, CUTOFF)
        value, slope = self._radial(distance)
        n, kinds = len(atoms), len(self._elements)
        places = np.searchsorted(self._elements, atoms.numbers)
        energy, forces = np.zeros((1, self.size)), np.zeros((3 * n, self.size))
        virial = np.zeros((6, self.size))
        along = vector / distance[:, None]
        strain = np.array([along[:, a] * vector[:, b] for a, b in VOIGT])
        pushes = _pushes(i, along, n) - _pushes(j, along, n)
        density = csr_array((np.ones(len(i)), (i, np.arange(len(i)))), shape=(n, len(i))) @ value
        root = np.sqrt(np.maximum(density, 1e-6))
        outer = 0.5 / root
        for centre in range(kinds):
            mine = places[i] == centre
            for other in range(kinds):
                span = self._span(centre * kinds + other)
                weights = slope * (mine & (places[j] == other))[:, None]
                energy[0, span] = value[mine & (places[j] == other)].sum(axis=0)
                forces[:, span], virial[:, span] = pushes @ weights, -strain @ weights
            span = self._span(kinds * kinds + centre)
            weights = slope * outer[i] * mine[:, None]
            energy[0, span] = root[places == centre].sum(axis=0)
            forces[:, span], virial[:, span] = pushes @ weights, -strain @ weights
        return {"energy": energy, "forces": forces, "virial": virial}

    def _span(self, number: int) -> slice:
        return slice(number * FUNCTIONS, (number + 1) * FUNCTIONS)

    def _radial(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the radial functions (n, k) and their derivatives, which end smoothly at the cutoff."""
        x = (distance[:, None] - self._centres) / self._width
        bump, falling = np.exp(-0.5 * x**2), -x / self._width
        y = distance[:, None] / CUTOFF
        fade, fading = (1 - y**2) ** 2, -4 * y * (1 - y**2) / CUTOFF
        return bump * fade, bump * (falling * fade + fading)


def _pushes(atoms: np.ndarray, along: np.ndarray, count: int) -> csr_array:
    """Return the components (3 count, n) of unit vectors (n, 3) on the atoms that they belong to."""
    places = (3 * atoms[:, None] + np.arange(3)).ravel()
    pairs = np.repeat(np.arange(len(atoms)), 3)
    return csr_array((along.ravel(), (places, pairs)), shape=(3 * count, len(atoms)))
