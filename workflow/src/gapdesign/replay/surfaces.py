"""Surface energies of cubic crystals, unreconstructed and relaxed, at a fixed lattice constant (RK figure 2)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.replay.options import CUBIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from gapdesign.prototypes import PrototypeOptions
    from gapdesign.replay.options import SurfaceEnergyOptions

AXES = {
    "100": ([1, 1, 0], [-1, 1, 0], [0, 0, 1]),
    "110": ([1, -1, 0], [0, 0, -1], [1, 1, 0]),
    "111": ([1, -1, 0], [1, 0, -1], [1, 1, 1]),
}
"""Directions of the crystal along the cell of a slab; the last is its normal."""

JOULES = 16.021766
"""Joules per square metre in an electronvolt per square angstrom."""


def crystal(element: str, lattice: str, a: float, plane: str, repeats: int) -> Atoms:
    """Return a bulk crystal with a plane normal to the third axis of its cell, and the widest gap at the cell's border.

    Parameters
    ----------
    lattice
        One of :data:`gapdesign.replay.options.CUBIC`.
    a
        Lattice constant, in angstrom.
    repeats
        Periods along the third axis.
    """
    from ase.lattice import cubic

    kinds = (cubic.Diamond, cubic.FaceCenteredCubic, cubic.BodyCenteredCubic)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cell = dict(zip(CUBIC, kinds, strict=True))[lattice](
            symbol=element, latticeconstant=a, directions=[list(axis) for axis in AXES[plane]]
        )
    atoms = cell.repeat((1, 1, repeats))
    height = atoms.cell[2, 2]
    places = np.sort(atoms.positions[:, 2] % height)
    gaps = np.diff(np.append(places, places[0] + height))
    widest = int(np.argmax(np.round(gaps, 6)))
    atoms.positions[:, 2] -= places[widest] + 0.5 * gaps[widest]
    atoms.wrap()
    return atoms


def surface_energy(bulk: Atoms, calculator: Calculator, *, vacuum: float, max_force: float, steps: int) -> float:
    """Return half the energy of a cut per area, atoms relaxed and cell kept, in J/m^2; nan if they do not come to rest.

    Parameters
    ----------
    bulk
        From :func:`crystal`.
    vacuum
        Length added to the third axis, in angstrom.
    """
    from ase.optimize import LBFGS

    bulk = bulk.copy()
    bulk.calc = calculator
    whole = bulk.get_potential_energy()
    slab = bulk.copy()
    slab.cell[2, 2] += vacuum
    slab.calc = calculator
    rest = LBFGS(slab, logfile=None, maxstep=0.1).run(fmax=max_force, steps=steps)
    area = float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
    return JOULES * (slab.get_potential_energy() - whole) / (2 * area) if rest else float("nan")


def surface_energies(
    calculator: Callable[[int], Calculator],
    places: Sequence[Mapping[str, Any]],
    *,
    prototype: PrototypeOptions,
    options: SurfaceEnergyOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Return the surface energies of several potentials beside those of the reference.

    Parameters
    ----------
    calculator
        Returns one of n potentials, by its number.
    places : (n,) sequence of mapping
        Design, method, budget and draw of each; of several draws the first ``options.draws`` count.
    prototype
        The crystal that is cut.
    progress
        Called with the number of potentials done and all.

    Returns
    -------
    list of dict
        Each place with ``plane``, ``energy``, ``reference`` and ``error``, in J/m^2, a row per plane.
    """
    bulks = {
        plane: crystal(prototype.element, prototype.lattice, prototype.a, plane, options.repeats)
        for plane in options.reference
    }
    found = []
    for number, place in enumerate(places):
        if place["draw"] >= options.draws:
            continue
        potential = calculator(number)
        for plane, bulk in bulks.items():
            energy = surface_energy(
                bulk, potential, vacuum=options.vacuum, max_force=options.max_force, steps=options.steps
            )
            known = options.reference[plane]
            found.append({**place, "plane": plane, "energy": energy, "reference": known, "error": energy - known})
        progress(number + 1, len(places))
    return found
