"""A linear surrogate of a potential, of which only the uncertainty is known, and molecular dynamics biased by it.

RK section 2.1: the posterior covariance S of the weights of a linear model depends on the rows of the structures that
are known, and not on their labels. Van der Oord et al., npj Comput. Mater. 9, 168 (2023): dynamics in the mean energy
minus a multiple of its uncertainty.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from gapdesign.errors import InputError
from gapdesign.samplers.shared.rows import Rows


class Surrogate:
    """Gaussian weights of a linear model of mean zero, whose covariance S (d, d) falls with every row that is learnt.

    The square root R of S = R R' is what is kept, and each row updates it by Potter's formula (Kaminski, Bryson &
    Schmidt, IEEE Trans. Autom. Control 16, 727 (1971)), so that no variance can become negative. All sums have one
    order, whatever the linear algebra library: a trajectory is the same bits with any number of threads.

    Parameters
    ----------
    dimension : int
        Number of weights d.
    deviation : float
        Standard deviation of each before anything is learnt.
    """

    def __init__(self, dimension: int, deviation: float) -> None:
        self._root = deviation * np.eye(dimension)

    @property
    def covariance(self) -> np.ndarray:
        """The matrix S (d, d)."""
        return self._root @ self._root.T

    def copy(self) -> Surrogate:
        """Return the same, which learns independently."""
        other = Surrogate(0, 0.0)
        other._root = self._root.copy()
        return other

    def uncertainty(self, row: np.ndarray) -> tuple[float, np.ndarray]:
        """Return sigma = (D S D')^1/2 of a row D (d,), and its derivative S D' / sigma (d,), which is 0 at D = 0."""
        turned = np.add.reduce(self._root * row[:, None], axis=0)
        sigma = float(np.sqrt(np.add.reduce(turned * turned)))
        if not sigma:
            return 0.0, np.zeros_like(row)
        return sigma, np.add.reduce(self._root * turned, axis=1) / sigma

    def learn(self, rows: np.ndarray, errors: np.ndarray) -> None:
        """Learn rows (m, d) whose labels have expected errors (m,): S becomes (S^-1 + sum x x' / error^2)^-1."""
        for row, error in zip(rows, errors, strict=True):
            turned = np.add.reduce(self._root * row[:, None], axis=0)
            variance = error * error
            total = variance + np.add.reduce(turned * turned)
            share = 1 / (total + error * np.sqrt(total))
            self._root -= share * np.add.reduce(self._root * turned, axis=1)[:, None] * turned


class Explosion(Exception):
    """Atoms moved where the mean potential gives no forces, or none to be believed; the message says why."""


class BiasedPotential:
    """The potential E_mean - tau sigma.

    Parameters
    ----------
    mean : ASE calculator
        Source of E_mean.
    rows : Rows
        Rows of the surrogate's energy.
    surrogate : Surrogate
    share : float
        Mean force of the bias, as a share of that of ``mean``, to which :meth:`adapt` sets tau.
    averaged : int
        Steps of the running averages of both.
    max_force : float
        Largest force of ``mean`` on an atom, in eV/angstrom.

    Attributes
    ----------
    tau : float
        Strength of the bias, dimensionless; 0 until :meth:`adapt` has averaged enough.
    sigma : float
        Uncertainty of the energy of the last structure, in eV.
    average : float
        Its average since :meth:`forget_sigma`.
    """

    def __init__(
        self,
        mean: BaseCalculator,
        rows: Rows,
        surrogate: Surrogate,
        *,
        share: float,
        averaged: int,
        max_force: float,
    ) -> None:
        self.surrogate, self._mean, self._rows = surrogate, mean, rows
        self._share, self._averaged, self._max_force = share, averaged, max_force
        self.restart()

    def restart(self) -> None:
        """Forget the averages, and switch the bias off until there are new ones."""
        self.tau, self.sigma, self._last = 0.0, 0.0, (0.0, 0.0)
        self._steps, self._of_mean, self._of_bias = 0, 0.0, 0.0
        self.forget_sigma()

    def forget_sigma(self) -> None:
        """Begin a new average of sigma."""
        self.average, self._averaged_sigmas = 0.0, 0

    def energy(self, atoms: Atoms) -> float:
        """Return E_mean - tau sigma, in eV."""
        row, _ = self._rows(atoms)
        return float(self._mean.get_potential_energy(atoms)) - self.tau * self.surrogate.uncertainty(row)[0]

    def mean_forces(self, atoms: Atoms) -> np.ndarray:
        """Return the forces (n, 3) of E_mean, in eV/angstrom.

        Raises
        ------
        Explosion
            If there are none, or one is not finite or too large.
        """
        try:
            forces = np.array(self._mean.get_forces(atoms), float)
        except InputError:
            raise
        except Exception as error:  # whatever a calculator of the user's raises
            raise Explosion(f"the calculator failed: {' '.join(f'{error}'.split()) or type(error).__name__}") from error
        if not np.isfinite(forces).all():
            raise Explosion("a force is not a finite number")
        largest = float(np.sqrt((forces * forces).sum(axis=1).max()))
        if largest > self._max_force:
            raise Explosion(f"a force reached {largest:.4g} eV/angstrom")
        return forces

    def forces(self, atoms: Atoms) -> np.ndarray:
        """Return the forces (n, 3) of E_mean - tau sigma, in eV/angstrom, and remember both parts and sigma.

        Raises
        ------
        Explosion
            As :meth:`mean_forces`.
        """
        forces = self.mean_forces(atoms)
        row, pull = self._rows(atoms)
        self.sigma, slope = self.surrogate.uncertainty(row)
        bias = pull(slope)
        self._last = _mean_length(forces), _mean_length(bias)
        return forces + self.tau * bias

    def adapt(self) -> None:
        """Take the last forces into the running averages, and set tau by them."""
        of_mean, of_bias = self._last
        self._steps += 1
        weight = 1 / min(self._steps, self._averaged)
        self._of_mean += weight * (of_mean - self._of_mean)
        self._of_bias += weight * (of_bias - self._of_bias)
        self._averaged_sigmas += 1
        self.average += (self.sigma - self.average) / self._averaged_sigmas
        if self._steps >= self._averaged:
            # Without a slope of sigma, as in a perfect lattice, no bias has the mean force asked for.
            self.tau = self._share * self._of_mean / self._of_bias if self._of_bias > 0 else 0.0


def _mean_length(vectors: np.ndarray) -> float:
    return float(np.sqrt((vectors * vectors).sum(axis=1)).mean())
