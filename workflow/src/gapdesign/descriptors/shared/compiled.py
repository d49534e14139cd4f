"""Loops over the neighbours of atoms, compiled: power spectra, and smeared distances of pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gapdesign.compiling import compiled, reordered
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch

LANES = 8
"""Neighbours are filled up to a multiple of this, so that sums over them are vector instructions to the end."""

ROOM = 33 * LANES
"""Neighbours that there is room for at first: an odd number of vectors, or else rows would share lines of the cache."""

_LEAST = -180.0
"""Exponent below which a Gaussian is nothing."""


class Crystals(NamedTuple):
    """What is needed of n structures with m atoms to find neighbours.

    Attributes
    ----------
    cells : (n, 3, 3)
        In angstrom; with a volume, also where a structure does not repeat.
    pbc : (n, 3) bool
    offsets : (n + 1,) int64
    positions : (m, 3)
    kinds : (m,) int64
        Place of each atom's element among those that are told apart.
    """

    cells: np.ndarray
    pbc: np.ndarray
    offsets: np.ndarray
    positions: np.ndarray
    kinds: np.ndarray

    @classmethod
    def of(cls, batch: Batch, species: Sequence[int]) -> Crystals:
        """Take them from a batch; elements that are told apart are atomic numbers, ascending.

        Raises
        ------
        InputError
            If it has other elements.
        """
        from ase.data import chemical_symbols
        from ase.geometry import complete_cell

        if others := sorted(set(batch.numbers.tolist()).difference(species)):
            names = " and ".join(chemical_symbols[z] for z in others)
            raise InputError(
                f"elements: structures hold {names}, which the study does not name; add it to its elements."
            )
        cells = batch.cells
        if len(flat := np.flatnonzero(~cells.any(axis=2).all(axis=1))):
            cells = cells.copy()
            cells[flat] = [complete_cell(cell) for cell in cells[flat]]
        arrays = (cells, batch.pbc, batch.offsets, batch.positions, np.searchsorted(species, batch.numbers))
        # Of one type each, since functions are compiled for types.
        types = (np.float64, np.bool_, np.int64, np.float64, np.int64)
        return cls(*(np.require(array, type_, "CW") for array, type_ in zip(arrays, types, strict=True)))


class Spectra(NamedTuple):
    """Power spectra in a basis of Gaussian-type orbitals.

    Attributes
    ----------
    r_cut
        Distance, in angstrom, up to which atoms count.
    kinds
        Number of kinds of atoms.
    one_kind
        Whether pairs of neighbours are told apart by the kind of one of them alone.
    exponents : (l_max + 1, n_max)
        Of the primitive functions e^(-a r^2), in 1/angstrom^2.
    orthonormal : (l_max + 1, n_max, n_max)
        Orthonormal radial functions (rows) as sums of the primitive ones.
    recursion : (2, l_max + 1, l_max + 1)
        Factors that make harmonics of (l, m) from those of (l - 1, m) and (l - 2, m), or (m, m) from nothing.
    factors : (l_max + 1,)
        Of the spectrum at every l.
    """

    r_cut: float
    kinds: int
    one_kind: bool
    exponents: np.ndarray
    orthonormal: np.ndarray
    recursion: np.ndarray
    factors: np.ndarray


class SmearedPairs(NamedTuple):
    """Distances of pairs, smeared by Gaussians.

    Attributes
    ----------
    r_cut, transition, width
        Largest distance, the width in which pairs fade out before it, and that of the Gaussians, in angstrom.
    grid : (g,)
        Distances at which the sum of Gaussians is taken, in angstrom.
    blocks : (s, s) int64
        Place of the block of two elements.
    """

    r_cut: float
    transition: float
    width: float
    grid: np.ndarray
    blocks: np.ndarray


def recursion(l_max: int) -> np.ndarray:
    """Return factors (2, l_max + 1, l_max + 1) of the recursion of orthonormal real solid harmonics."""
    factors = np.zeros((2, l_max + 1, l_max + 1))
    level, m = np.mgrid[: l_max + 1, : l_max + 1].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        rise = np.sqrt((4 * level**2 - 1) / (level**2 - m**2))
        fall = -rise * np.sqrt(((level - 1) ** 2 - m**2) / (4 * (level - 1) ** 2 - 1))
    factors[0], factors[1] = np.where(level > m, rise, 0), np.where(level > m + 1, fall, 0)
    steps = np.sqrt((2 * m[0, 1:] + 1) / (2 * m[0, 1:]))
    np.fill_diagonal(factors[0], np.cumprod([np.sqrt(1 / (4 * np.pi)), *steps]) * np.where(m[0] > 0, np.sqrt(2), 1))
    return factors


@compiled
def spectra_of(crystals, structures, atoms, basis, rows):
    """Put the power spectra of some ``atoms`` (m,) of some ``structures`` (m,) into ``rows`` (m, d)."""
    levels, n_max = basis.exponents.shape
    size, room = levels * levels, ROOM
    coefficients, total = np.empty((basis.kinds, n_max, size)), np.empty((n_max, size))
    bonds, kinds, neighbours = np.empty((room, 3)), np.empty(room, np.int64), np.empty((5, room))
    radial, powers, harmonics = np.empty((levels, n_max, room)), np.empty((2, room)), np.empty((size, room))
    sums = np.empty(n_max)
    for number in range(len(rows)):
        count = _neighbours(crystals, structures[number], atoms[number], basis.r_cut, bonds, kinds)
        if count > room:
            room = LANES * (2 * count // LANES | 1)
            bonds, kinds, neighbours = np.empty((room, 3)), np.empty(room, np.int64), np.empty((5, room))
            radial, powers, harmonics = np.empty((levels, n_max, room)), np.empty((2, room)), np.empty((size, room))
            count = _neighbours(crystals, structures[number], atoms[number], basis.r_cut, bonds, kinds)
        total[:] = 0
        for kind in range(basis.kinds):
            chosen = _chosen(bonds, kinds, count, kind, neighbours)
            _radial(neighbours, chosen, basis.exponents, radial)
            _harmonics(neighbours, chosen, basis.recursion, powers, harmonics)
            _sum(radial, harmonics, chosen, basis.orthonormal, sums, coefficients[kind])
            total += coefficients[kind]
        place = 0
        for kind in range(basis.kinds):
            if basis.one_kind:
                place = _multiply(coefficients[kind], total, False, basis.factors, rows[number], place)
            else:
                for other in range(kind, basis.kinds):
                    pair = coefficients[kind], coefficients[other]
                    place = _multiply(*pair, kind == other, basis.factors, rows[number], place)


@compiled
def pairs_of(crystals, structures, atoms, multiplicities, smeared, rows):
    """Add the smeared distances from some ``atoms`` (m,) of ``structures`` (m,) to ``rows`` (n, blocks, g)."""
    room, scale = ROOM, -1 / (2 * smeared.width**2)
    bonds, kinds = np.empty((room, 3)), np.empty(room, np.int64)
    for number in range(len(atoms)):
        k, atom = structures[number], atoms[number]
        count = _neighbours(crystals, k, atom, smeared.r_cut, bonds, kinds)
        if count > room:
            room = 2 * count
            bonds, kinds = np.empty((room, 3)), np.empty(room, np.int64)
            count = _neighbours(crystals, k, atom, smeared.r_cut, bonds, kinds)
        for other in range(1, count):  # the first is the atom itself
            x, y, z = bonds[other]
            distance = math.sqrt(x * x + y * y + z * z)
            faded = max((distance - smeared.r_cut + smeared.transition) / smeared.transition, 0.0)
            weight = multiplicities[number] * 0.5 * (math.cos(math.pi * faded) + 1)
            block = smeared.blocks[crystals.kinds[atom], kinds[other]]
            for place in range(len(smeared.grid)):
                apart = distance - smeared.grid[place]
                rows[k, block, place] += weight * _exponential(scale * apart * apart)


@compiled
def _neighbours(crystals, k, center, r_cut, bonds, kinds):
    """Find the atoms within ``r_cut`` of an atom of structure ``k``, and return their number; it is the first itself.

    Vectors to them are put into ``bonds`` (room, 3), and their kinds into ``kinds`` (room,), as far as there is room.
    """
    a, b, c = crystals.cells[k, 0], crystals.cells[k, 1], crystals.cells[k, 2]
    inverse = np.empty((3, 3))
    for row, p, q in ((0, b, c), (1, c, a), (2, a, b)):
        inverse[row, 0] = p[1] * q[2] - p[2] * q[1]
        inverse[row, 1] = p[2] * q[0] - p[0] * q[2]
        inverse[row, 2] = p[0] * q[1] - p[1] * q[0]
    inverse /= a[0] * inverse[0, 0] + a[1] * inverse[0, 1] + a[2] * inverse[0, 2]
    lowest, highest = np.zeros(3, np.int64), np.zeros(3, np.int64)
    bonds[0], kinds[0] = 0, crystals.kinds[center]
    count, room, largest = 1, len(bonds), r_cut * r_cut
    for other in range(crystals.offsets[k], crystals.offsets[k + 1]):
        x = crystals.positions[other, 0] - crystals.positions[center, 0]
        y = crystals.positions[other, 1] - crystals.positions[center, 1]
        z = crystals.positions[other, 2] - crystals.positions[center, 2]
        for axis in range(3):
            if crystals.pbc[k, axis]:
                u, v, w = inverse[axis, 0], inverse[axis, 1], inverse[axis, 2]
                middle, reach = -(x * u + y * v + z * w), r_cut * math.sqrt(u * u + v * v + w * w) + 1e-9
                lowest[axis], highest[axis] = math.ceil(middle - reach), math.floor(middle + reach)
        for na in range(lowest[0], highest[0] + 1):
            for nb in range(lowest[1], highest[1] + 1):
                for nc in range(lowest[2], highest[2] + 1):
                    dx = x + na * a[0] + nb * b[0] + nc * c[0]
                    dy = y + na * a[1] + nb * b[1] + nc * c[1]
                    dz = z + na * a[2] + nb * b[2] + nc * c[2]
                    if dx * dx + dy * dy + dz * dz <= largest and not (other == center and na == nb == nc == 0):
                        if count < room:
                            bonds[count, 0], bonds[count, 1], bonds[count, 2] = dx, dy, dz
                            kinds[count] = crystals.kinds[other]
                        count += 1
    return count


@compiled
def _chosen(bonds, kinds, count, kind, neighbours):
    """Put x, y, z, r^2 and 1 of the neighbours of a kind into ``neighbours`` (5, room), and return their number.

    They are filled up with zeros to a multiple of ``LANES``.
    """
    filled = 0
    for other in range(count):
        if kinds[other] == kind:
            x, y, z = bonds[other]
            neighbours[0, filled], neighbours[1, filled], neighbours[2, filled] = x, y, z
            neighbours[3, filled], neighbours[4, filled] = x * x + y * y + z * z, 1.0
            filled += 1
    whole = -(-filled // LANES) * LANES
    neighbours[:, filled:whole] = 0
    return whole


@compiled
def _exponential(x):
    """Return e^x for x <= 0, to some 1e-13 of it: a Taylor series at x / 64, squared six times."""
    y = max(x, _LEAST) * (1 / 64)
    y2 = y * y
    e = 1 + y + y2 * (
        (1 / 2 + y * (1 / 6)) + y2 * (
            (1 / 24 + y * (1 / 120)) + y2 * (
                (1 / 720 + y * (1 / 5040)) + y2 * ((1 / 40320 + y * (1 / 362880)) + y2 * (1 / 3628800)))))  # fmt: skip
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e * e


@compiled
def _radial(neighbours, count, exponents, radial):
    """Put the primitive radial functions of neighbours (5, count) into ``radial`` (l_max + 1, n_max, room)."""
    levels, n_max = exponents.shape
    for level in range(levels):
        for n in range(n_max):
            for other in range(count):
                radial[level, n, other] = _exponential(-exponents[level, n] * neighbours[3, other])


@compiled
def _harmonics(neighbours, count, recursion, powers, harmonics):
    """Put real solid harmonics r^l Y_lm of neighbours (5, count) into ``harmonics`` ((l_max + 1)^2, room)."""
    levels = recursion.shape[1]
    for other in range(count):
        powers[0, other], powers[1, other] = neighbours[4, other], 0.0
    for m in range(levels):
        if m:  # (x + iy)^m
            for other in range(count):
                x, y, u, v = neighbours[0, other], neighbours[1, other], powers[0, other], powers[1, other]
                powers[0, other], powers[1, other] = x * u - y * v, x * v + y * u
        for level in range(m, levels):
            place, before, first = level * (level + 1) + m, level * (level - 1) + m, (level - 1) * (level - 2) + m
            rise, fall = recursion[0, level, m], recursion[1, level, m]
            if level == m:
                for other in range(count):
                    harmonics[place, other] = rise
            elif level == m + 1:
                for other in range(count):
                    harmonics[place, other] = rise * neighbours[2, other] * harmonics[before, other]
            else:
                for other in range(count):
                    z, r2 = neighbours[2, other], neighbours[3, other]
                    up = rise * z * harmonics[before, other] + fall * r2 * harmonics[first, other]
                    harmonics[place, other] = up
        for level in range(m, levels):
            middle = level * (level + 1)
            if m:
                for other in range(count):
                    harmonics[middle - m, other] = powers[1, other] * harmonics[middle + m, other]
            for other in range(count):
                harmonics[middle + m, other] = powers[0, other] * harmonics[middle + m, other]


@reordered
def _sum(radial, harmonics, count, orthonormal, sums, coefficients):
    """Put sums over neighbours, for orthonormal radial functions, into ``coefficients`` (n_max, (l_max + 1)^2)."""
    levels, n_max = orthonormal.shape[:2]
    for level in range(levels):
        for lm in range(level * level, (level + 1) * (level + 1)):
            for n in range(n_max):
                total = 0.0
                for other in range(count):
                    total += radial[level, n, other] * harmonics[lm, other]
                sums[n] = total
            for n in range(n_max):
                total = 0.0
                for primitive in range(n_max):
                    total += orthonormal[level, n, primitive] * sums[primitive]
                coefficients[n, lm] = total


@reordered
def _multiply(first, second, same, factors, row, place):
    """Put sums over m of products of coefficients into ``row`` from a place on, and return the next place."""
    n_max = len(first)
    for level in range(len(factors)):
        for n in range(n_max):
            for other in range(n if same else 0, n_max):
                total = 0.0
                for lm in range(level * level, (level + 1) * (level + 1)):
                    total += first[n, lm] * second[other, lm]
                row[place] = factors[level] * total
                place += 1
    return place
