"""Functions of the atomic cluster expansion and their derivatives, from the arrays of a model file of ace-jax.

Drautz, Phys. Rev. B 99, 014104 (2019); radial functions and couplings are those of ACEpotentials.jl, Witt et al., J.
Chem. Phys. 159, 164101 (2023). Around an atom i, with the neighbours j and a = (n, l, m),

    A_ia = sum_j R_nl(r_ij) Y_lm,    B_i = C (products of A_ia),    E_i = E0 + c . B_i.

Nothing is compiled, so a process evaluates its first structure at once, and the environments of one structure alone
decide its bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import factorial, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from ase import Atoms

TOGETHER = 16
"""Atoms whose functions are differentiated at once, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class Edges:
    """The neighbours of some atoms of a structure.

    Attributes
    ----------
    centres : (k,) int
        The atoms.
    starts : (k + 1,) int
        Edges of atom k are ``starts[k]:starts[k + 1]`` of the rest.
    inner, outer : (e,) int
        Positions of the two elements of an edge in the basis.
    others : (e,) int
        Indices of the neighbours.
    vectors : (e, 3)
        From the atom to its neighbour, in angstrom.
    """

    centres: np.ndarray
    starts: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    others: np.ndarray
    vectors: np.ndarray

    def pooled(self, values: np.ndarray) -> np.ndarray:
        """Sum values (e, ...) over the neighbours of each atom."""
        total = np.zeros((len(self.centres), *values.shape[1:]))
        there = self.starts[1:] > self.starts[:-1]
        if there.any():
            total[there] = np.add.reduceat(values, self.starts[:-1][there])
        return total


@dataclass(frozen=True, eq=False)
class Basis:
    """A basis of ace-jax, with analytic radial functions and spherical harmonics.

    Attributes
    ----------
    arrays
        What a model file of ace-jax holds, by name, without coefficients.
    species
        Atomic numbers.
    r_cut
        Radius of an environment, in angstrom.
    l_max
        Largest angular momentum of a factor.
    """

    arrays: Mapping[str, np.ndarray]
    species: tuple[int, ...]
    r_cut: float
    l_max: int

    @property
    def width(self) -> int:
        """Number of functions around an atom."""
        return int(self.arrays["A2B_shape"][0])

    @property
    def size(self) -> int:
        """Number of coefficients: every function has one for each element of the central atom."""
        return self.width * len(self.species)

    @property
    def roughness(self) -> np.ndarray:
        """Roughness (size,) of the functions: the sum of n^4 + (1.5 l)^4 over their factors."""
        return self.arrays["gamma"][: self.size]

    @cached_property
    def coupling(self) -> csr_array:
        """Coefficients (functions, products) of the products in the functions."""
        entries = self.arrays["A2B_vals"], (self.arrays["A2B_rows"], self.arrays["A2B_cols"])
        return csr_array(entries, shape=tuple(self.arrays["A2B_shape"].tolist()))

    @cached_property
    def products(self) -> list[np.ndarray]:
        """Factors (products, order) of the products, by order."""
        orders = sorted(int(name.removeprefix("aa_spec_")) for name in self.arrays if name.startswith("aa_spec_"))
        return [self.arrays[f"aa_spec_{order}"].astype(np.intp) for order in orders]

    @cached_property
    def _remainders(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of each product and each of its factors: the product, that factor, and the others (..., order - 1)."""
        parts, first = [], 0
        for factors in self.products:
            number = np.arange(first, first + len(factors))
            for place in range(factors.shape[1]):
                parts.append((number, factors[:, place], np.delete(factors, place, axis=1)))
            first += len(factors)
        return parts

    @cached_property
    def _slopes(self) -> csr_array:
        """Matrix from products without one factor to derivatives (functions x factors) of the functions."""
        coupling, count = self.coupling.tocsc(), len(self.arrays["aspec_r"])
        rows, columns, values, first = [], [], [], 0
        for number, factor, _ in self._remainders:
            part = coupling[:, number].tocoo()
            rows.append(part.row * count + factor[part.col])
            columns.append(first + part.col)
            values.append(part.data)
            first += len(number)
        entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
        return csr_array(entries, shape=(self.width * count, first))

    @cached_property
    def _left_out(self) -> csr_array:
        """Matrix (products without one factor, a) with a one where a factor was left out."""
        factors = np.concatenate([factor for _, factor, _ in self._remainders])
        entries = np.ones(len(factors)), (np.arange(len(factors)), factors)
        return csr_array(entries, shape=(len(factors), len(self.arrays["aspec_r"])))

    def edges(self, atoms: Atoms) -> Iterator[Edges]:
        """Yield the neighbours of the atoms of a structure, some atoms at a time."""
        from matscipy.neighbours import neighbour_list

        kinds = np.searchsorted(self.species, atoms.numbers)
        # A cell with missing vectors is singular, and matscipy inverts it even where nothing is periodic.
        i, j, vectors = neighbour_list(
            "ijD", positions=atoms.positions, cell=atoms.cell.complete()[:], pbc=atoms.pbc, cutoff=self.r_cut
        )
        starts = np.searchsorted(i, np.arange(len(atoms) + 1))
        for first in range(0, len(atoms), TOGETHER):
            centres = np.arange(first, min(first + TOGETHER, len(atoms)))
            own = slice(starts[centres[0]], starts[centres[-1] + 1])
            ends = starts[first : first + len(centres) + 1] - own.start
            yield Edges(centres, ends, kinds[i[own]], kinds[j[own]], j[own], vectors[own])

    def factors(self, edges: Edges) -> tuple[np.ndarray, np.ndarray]:
        """Return the terms of A (e, a), and their derivatives (e, a, 3) by the places of the neighbours."""
        lengths = np.sqrt((edges.vectors**2).sum(axis=1))
        radial, slopes = self.radial(lengths, edges.inner, edges.outer)
        directions = edges.vectors / lengths[:, None]
        harmonics, gradients = spherical_harmonics(directions, self.l_max)
        n, lm = self.arrays["aspec_r"], self.arrays["aspec_y"]
        own, angular = radial[:, n], harmonics[:, lm]
        along = (slopes[:, n] * angular)[:, :, None] * directions[:, None, :]
        return own * angular, along + (own / lengths[:, None])[:, :, None] * gradients[:, lm]

    def multiplied(self, factors: np.ndarray) -> np.ndarray:
        """Return the products (k, products) of the factors A (k, a)."""
        return np.hstack([factors[:, own].prod(axis=2) for own in self.products])

    def remainders(self, factors: np.ndarray) -> np.ndarray:
        """Return all products without one of their factors (k, ...), from the factors A (k, a)."""
        return np.hstack([factors[:, others].prod(axis=2) for _, _, others in self._remainders])

    def derivatives(self, factors: np.ndarray) -> np.ndarray:
        """Return the derivatives (k, functions, a) of the functions by the factors A (k, a)."""
        found = self._slopes @ self.remainders(factors).T
        return found.T.reshape(len(factors), self.width, -1)

    def pulled(self, factors: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the derivatives (k, a) of sums of products, with weights (k, products), by the factors A (k, a)."""
        numbers = np.concatenate([number for number, _, _ in self._remainders])
        return (self.remainders(factors) * weights[:, numbers]) @ self._left_out

    def radial(self, lengths: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the radial functions (e, n) at distances (e,), and their derivatives."""
        weights = self.arrays["rnl_Wnlq"]
        found = np.zeros((2, len(lengths), weights.shape[2]))
        for one in range(len(self.species)):
            for other in range(len(self.species)):
                own = np.flatnonzero((inner == one) & (outer == other))
                found[:, own] = np.stack(self._polynomials(lengths[own], one, other)) @ weights[one, other].T
        return found[0], found[1]

    def _polynomials(self, lengths: np.ndarray, one: int, other: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the polynomials times their envelope (e, q) for a pair of elements, and their derivatives."""
        p, q, a, r_in, r_0, y_in, y_cut = self.arrays["rnl_transform"][one, other]
        s = (lengths - r_in) / (r_0 - r_in)
        below = 1 + s ** (q - p)
        y = 1 / (1 + a * s**q / below)
        fall = -(y**2) * a * (q * s ** (q - 1) * below - s**q * (q - p) * s ** (q - p - 1)) / below**2
        x, slope = 2 * (y - y_in) / (y_cut - y_in) - 1, 2 * fall / ((y_cut - y_in) * (r_0 - r_in))
        low, high, rise, drop, scale = self.arrays["rnl_envelope"][one, other]
        envelope = scale * (x - low) ** rise * (high - x) ** drop
        change = rise * (x - low) ** (rise - 1) * (high - x) ** drop - drop * (x - low) ** rise * (high - x) ** (
            drop - 1
        )
        values, slopes = _recursion(x, *(self.arrays[f"polys_{name}"] for name in "ABC"))
        within = lengths < self.r_cut
        return (
            np.where(within, envelope * values, 0.0).T,
            np.where(within, slope * (scale * change * values + envelope * slopes), 0.0).T,
        )


def _recursion(x: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return orthogonal polynomials (q, e) by their three-term recursion, and their derivatives."""
    values, slopes = np.zeros((2, len(a), len(x)))
    values[0] = a[0]
    values[1:2], slopes[1:2] = a[1:2, None] * x + b[1:2, None], a[1:2, None]
    for k in range(2, len(a)):
        line = a[k] * x + b[k]
        values[k] = line * values[k - 1] + c[k] * values[k - 2]
        slopes[k] = a[k] * values[k - 1] + line * slopes[k - 1] + c[k] * slopes[k - 2]
    return values, slopes


def spherical_harmonics(directions: np.ndarray, l_max: int) -> tuple[np.ndarray, np.ndarray]:
    """Return real spherical harmonics (e, (l_max + 1)^2) of unit vectors in the order l^2 + l + m, and their gradients.

    They are orthonormal, without the Condon-Shortley phase. Gradients (..., 3) are those on the sphere: at the distance
    r they are 1 / r of it.
    """
    values, gradients = solid_harmonics(directions, l_max)
    momenta = np.repeat(np.arange(l_max + 1), 2 * np.arange(l_max + 1) + 1)
    return values, gradients - (momenta * values)[:, :, None] * directions[:, None, :]


def solid_harmonics(vectors: np.ndarray, l_max: int) -> tuple[np.ndarray, np.ndarray]:
    """Return real solid harmonics r^l Y_lm (e, (l_max + 1)^2), and their gradients (..., 3)."""
    x, y, z = vectors.T
    square = (vectors**2).sum(axis=1)
    powers = (x + 1j * y)[None] ** np.arange(l_max + 1)[:, None]
    values = np.zeros((len(vectors), (l_max + 1) ** 2))
    gradients = np.zeros((*values.shape, 3))
    # Legendre functions over sin^m, times r^(l - m): polynomials in z and r^2.
    legendre: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    nothing = np.zeros_like(vectors)
    for m in range(l_max + 1):
        odd = np.prod(np.arange(1, 2 * m, 2), dtype=float)
        legendre[m, m] = np.full(len(vectors), odd), nothing
        for momentum in range(m + 1, l_max + 1):
            last, slope = legendre[momentum - 1, m]
            before, earlier = legendre.get((momentum - 2, m), (np.zeros(len(vectors)), nothing))
            first, second = (2 * momentum - 1) / (momentum - m), (momentum + m - 1) / (momentum - m)
            change = first * z[:, None] * slope - second * square[:, None] * earlier
            change = change - 2 * second * before[:, None] * vectors
            change[:, 2] += first * last
            legendre[momentum, m] = first * z * last - second * square * before, change
    for (momentum, m), (own, change) in legendre.items():
        ratio = (2 * momentum + 1) / (4 * pi) * factorial(momentum - m) / factorial(momentum + m)
        norm, middle = sqrt(ratio * (2 if m else 1)), momentum * (momentum + 1)
        lower = m * powers[m - 1] if m else np.zeros(len(vectors), complex)
        for place, part, along in (
            (middle + m, powers[m].real, (lower.real, -lower.imag)),
            *([(middle - m, powers[m].imag, (lower.imag, lower.real))] if m else []),
        ):
            values[:, place] = norm * own * part
            gradients[:, place] = norm * part[:, None] * change
            gradients[:, place, 0] += norm * own * along[0]
            gradients[:, place, 1] += norm * own * along[1]
    return values, gradients
