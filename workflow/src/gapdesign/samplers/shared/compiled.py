"""Compiled loops of the sampler `entropy`: neighbours, SNAP's bispectrum, repulsion, nearest descriptors.

Sums are taken in the order of the text, and operations are not contracted: bits do not depend on the processor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gapdesign.compiling import compiled

if TYPE_CHECKING:
    from ase import Atoms


class Pairs(NamedTuple):
    """Pairs of neighbours, each from both ends.

    Attributes
    ----------
    first, second : (p,) int64
        The atoms; ``first`` ascends.
    distance : (p,)
        In angstrom.
    vector : (p, 3)
        From the first to the second, in angstrom.
    """

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    vector: np.ndarray


class Expansion(NamedTuple):
    """Recursion of the representations D of a rotation, and the functions of a neighbour's distance.

    Kept elements of D are rows up to the middle one of each spin; the others follow from
    D[n - r, n - c] = (-1)^(r - c) conj(D[r, c]), n being twice the spin.

    Attributes
    ----------
    r_cut, turning
        Radius of an environment in angstrom; rotation by a neighbour in rad/angstrom.
    sources : (3, l) int64
        Of each kept element, those of the spin before that it is made from, and the row of g that multiplies them.
    factors : (2, l)
        Factors of the two sources.
    """

    r_cut: float
    turning: float
    sources: np.ndarray
    factors: np.ndarray


class Couplings(NamedTuple):
    """Components as sums of products factor x Re conj(u_p) u_q u_r of elements of all rows.

    Attributes
    ----------
    mirror : (L,) int64
        Place of each element [r, c] among the kept ones, or that of [n - r, n - c] where the row is not kept.
    sign : (L,)
        0 for a kept element, else (-1)^(r - c).
    component : (t,) int64
        The component to which each product belongs.
    factors : (t,)
    triples : (t, 3) int64
        p, q and r; with several elements in a density of their own each, there is a component for each choice of three.
    """

    mirror: np.ndarray
    sign: np.ndarray
    component: np.ndarray
    factors: np.ndarray
    triples: np.ndarray


def neighbours(atoms: Atoms, r_cut: float) -> Pairs:
    """Find the neighbours of all atoms within a radius in angstrom, by first atom.

    All pairs of atoms are tried: for less than some 300 atoms that takes less time than sorting them into boxes.
    """
    cell = atoms.cell if atoms.pbc.all() else atoms.cell.complete()
    room = 32 * len(atoms)
    while True:
        first, second, distance, vector = np.empty(room, int), np.empty(room, int), np.empty(room), np.empty((room, 3))
        count = _neighbours(atoms.positions, cell.array, atoms.pbc, r_cut, first, second, distance, vector)
        if count <= room:
            return Pairs(first[:count], second[:count], distance[:count], vector[:count])
        room = count


@compiled
def _neighbours(positions, cell, pbc, r_cut, first, second, distance, vector):
    """Put pairs into the last four arguments as far as there is room, and return their number."""
    n, room, count = len(positions), len(first), 0
    inverse, reach, shares = np.empty((3, 3)), np.full(3, 0.5), np.zeros((3, n))
    for axis in range(3):
        p, q = cell[(axis + 1) % 3], cell[(axis + 2) % 3]
        inverse[axis, 0] = p[1] * q[2] - p[2] * q[1]
        inverse[axis, 1] = p[2] * q[0] - p[0] * q[2]
        inverse[axis, 2] = p[0] * q[1] - p[1] * q[0]
    inverse /= cell[0, 0] * inverse[0, 0] + cell[0, 1] * inverse[0, 1] + cell[0, 2] * inverse[0, 2]
    for axis in range(3):
        if pbc[axis]:
            u, v, w = inverse[axis]
            reach[axis] = r_cut * math.sqrt(u * u + v * v + w * w) + 1e-9
            for i in range(n):
                shares[axis, i] = u * positions[i, 0] + v * positions[i, 1] + w * positions[i, 2]
    of_a, of_b, of_c = reach
    for i in range(n):
        for j in range(n):
            a, b, c = shares[0, i] - shares[0, j], shares[1, i] - shares[1, j], shares[2, i] - shares[2, j]
            a0, a1 = math.ceil(a - of_a), math.floor(a + of_a)
            b0, b1 = math.ceil(b - of_b), math.floor(b + of_b)
            c0, c1 = math.ceil(c - of_c), math.floor(c + of_c)
            if a0 > a1 or b0 > b1 or c0 > c1:
                continue
            x, y = positions[j, 0] - positions[i, 0], positions[j, 1] - positions[i, 1]
            z = positions[j, 2] - positions[i, 2]
            for na in range(a0, a1 + 1):
                for nb in range(b0, b1 + 1):
                    for nc in range(c0, c1 + 1):
                        dx = x + na * cell[0, 0] + nb * cell[1, 0] + nc * cell[2, 0]
                        dy = y + na * cell[0, 1] + nb * cell[1, 1] + nc * cell[2, 1]
                        dz = z + na * cell[0, 2] + nb * cell[1, 2] + nc * cell[2, 2]
                        square = dx * dx + dy * dy + dz * dz
                        if square <= r_cut * r_cut and not (i == j and na == 0 and nb == 0 and nc == 0):
                            if count < room:
                                first[count], second[count], distance[count] = i, j, math.sqrt(square)
                                vector[count, 0], vector[count, 1], vector[count, 2] = dx, dy, dz
                            count += 1
    return count


@compiled
def clarke_smith(pairs, energy, n, m, r0, r_cut, gradient):
    """Return the sum of cut and shifted potentials over pairs, in eV, and add its gradient to ``gradient`` (n, 3)."""
    scale, total = energy / (n - m), 0.0
    shift = scale * (m * (r0 / r_cut) ** n - n * (r0 / r_cut) ** m)
    for pair in range(len(pairs.first)):
        ratio = r0 / pairs.distance[pair]
        repelled, attracted = ratio**n, ratio**m
        total += scale * (m * repelled - n * attracted) - shift
        # Each pair is in the list from both ends, and each end moves both of its terms.
        pull = -2 * scale * n * m * (attracted - repelled) / pairs.distance[pair] ** 2
        for axis in range(3):
            gradient[pairs.first[pair], axis] += pull * pairs.vector[pair, axis]
    return total


@compiled
def expand(pairs, expansion, kinds, d, u):
    """Put D of every pair into ``d`` (p, l), and add its weighted sums over each atom's neighbours to ``u`` (n, e, l).

    ``kinds`` (n,) are the densities that the atoms belong to.
    """
    distance, vector = pairs.distance, pairs.vector
    sources, factors = expansion.sources, expansion.factors
    of_g = np.empty((2, 2), np.complex128)
    for pair in range(len(distance)):
        r, total = distance[pair], u[pairs.first[pair], kinds[pairs.second[pair]]]
        cos, sin = math.cos(expansion.turning * r), math.sin(expansion.turning * r) / r
        x, y, z = sin * vector[pair, 0], sin * vector[pair, 1], sin * vector[pair, 2]
        of_g[0, 0], of_g[0, 1] = complex(cos, -z), complex(-y, x)
        of_g[1, 0], of_g[1, 1] = complex(y, x), complex(cos, z)
        weight = 0.5 + 0.5 * math.cos(math.pi / expansion.r_cut * r)
        here = d[pair]
        here[0] = 1.0
        for e in range(1, len(here)):
            row = sources[2, e]
            first = of_g[row, 0] * (factors[0, e] * here[sources[0, e]])
            here[e] = first + of_g[row, 1] * (factors[1, e] * here[sources[1, e]])
        for e in range(len(here)):
            total[e] += weight * here[e]


@compiled
def _whole(kept, couplings, u):
    """Put the elements of all rows into ``u`` (L,)."""
    for e in range(len(u)):
        value, sign = kept[couplings.mirror[e]], couplings.sign[e]
        u[e] = value if sign == 0 else complex(sign * value.real, -sign * value.imag)


@compiled
def components(kept, couplings, values):
    """Put the components of expansions ``kept`` (n, e, l) into ``values`` (n, e e e m), which are zero."""
    densities = kept.shape[1]
    u = np.empty((densities, len(couplings.mirror)), np.complex128)
    for atom in range(len(kept)):
        for density in range(densities):
            _whole(kept[atom, density], couplings, u[density])
        for choice in range(densities**3):
            a, b, c = u[choice % densities], u[choice // densities**2], u[choice // densities % densities]
            first = choice * (values.shape[1] // densities**3)
            for t in range(len(couplings.factors)):
                p, q, r = couplings.triples[t]
                product = b[q] * c[r]
                real = a[p].real * product.real + a[p].imag * product.imag
                values[atom, first + couplings.component[t]] += couplings.factors[t] * real


@compiled
def slopes(kept, couplings, slope, g):
    """Put G of dF = Re sum G du, over kept elements, into ``g`` (n, e, l), which is zero, from dF/dB (n, e e e m)."""
    densities, size = kept.shape[1], len(couplings.mirror)
    u, whole = np.empty((densities, size), np.complex128), np.empty((densities, size), np.complex128)
    for atom in range(len(kept)):
        for density in range(densities):
            _whole(kept[atom, density], couplings, u[density])
        whole[:] = 0
        for choice in range(densities**3):
            of_p, of_q, of_r = choice % densities, choice // densities**2, choice // densities % densities
            first = choice * (slope.shape[1] // densities**3)
            for t in range(len(couplings.factors)):
                p, q, r = couplings.triples[t]
                factor = couplings.factors[t] * slope[atom, first + couplings.component[t]]
                a, b, c = factor * u[of_p, p].conjugate(), u[of_q, q], u[of_r, r]
                whole[of_p, p] += factor * (b * c).conjugate()
                whole[of_q, q] += a * c
                whole[of_r, r] += a * b
        for density in range(densities):
            for e in range(size):
                sign, value = couplings.sign[e], whole[density, e]
                g[atom, density, couplings.mirror[e]] += value if sign == 0 else sign * value.conjugate()


@compiled
def gradient(pairs, expansion, magnetic, ladder, kinds, d, g, found):
    """Add dF/dr to ``found`` (n, 3) from G ``g`` (n, e, l) and the D of every pair ``d`` (p, l).

    A turn of g by epsilon changes D by i D epsilon.J, with J_z = ``magnetic`` (l,) and <k + 1|J_+|k> = ``ladder`` (l,).
    A step dr turns g by epsilon = 2 [n dtheta + sin cos dn + sin^2 n x dn], with dn = (dr - n n.dr) / r.
    """
    centre, other, distance, vector = pairs
    densities, size, last = g.shape[1], g.shape[2], -1
    of_x, of_y = np.empty((densities, size), np.complex128), np.empty((densities, size), np.complex128)
    wave = math.pi / expansion.r_cut
    for pair in range(len(centre)):
        if centre[pair] != last:
            last = centre[pair]
            for density in range(densities):
                slope = g[last, density]
                for e in range(size):
                    up = ladder[e - 1] * slope[e - 1] if e else 0j
                    down = ladder[e] * slope[e + 1] if e + 1 < size else 0j
                    of_x[density, e], of_y[density, e] = -0.5 * (up + down), 0.5 * (up - down)
        kind = kinds[other[pair]]
        slope, along_x, along_y = g[last, kind], of_x[kind], of_y[kind]
        value = tx = ty = tz = 0.0
        for e in range(size):
            here, this, x, y = d[pair, e], slope[e], along_x[e], along_y[e]
            value += this.real * here.real - this.imag * here.imag
            tx += x.real * here.imag + x.imag * here.real
            ty += y.real * here.real - y.imag * here.imag
            tz -= magnetic[e] * (this.real * here.imag + this.imag * here.real)
        r = distance[pair]
        nx, ny, nz = vector[pair, 0] / r, vector[pair, 1] / r, vector[pair, 2] / r
        cos, sin = math.cos(expansion.turning * r), math.sin(expansion.turning * r)
        weight, fall = 0.5 + 0.5 * math.cos(wave * r), -0.5 * wave * math.sin(wave * r)
        along = tx * nx + ty * ny + tz * nz
        radial, across = fall * value + 2 * weight * expansion.turning * along, 2 * weight * sin / r
        sx = radial * nx + across * (cos * (tx - along * nx) + sin * (ty * nz - tz * ny))
        sy = radial * ny + across * (cos * (ty - along * ny) + sin * (tz * nx - tx * nz))
        sz = radial * nz + across * (cos * (tz - along * nz) + sin * (tx * ny - ty * nx))
        found[other[pair], 0] += sx
        found[other[pair], 1] += sy
        found[other[pair], 2] += sz
        found[last, 0] -= sx
        found[last, 1] -= sy
        found[last, 2] -= sz


@compiled
def nearest(q, others, squared):
    """Put the nearest other row of each row of ``q`` (n, m), the first of several, into ``others`` (n,), and |dq|^2."""
    for j in range(len(q)):
        squared[j] = np.inf
        for k in range(len(q)):
            apart = 0.0
            for component in range(q.shape[1]):
                step = q[j, component] - q[k, component]
                apart += step * step
            if apart < squared[j] and j != k:
                others[j], squared[j] = k, apart
