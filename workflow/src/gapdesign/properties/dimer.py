"""The energy of an isolated pair of atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from gapdesign.properties.base import Finding, NotMeasuredError, Point, Value

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from gapdesign.properties.options import PropertiesOptions


def measure(pair: tuple[str, str], calculator: Calculator, options: PropertiesOptions, *, farthest: float) -> Finding:
    """Compute the energy of a dimer against its length.

    Parameters
    ----------
    pair
        Chemical symbols.
    calculator
        The potential.
    options
        Shortest distance and number of points.
    farthest
        Longest distance, in angstrom.

    Returns
    -------
    Finding
        ``length`` in angstrom and ``binding`` in eV: distance and depth of the minimum, left out if the lowest
        point is the first or the last; the curve is the energy above that of the two separate atoms, in eV, against
        distance.

    Raises
    ------
    NotMeasuredError
        If the range is empty.
    """
    nearest = options.dimer.nearest * float(sum(covalent_radii[atomic_numbers[symbol]] for symbol in pair))
    if not nearest < farthest:
        raise NotMeasuredError(f"The shortest distance, {nearest:.2f} angstrom, lies beyond the cut-off.")
    edge = max(20.0, 3 * farthest)
    apart = sum(_energy(Atoms(symbol), edge, calculator) for symbol in pair)
    curve = []
    for distance in np.linspace(nearest, farthest, options.dimer.points):
        dimer = Atoms(pair, positions=[[0, 0, 0], [0, 0, distance]])
        curve.append(Point(float(distance), _energy(dimer, edge, calculator) - apart))
    return Finding(_lowest(curve), curve)


def _energy(atoms: Atoms, edge: float, calculator: Calculator) -> float:
    atoms = atoms.copy()
    atoms.set_cell([edge] * 3)
    atoms.pbc = True
    atoms.calc = calculator
    return float(atoms.get_potential_energy())


def _lowest(curve: list[Point]) -> list[Value]:
    """Return the vertex of the parabola through the lowest point and its neighbours."""
    lowest = min(range(len(curve)), key=lambda k: curve[k].y)
    if lowest in (0, len(curve) - 1):
        return []
    x, y = np.array([[point.x, point.y] for point in curve[lowest - 1 : lowest + 2]]).T
    square, slope, constant = np.polyfit(x - x[1], y, 2)
    shift = -slope / (2 * square)
    depth = constant + slope * shift / 2
    return [Value("length", float(x[1] + shift), "Å"), Value("binding", float(-depth), "eV")]
