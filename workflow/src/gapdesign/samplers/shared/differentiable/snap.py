"""Bispectrum components of SNAP (Thompson et al., J. Comput. Phys. 285, 316 (2015)), and their gradient.

Those of several elements are of Cusentino, Wood and Thompson, J. Phys. Chem. A 124, 5456 (2020), `chem` in LAMMPS.

Neighbours are put on the unit sphere in four dimensions, which is SU(2): a neighbour at distance r in the direction n
is the rotation g = cos(theta) + i sin(theta) n.sigma. The matrices of g in the representations of spin j, summed over
neighbours, are the expansion of the density; triple products of these, coupled by Clebsch-Gordan coefficients, do not
change under rotation. Spins are given as twice their value here, as in LAMMPS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import factorial, prod, sqrt
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.samplers.shared import compiled


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
    """Bispectrum components of SNAP, each neighbour with weight 1, the central atom counted.

    The expansion of a density has one row per atom, and one column per element D[r, c] of the representations of spins
    0, 1, 2, ... (twice the spin; r and c count states from 0), of rows up to the middle one.

    Parameters
    ----------
    options : SnapOptions
    numbers : sequence of int
        Atomic numbers. If there are several, each has a density of its own, and there are the components for every
        choice of three densities, in the order of LAMMPS; otherwise all atoms are alike.

    Raises
    ------
    InputError
        If there are fewer components than requested, or atoms of another element.
    """

    def __init__(self, options: SnapOptions, numbers: Sequence[int] = ()) -> None:
        from gapdesign.samplers.shared.compiled import Couplings, Expansion

        known = couplings(options.two_j_max)
        if options.components > len(known):
            raise InputError(
                f"pools.entropy.descriptor.snap.components: there are {len(known)} components up to two_j_max:"
                f" {options.two_j_max}; request that many or fewer, or raise two_j_max."
            )
        self._r_cut = options.r_cut
        self._numbers = np.unique(np.array(numbers, int)) if len(numbers) > 1 else np.zeros(1, int)
        used = known[: options.components]
        elements = [(n, *at) for n in range(max(j for _, _, j in used) + 1) for at in np.ndindex(n + 1, n + 1)]
        kept = [(n, r, c) for n, r, c in elements if 2 * r <= n]
        place = {element: at for at, element in enumerate(kept)}
        self._of_atom_itself = np.array([complex(r == c) for _, r, c in kept])
        self._magnetic = np.array([c - n / 2 for n, _, c in kept])
        self._ladder = np.array([sqrt((n - c) * (c + 1)) for n, _, c in kept])
        self._expansion = Expansion(options.r_cut, options.angle * np.pi / options.r_cut, *_recursion(place))
        mirror = [place[n, r, c] if 2 * r <= n else place[n, n - r, n - c] for n, r, c in elements]
        sign = [0.0 if 2 * r <= n else (-1.0) ** (r - c) for n, r, c in elements]
        terms = _terms(used, {element: at for at, element in enumerate(elements)}, alike=len(self._numbers) == 1)
        self._couplings = Couplings(np.array(mirror), np.array(sign), *terms)
        self._components = len(used) * len(self._numbers) ** 3

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Describe the atoms; see :class:`~.differentiable.Differentiable`."""
        return self._describe(atoms)[0]

    def pullback(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Describe the atoms and differentiate; see :class:`~.differentiable.Differentiable`."""
        from gapdesign.samplers.shared import compiled

        values, u, d, pairs = self._describe(atoms)

        def pull(slope: np.ndarray) -> np.ndarray:
            g, found = np.zeros_like(u), np.zeros((len(u), 3))
            compiled.slopes(u, self._couplings, slope, g)
            compiled.gradient(pairs, self._expansion, self._magnetic, self._ladder, self._kinds(atoms), d, g, found)
            return found

        return values, pull

    def _kinds(self, atoms: Atoms) -> np.ndarray:
        """Return the density (n,) to which each atom belongs."""
        if len(self._numbers) == 1:
            return np.zeros(len(atoms), int)
        unknown = set(atoms.symbols[~np.isin(atoms.numbers, self._numbers)])
        if unknown:
            known = ", ".join(chemical_symbols[number] for number in self._numbers)
            raise InputError(f"pools.entropy.descriptor.snap: made for {known}, and not for {', '.join(unknown)}.")
        return np.searchsorted(self._numbers, atoms.numbers)

    def _describe(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray, compiled.Pairs]:
        """Return components (n, m), expansions (n, e, l), representations (p, l), and the pairs they are made of."""
        from gapdesign.samplers.shared import compiled

        pairs, kinds = compiled.neighbours(atoms, self._r_cut), self._kinds(atoms)
        u = np.zeros((len(atoms), len(self._numbers), len(self._of_atom_itself)), dtype=complex)
        u[np.arange(len(atoms)), kinds] = self._of_atom_itself
        d = np.empty((len(pairs.first), len(self._of_atom_itself)), dtype=complex)
        compiled.expand(pairs, self._expansion, kinds, d, u)
        values = np.zeros((len(atoms), self._components))
        compiled.components(u, self._couplings, values)
        return values, u, d, pairs


def _recursion(place: dict[tuple[int, int, int], int]) -> tuple[np.ndarray, np.ndarray]:
    """Return what each element is made of (3, l), and the factors (2, l); see :class:`compiled.Expansion`.

    Row r of D, n being twice the spin, holds the coefficients of the polynomial (g x)_0^(n - r) (g x)_1^r in x_0 and
    x_1, scaled by roots of binomials. It is row r of n - 1 times (g x)_0, and also row r - 1 times (g x)_1.
    """
    sources, factors = np.zeros((3, len(place)), dtype=np.int64), np.zeros((2, len(place)))
    for (n, r, c), at in place.items():
        if n:
            of_g = int(2 * r == n)
            from_row, norm = (r - 1, r) if of_g else (r, n - r)
            sources[:, at] = place.get((n - 1, from_row, c), 0), place.get((n - 1, from_row, c - 1), 0), of_g
            factors[:, at] = sqrt((n - c) / norm), sqrt(c / norm)
    return sources, factors


def _terms(
    used: list[tuple[int, int, int]], place: dict[tuple[int, int, int], int], *, alike: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B = sum of factor x Re conj(u_p) u_q u_r: the component of each term (t,), its factor (t,), and p, q, r (t, 3).

    Terms of rows after the middle one of p are the conjugates of those before it, which count twice instead. If q and r
    are of one density, ``alike``, terms that differ in their order are added.
    """
    factors: dict[tuple[int, int, int, int], float] = {}
    for component, (j1, j2, j) in enumerate(used):
        coefficients, lost = clebsch_gordan(j1, j2, j), (j1 + j2 - j) // 2
        for (a, b), (c, d) in product(np.argwhere(coefficients).tolist(), repeat=2):
            row = a + b - lost
            if 2 * row <= j:
                pair = place[j1, a, c], place[j2, b, d]
                term = (component, place[j, row, c + d - lost], *(sorted(pair) if alike else pair))
                factor = coefficients[a, b] * coefficients[c, d] * (1 if 2 * row == j else 2)
                factors[term] = factors.get(term, 0.0) + factor
    table = np.array(list(factors))
    return table[:, 0].copy(), np.array(list(factors.values())), table[:, 1:].copy()
