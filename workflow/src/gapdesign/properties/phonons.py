"""Phonons by finite displacements, with phonopy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from gapdesign.errors import InputError
from gapdesign.properties.base import Crystal, Finding, Point, Value

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from phonopy import Phonopy

    from gapdesign.properties.options import PropertiesOptions

DECIMALS = 5
"""Decimals of frequencies in THz."""


def measure(crystal: Crystal, calculator: Calculator, options: PropertiesOptions) -> Finding:
    """Compute the phonons of the relaxed crystal along the path of its Bravais lattice (ASE's).

    Returns
    -------
    Finding
        ``phonon_max`` and ``phonon_min``, the highest and lowest frequency on the path in THz, negative if imaginary
        (the crystal is unstable); the curve is the frequency of each band against the length of the path, in
        1/angstrom.

    Raises
    ------
    InputError
        If phonopy is not installed.
    """
    phonons = force_constants(
        crystal.atoms, calculator, length=options.phonons.length, displacement=options.phonons.displacement
    )
    primitive = phonons.primitive
    path = Atoms(primitive.symbols, cell=primitive.cell, pbc=True).cell.bandpath(npoints=options.phonons.points)
    along, places, names = path.get_linear_kpoint_axis()
    phonons.run_qpoints(path.kpts)
    # At Gamma three frequencies vanish except for rounding errors, which should not appear in results.
    bands = np.round(phonons.qpoints.frequencies, DECIMALS) + 0.0
    ticks: dict[int, str] = {}
    for place, name in zip(places, names, strict=True):
        # Where the path jumps, two points at the same place follow each other.
        ticks[next(k for k in np.flatnonzero(np.isclose(along, place)) if k not in ticks)] = name
    curve = [
        Point(float(along[k]), float(bands[k, band]), band, ticks.get(k, ""))
        for band in range(bands.shape[1])
        for k in range(len(along))
    ]
    extremes = [Value("phonon_max", float(bands.max()), "THz"), Value("phonon_min", float(bands.min()), "THz")]
    return Finding(extremes, curve)


def force_constants(atoms: Atoms, calculator: Calculator, *, length: float, displacement: float) -> Phonopy:
    """Compute force constants from supercells with one atom displaced.

    Parameters
    ----------
    atoms
        The crystal, relaxed.
    calculator
        The potential.
    length
        Smallest distance between an atom and its images, in angstrom.
    displacement
        Displacement of the atom, in angstrom.

    Returns
    -------
    Phonopy
        An object that holds the force constants; its frequencies are in THz.

    Raises
    ------
    InputError
        If phonopy is not installed.
    """
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError:
        raise InputError(
            "properties.compute: phonons need the package phonopy, which is not installed; run `pip install phonopy`"
            " or take `phonons` out of the list."
        ) from None
    unit = PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(), cell=atoms.cell[:], scaled_positions=atoms.get_scaled_positions()
    )
    phonons = Phonopy(unit, supercell_matrix=np.diag(repeats(atoms, length)), primitive_matrix="auto", symprec=1e-4)
    phonons.generate_displacements(distance=displacement)
    forces = []
    for moved in phonons.supercells_with_displacements:
        supercell = Atoms(moved.symbols, cell=moved.cell, scaled_positions=moved.scaled_positions, pbc=True)
        supercell.calc = calculator
        forces.append(supercell.get_forces())
    phonons.forces = forces
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    return phonons


def repeats(atoms: Atoms, length: float) -> list[int]:
    """Return how often to repeat a cell so that opposite faces are at least ``length`` apart, in angstrom."""
    heights = 1 / np.linalg.norm(np.linalg.inv(atoms.cell[:]), axis=0)
    return [int(n) for n in np.ceil(np.round(length / heights, 6))]
