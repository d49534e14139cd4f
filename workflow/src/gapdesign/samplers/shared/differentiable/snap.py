"""Bispectrum components of SNAP (Thompson et al., J. Comput. Phys. 285, 316 (2015)), and their gradient.

Neighbours are put on the unit sphere in four dimensions, which is SU(2): a neighbour at distance r in the direction n
is the rotation g = cos(theta) + i sin(theta) n.sigma. The matrices of g in the representations of spin j, summed over
neighbours, are the expansion of the density; triple products of these, coupled by Clebsch-Gordan coefficients, do not
change under rotation. Spins are given as twice their value here, as in LAMMPS.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import factorial, prod, sqrt

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError


class SnapOptions(Options):
    """SNAP's bispectrum, at the radius of its potentials for tungsten."""

    r_cut: float = Field(4.73442, gt=0, description="Radius of an environment, in angstrom.")
    two_j_max: int = Field(
        8, ge=0, le=14, description="Twice the highest spin. Below the spins that are used, it only sets the order."
    )
    components: int = Field(6, ge=1, description="Number of components used, from the first in the order of LAMMPS.")
    angle: float = Field(
        0.99363, gt=0, lt=1, description="Rotation of an atom at the radius, as a share of a half turn (rfac0)."
    )


def couplings(two_j_max: int) -> list[tuple[int, int, int]]:
    """Return (2 j1, 2 j2, 2 j) of the bispectrum components in the order of LAMMPS."""
    return [
        (j1, j2, j)
        for j1 in range(two_j_max + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(two_j_max, j1 + j2) + 1, 2)
        if j >= j1
    ]


def clebsch_gordan(j1: int, j2: int, j: int) -> np.ndarray:
    """Return the coefficients (j1 + 1, j2 + 1) of the states a of j1 and b of j2, from 0, in the state of j they make.

    Racah's formula: Varshalovich et al., Quantum Theory of Angular Momentum, equation 8.2.1(3).
    """
    coefficients = np.zeros((j1 + 1, j2 + 1))
    lost = (j1 + j2 - j) // 2
    triangle = _factorials(lost, j1 - lost, j2 - lost) / factorial((j1 + j2 + j) // 2 + 1)
    for a, b in np.ndindex(coefficients.shape):
        m = a + b - lost
        if 0 <= m <= j:
            norm = sqrt((j + 1) * triangle * _factorials(a, j1 - a, b, j2 - b, m, j - m))
            terms = range(max(0, lost - a, lost + b - j2), min(lost, j1 - a, b) + 1)
            coefficients[a, b] = norm * sum(
                (-1) ** k / _factorials(k, lost - k, j1 - a - k, b - k, a - lost + k, j2 - lost - b + k) for k in terms
            )
    return coefficients


def _factorials(*numbers: int) -> int:
    return prod(map(factorial, numbers))


class Snap:
    """Bispectrum components of SNAP: every element alike with weight 1, the central atom counted.

    The expansion is a matrix with one row per element D[k', k] of the representations of spins 0, 1, 2, ... (twice the
    spin; k counts states from 0) and one column per atom or pair of neighbours.

    Raises
    ------
    InputError
        If there are fewer components than requested.
    """

    def __init__(self, options: SnapOptions) -> None:
        known = couplings(options.two_j_max)
        if options.components > len(known):
            raise InputError(
                f"pools.entropy.descriptor.snap.components: there are {len(known)} components up to two_j_max:"
                f" {options.two_j_max}; request that many or fewer, or raise two_j_max."
            )
        self._options = options
        used = known[: options.components]
        self._largest = max(j for _, _, j in used)
        elements = [(n, *at) for n in range(self._largest + 1) for at in np.ndindex(n + 1, n + 1)]
        self._of_atom_itself = np.array([[float(row == k)] for _, row, k in elements])
        self._magnetic = np.array([[k - n / 2] for n, _, k in elements])
        self._ladder = np.array([[sqrt((n - k) * (k + 1))] for n, _, k in elements])
        self._first_terms, self._factors, self._triples = _terms(used, {e: at for at, e in enumerate(elements)})
        places = self._triples.ravel()
        self._by_place = np.argsort(places, kind="stable")
        self._places, self._first_of_place = np.unique(places[self._by_place], return_index=True)

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Describe the atoms; see :class:`~.differentiable.Differentiable`."""
        pairs = _Pairs(atoms, self._options)
        return self._components(self._expand(pairs, pairs.representations(self._largest))).T

    def pullback(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Describe the atoms and differentiate; see :class:`~.differentiable.Differentiable`."""
        pairs = _Pairs(atoms, self._options)
        matrices = pairs.representations(self._largest)
        expansion = self._expand(pairs, matrices)

        def pull(slope: np.ndarray) -> np.ndarray:
            return self._pull(pairs, matrices, self._slope_of_expansion(expansion, slope.T))

        return self._components(expansion).T, pull

    def _expand(self, pairs: _Pairs, matrices: np.ndarray) -> np.ndarray:
        return self._of_atom_itself + pairs.sum_by_centre(pairs.weight * matrices)

    def _components(self, u: np.ndarray) -> np.ndarray:
        """Return B (m, n) of expansions u (l, n)."""
        p, q, r = self._triples
        return np.add.reduceat((self._factors * u[p].conj() * u[q] * u[r]).real, self._first_terms, axis=0)

    def _slope_of_expansion(self, u: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return G (l, n) of dF = Re sum G du, from dF/dB (m, n)."""
        p, q, r = self._triples
        lengths = np.diff(self._first_terms, append=len(p))
        scaled = self._factors * np.repeat(slope, lengths, axis=0)
        a, b, c = u[p].conj(), u[q], u[r]
        parts = np.concatenate([scaled * (b * c).conj(), scaled * a * c, scaled * a * b])
        found = np.zeros_like(u)
        found[self._places] = np.add.reduceat(parts[self._by_place], self._first_of_place, axis=0)
        return found

    def _pull(self, pairs: _Pairs, d: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return dF/dr (n, 3): a turn of g by epsilon changes D by i D epsilon.J, J the angular momentum."""
        slope = slope[:, pairs.centre]
        same = slope * d
        up = (self._ladder[:-1] * slope[:-1] * d[1:]).sum(axis=0)
        down = (self._ladder[:-1] * slope[1:] * d[:-1]).sum(axis=0)
        turned = -(self._magnetic * same.imag).sum(axis=0)
        torque = np.stack([-0.5 * (up + down).imag, 0.5 * (up - down).real, turned])
        return pairs.gradient(same.real.sum(axis=0), torque)


def _terms(
    used: list[tuple[int, int, int]], place: dict[tuple[int, int, int], int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B = sum of factor x conj(u_p) u_q u_r: the first term of each component, all factors (t, 1), (p, q, r) (3, t)."""
    firsts, factors, triples = [], [], []
    for j1, j2, j in used:
        firsts.append(len(factors))
        coefficients, lost = clebsch_gordan(j1, j2, j), (j1 + j2 - j) // 2
        for (a, b), (c, d) in product(np.argwhere(coefficients).tolist(), repeat=2):
            factors.append([coefficients[a, b] * coefficients[c, d]])
            triples.append([place[j, a + b - lost, c + d - lost], place[j1, a, c], place[j2, b, d]])
    return np.array(firsts), np.array(factors), np.array(triples).T


class _Pairs:
    """Neighbours of every atom as rotations g = cos(theta) + i sin(theta) n.sigma, and their weight f(r)."""

    def __init__(self, atoms: Atoms, options: SnapOptions) -> None:
        from matscipy.neighbours import neighbour_list

        self.centre, self._other, self._distance, vector = neighbour_list("ijdD", atoms, options.r_cut)
        self._atoms = len(atoms)
        self._direction = vector.T / self._distance
        turn = np.pi / options.r_cut
        self._turning = options.angle * turn
        self._cos, self._sin = np.cos(self._turning * self._distance), np.sin(self._turning * self._distance)
        self.weight = 0.5 + 0.5 * np.cos(turn * self._distance)
        self._weight_slope = -0.5 * turn * np.sin(turn * self._distance)

    def representations(self, largest: int) -> np.ndarray:
        """Return D (l, p) of all spins up to ``largest``, each from the one before: j couples j - 1/2 and 1/2."""
        x, y, z = self._direction * self._sin
        (dd, du), (ud, uu) = (self._cos - 1j * z, 1j * x - y), (1j * x + y, self._cos + 1j * z)
        before = np.ones((1, 1, len(self._distance)), dtype=complex)
        found = [before[0]]
        for n in range(1, largest + 1):
            up = np.sqrt(np.arange(1, n + 1) / n)
            down = up[::-1]
            now = np.zeros((n + 1, n + 1, len(self._distance)), dtype=complex)
            for rows, of_row, pair in ((slice(1, None), up, (ud, uu)), (slice(None, -1), down, (dd, du))):
                now[rows, :-1] += (of_row[:, None] * down)[:, :, None] * before * pair[0]
                now[rows, 1:] += (of_row[:, None] * up)[:, :, None] * before * pair[1]
            found.append(now.reshape((n + 1) ** 2, -1))
            before = now
        return np.concatenate(found)

    def sum_by_centre(self, values: np.ndarray) -> np.ndarray:
        """Return sums (l, n) over the neighbours of each atom, in one order."""
        # A column of zeros at the end serves atoms after the last neighbour; reduceat returns the next value for an
        # atom without neighbours.
        first = np.searchsorted(self.centre, np.arange(self._atoms + 1))
        padded = np.concatenate([values, np.zeros((len(values), 1))], axis=1)
        return np.add.reduceat(padded, first[:-1], axis=1) * (np.diff(first) > 0)

    def gradient(self, value: np.ndarray, torque: np.ndarray) -> np.ndarray:
        """Return dF/dr (n, 3) from dF/df and dF/depsilon of every pair, the latter divided by its weight.

        A step dr turns g by epsilon = 2 [n dtheta + sin cos dn + sin^2 n x dn], with dn = (dr - n n.dr) / r.
        """
        n = self._direction
        along = (torque * n).sum(axis=0)
        across = self._cos * (torque - along * n) + self._sin * np.cross(torque, n, axis=0)
        turned = 2 * self.weight * (self._turning * along * n + self._sin / self._distance * across)
        step = self._weight_slope * value * n + turned
        return np.stack(
            [
                np.bincount(self._other, part, minlength=self._atoms)
                - np.bincount(self.centre, part, minlength=self._atoms)
                for part in step
            ],
            axis=1,
        )
