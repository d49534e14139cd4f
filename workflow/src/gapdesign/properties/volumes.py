"""Energy-volume curves and the equation of state of Birch and Murnaghan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.properties.base import GPA, Crystal, Finding, NotMeasuredError, Point, Value
from gapdesign.properties.relax import relax_crystal

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from gapdesign.properties.options import PropertiesOptions

LOOSE = 100
"""Factor by which remaining forces may exceed those of a relaxed crystal: the energy changes with their square."""


def measure(crystal: Crystal, calculator: Calculator, options: PropertiesOptions) -> Finding:
    """Fit the third-order Birch-Murnaghan equation to energies at volumes around equilibrium.

    At each volume the shape of the cell and the positions are relaxed as far as the symmetry leaves them free.

    Returns
    -------
    Finding
        ``V0`` in angstrom^3 per atom, ``B`` in GPa; the curve is energy, in eV per atom, against volume, in angstrom^3
        per atom.

    Raises
    ------
    NotMeasuredError
        If a crystal does not relax, or the energies have no minimum among the volumes.
    """
    from ase.eos import EquationOfState

    asked = options.volumes
    curve = []
    for change in np.linspace(-asked.range, asked.range, asked.points):
        atoms = crystal.atoms.copy()
        atoms.set_cell(atoms.cell * (1 + change) ** (1 / 3), scale_atoms=True)
        atoms = relax_crystal(
            atoms, calculator, max_force=LOOSE * options.max_force, max_steps=options.max_steps, fixed_volume=True
        )
        curve.append(Point(atoms.get_volume() / len(atoms), atoms.get_potential_energy() / len(atoms)))
    volumes, energies = np.array([[point.x, point.y] for point in curve]).T
    try:
        volume, _, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)
    except (RuntimeError, ValueError):
        volume = np.nan
    if not volumes[0] < volume < volumes[-1]:
        raise NotMeasuredError("The energies have no minimum among the volumes, so no equation of state can be fitted.")
    return Finding([Value("V0", float(volume), "Å³/atom"), Value("B", float(modulus * GPA), "GPa")], curve)
