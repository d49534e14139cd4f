"""Time power spectra against the library whose spectra they are, and part by part: ``python benchmarks/spectra.py``.

Strained zirconium at the default width, where one environment stands for all, and cells of 54 atoms of four elements.
One thread; ours and the library's in turn, of each the fastest of ``--repeats``, since other processes only add to it.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from ase.build import bulk
from dscribe.descriptors import SOAP
from numba import njit

from gapdesign.descriptors import DESCRIPTORS
from gapdesign.descriptors.base import Centers
from gapdesign.descriptors.shared import compiled
from gapdesign.structures import Batch, pack

MODES = {"none": "off", "one_element": "mu1nu1"}


def crystals(count: int) -> Batch:
    """Return hcp zirconium, strained at random."""
    generator, found = np.random.default_rng(1), []
    for _ in range(count):
        atoms = bulk("Zr", "hcp", 3.232, 5.147)
        strain = generator.uniform(-0.1, 0.1, (3, 3))
        atoms.set_cell(atoms.cell[:] @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        found.append(atoms)
    return pack(found)


def frames(count: int) -> Batch:
    """Return bcc cells of 54 atoms of four elements, displaced at random."""
    generator, found = np.random.default_rng(2), []
    for _ in range(count):
        atoms = bulk("Nb", "bcc", 3.25, cubic=True).repeat(3)
        atoms.numbers = generator.choice([41, 42, 73, 74], len(atoms))
        atoms.positions += generator.normal(scale=0.1, size=atoms.positions.shape)
        found.append(atoms)
    return pack(found)


def fastest(repeats: int, *calls: Callable[[], object]) -> list[float]:
    """Return the least seconds of each call, of some made in turn."""
    best = [np.inf] * len(calls)
    for _ in range(repeats):
        for number, call in enumerate(calls):
            began = time.perf_counter()
            call()
            best[number] = min(best[number], time.perf_counter() - began)
    return best


def compare(name: str, batch: Batch, centers: Centers, species: list[int], compression: str, repeats: int) -> None:
    """Print what environments cost, and by how much the numbers differ."""
    member = DESCRIPTORS["dscribe"]
    options = member.Options(compression=compression)
    ours = member(options, species)
    theirs = SOAP(
        species=species,
        r_cut=options.r_cut,
        n_max=options.n_max,
        l_max=options.l_max,
        sigma=options.sigma,
        periodic=True,
        compression={"mode": MODES[compression]},
    )
    structures = [batch.atoms(k) for k in range(len(batch))]
    places = np.split(centers.atoms, np.searchsorted(centers.structures, np.arange(1, len(batch))))
    local = [(own - batch.offsets[k]).tolist() for k, own in enumerate(places)]

    def library() -> np.ndarray:
        return np.concatenate([theirs.create_single(*one) for one in zip(structures, local, strict=True)])

    difference = np.abs(ours.describe(batch, centers) - library()).max() / library().max()
    one, other = (1e6 * t / len(centers) for t in fastest(repeats, lambda: ours.describe(batch, centers), library))
    print(f"| {name} | {len(ours.describe(batch, centers)[0])} | {one:.0f} | {other:.0f} | {other / one:.1f} |"
          f" {difference:.0e} |", flush=True)  # fmt: skip


def parts(batch: Batch, centers: Centers, repeats: int) -> None:
    """Print the microseconds that the steps of a spectrum of one element take."""
    member = DESCRIPTORS["dscribe"]
    basis = member(member.Options(), [40])._spectra
    structures = compiled.Crystals.of(batch, [40])

    @njit
    def work(structures, centers, atoms, basis, steps):
        levels, n_max = basis.exponents.shape
        room, total = 1001, 0
        bonds, kinds, neighbours = np.empty((room, 3)), np.empty(room, np.int64), np.empty((5, room))
        radial, powers = np.empty((levels, n_max, room)), np.empty((2, room))
        harmonics, coefficients = np.empty((levels * levels, room)), np.empty((n_max, levels * levels))
        sums, row = np.empty(n_max), np.empty(n_max * (n_max + 1) // 2 * levels)
        for number in range(len(atoms)):
            count = compiled._neighbours(structures, centers[number], atoms[number], basis.r_cut, bonds, kinds)
            total += count
            chosen = compiled._chosen(bonds, kinds, count, 0, neighbours)
            if steps > 1:
                compiled._radial(neighbours, chosen, basis.exponents, radial)
            if steps > 2:
                compiled._harmonics(neighbours, chosen, basis.recursion, powers, harmonics)
            if steps > 3:
                compiled._sum(radial, harmonics, chosen, basis.orthonormal, sums, coefficients)
            if steps > 4:
                compiled._multiply(coefficients, coefficients, True, basis.factors, row, 0)
        return total / len(atoms)

    def first(steps: int) -> Callable[[], float]:
        return lambda: work(structures, centers.structures, centers.atoms, basis, steps)

    near = first(5)()
    times = 1e6 * np.diff([0, *fastest(repeats, *map(first, range(1, 6)))]) / len(centers)
    names = ("neighbours", "radial functions", "harmonics", "sums over neighbours", "products")
    print(", ".join(f"{name} {t:.1f}" for name, t in zip(names, times, strict=True)))
    print(f"{near:.0f} neighbours x {basis.exponents.size} radial functions x (2 l + 1): {near * 1210:,.0f} products")


def main() -> None:
    """Print the table, and the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20, help="times that each is measured (%(default)s)")
    arguments = parser.parse_args()
    print("| | numbers | us an environment | dscribe | times | difference |\n| --- | --- | --- | --- | --- | --- |")
    strained, large = crystals(200), frames(2)
    every = Centers(np.repeat([0, 1], 54), np.arange(108), np.ones(108, int))
    one = Centers(np.arange(200), strained.offsets[:-1], np.full(200, 2))
    compare("strained hcp", strained, one, [40], "none", arguments.repeats)
    for compression in MODES:
        compare(
            f"54 atoms, compression `{compression}`", large, every, [41, 42, 73, 74], compression, arguments.repeats
        )
    print("\nmicroseconds of the first: ", end="")
    parts(strained, one, arguments.repeats)


if __name__ == "__main__":
    main()
