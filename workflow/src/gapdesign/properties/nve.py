"""Conservation of energy in a short run of molecular dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.cells import supercell
from gapdesign.properties.base import Crystal, Finding, NotMeasuredError, Point, Value
from gapdesign.streams import stream

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from gapdesign.properties.options import PropertiesOptions

MELTED = 50.0
"""Temperature, as a multiple of the initial one, at which a run counts as exploded."""


def measure(crystal: Crystal, calculator: Calculator, options: PropertiesOptions, *, seed: int) -> Finding:
    """Run velocity Verlet from the relaxed crystal and follow the total energy.

    With the same seed, all potentials start from the same velocities.

    Returns
    -------
    Finding
        ``drift``, the slope of the total energy in meV per atom and ps, and ``fluctuation``, its standard deviation
        about that line in meV per atom; the curve is the total energy, in meV per atom above the first, against time,
        in fs.

    Raises
    ------
    NotMeasuredError
        If the run explodes.
    """
    from ase import units
    from ase.md.verlet import VelocityVerlet

    asked = options.nve
    atoms = supercell(crystal.atoms, asked.atoms)
    atoms.calc = calculator
    _set_in_motion(atoms, asked.temperature, np.random.Generator(stream(f"{seed}/properties/nve/{crystal.name}")))
    run = VelocityVerlet(atoms, timestep=asked.timestep * units.fs)
    start = atoms.get_total_energy()
    curve = [Point(0.0, 0.0)]
    for step in range(1, asked.steps + 1):
        run.run(1)
        if not atoms.get_temperature() < MELTED * asked.temperature:
            raise NotMeasuredError(f"The run exploded after {step * asked.timestep:g} fs.")
        curve.append(Point(step * asked.timestep, 1000 * (atoms.get_total_energy() - start) / len(atoms)))
    times, energies = np.array([[point.x, point.y] for point in curve]).T
    slope, constant = np.polyfit(times, energies, 1)
    spread = np.std(energies - (slope * times + constant))
    return Finding(
        [Value("drift", float(1000 * slope), "meV/atom/ps"), Value("fluctuation", float(spread), "meV/atom")], curve
    )


def _set_in_motion(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Set velocities from the Maxwell-Boltzmann distribution, without drift, at exactly this temperature."""
    from ase import units

    masses = atoms.get_masses()[:, None]
    momenta = rng.standard_normal((len(atoms), 3)) * np.sqrt(masses * units.kB * temperature)
    momenta -= masses * momenta.sum(axis=0) / masses.sum()
    atoms.set_momenta(momenta)
    atoms.set_momenta(momenta * np.sqrt(temperature / atoms.get_temperature()))
