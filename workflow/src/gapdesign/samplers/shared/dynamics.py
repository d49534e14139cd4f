"""Langevin dynamics of atoms, and functions of atoms as ASE calculators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes


class Langevin:
    """Steps of Langevin dynamics by the splitting BAOAB (Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34).

    Parameters
    ----------
    masses : float or (n, 1)
        In atomic mass units.
    timestep : float
        In femtoseconds.
    friction : float
        In 1/fs.

    Attributes
    ----------
    kept : float
        Share exp(-friction timestep) of the velocities that a step keeps.
    """

    def __init__(self, masses: float | np.ndarray, *, timestep: float, friction: float) -> None:
        self._masses, self._step = masses, timestep * units.fs
        self.kept = np.exp(-friction * timestep)

    def __call__(
        self,
        atoms: Atoms,
        velocities: np.ndarray,
        forces: np.ndarray,
        kicks: np.ndarray,
        force: Callable[[Atoms], np.ndarray],
    ) -> np.ndarray:
        """Move the atoms by one step; positions and velocities change in place.

        Parameters
        ----------
        atoms : Atoms
        velocities, forces : (n, 3)
            Before the step; forces in eV/angstrom.
        kicks : (n, 3)
            Velocities that the heat bath adds: Gaussian numbers of variance (1 - kept^2) kB T / m.
        force : callable
            Returns the forces on atoms.

        Returns
        -------
        (n, 3)
            Forces after the step.
        """
        velocities += 0.5 * self._step * forces / self._masses
        atoms.positions += 0.5 * self._step * velocities
        velocities *= self.kept
        velocities += kicks
        atoms.positions += 0.5 * self._step * velocities
        forces = force(atoms)
        velocities += 0.5 * self._step * forces / self._masses
        return forces


class FunctionCalculator(Calculator):
    """ASE calculator from a function that returns the energy (eV) and forces (eV/angstrom) of atoms."""

    implemented_properties = ("energy", "forces")

    def __init__(self, function: Callable[[Atoms], tuple[float, np.ndarray]]) -> None:
        super().__init__()
        self._function = function

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute energy and forces; see ASE."""
        super().calculate(atoms, properties, system_changes)
        energy, forces = self._function(self.atoms)
        self.results = {"energy": energy, "forces": forces}
