"""The effective potential V = E_rep - K S of the entropy-maximising sampler (KP equations 1 to 3)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.shared.differentiable import Differentiable

_TINY = 1e-10


class RepulsionOptions(Options):
    """Clarke and Smith's potential, cut off and shifted so that only its repulsion is left (KP equation 3)."""

    energy: float = Field(1.0, gt=0, description="Strength E0, in eV.")
    n: int = Field(8, ge=1, description="Exponent of the repulsion.")
    m: int = Field(4, ge=1, description="Exponent of the attraction, below n.")
    r0: float = Field(2.7, gt=0, description="Distance of the minimum, in angstrom.")
    r_cut: float = Field(2.71, gt=0, description="Distance at which the potential is cut off and zero, in angstrom.")


def repulsion(atoms: Atoms, options: RepulsionOptions) -> tuple[float, np.ndarray]:
    """Return E_rep, the sum over i and over j (so every pair twice, as KP write it), and its gradient.

    Returns
    -------
    float, (n, 3)
        In eV and eV/angstrom.
    """
    from gapdesign.samplers.shared.compiled import clarke_smith, neighbours

    pairs, gradient = neighbours(atoms, options.r_cut), np.zeros((len(atoms), 3))
    energy = clarke_smith(pairs, options.energy, options.n, options.m, options.r0, options.r_cut, gradient)
    return energy, gradient


def local_entropy(q: np.ndarray) -> tuple[float, np.ndarray]:
    """Return S = (1/n) sum_j ln(n min_l |q_j - q_l|), the nearest-neighbour entropy, and dS/dq (KP equation 2).

    Parameters
    ----------
    q : (n, m)
        Descriptors of the n atoms of a structure, each component of order one.

    Returns
    -------
    float, (n, m)
    """
    from gapdesign.samplers.shared.compiled import nearest

    n = len(q)
    others, least = np.zeros(n, dtype=np.int64), np.empty(n)
    nearest(q, others, least)
    least = np.maximum(least, _TINY)
    slope = (q - q[others]) / (n * least[:, None])
    gradient = slope.copy()
    np.subtract.at(gradient, others, slope)
    return float(np.log(n * np.sqrt(least)).mean()), gradient


class GlobalEntropy:
    """S = (N / 2n) ln det C, C the covariance of the descriptors of all N atoms so far, and dS/dq.

    After Subramanyam & Perez (2024). The factor N/n keeps the pull on the n atoms of the present structure the same
    while the set grows. A tenth of the identity, added once, keeps the covariance regular for the first structures.

    Parameters
    ----------
    dimension : int
        Length m of a descriptor.
    """

    def __init__(self, dimension: int) -> None:
        self._count = 0
        self._sum = np.zeros(dimension)
        self._squares = 0.1 * np.eye(dimension)

    def add(self, q: np.ndarray) -> None:
        """Add the descriptors (n, m) of a finished structure to the set."""
        self._count += len(q)
        self._sum = self._sum + q.sum(axis=0)
        self._squares = self._squares + _outer(q)

    def __call__(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        """Return S and dS/dq (n, m), with the present structure in the set."""
        count = self._count + len(q)
        mean = (self._sum + q.sum(axis=0)) / count
        covariance = (self._squares + _outer(q)) / count - mean[:, None] * mean[None]
        inverse = np.linalg.inv(covariance)
        gradient = ((q - mean)[:, :, None] * inverse[None]).sum(axis=1) / len(q)
        return float(count / (2 * len(q)) * np.linalg.slogdet(covariance)[1]), gradient


def _outer(q: np.ndarray) -> np.ndarray:
    return (q[:, :, None] * q[:, None, :]).sum(axis=0)


class EffectivePotential:
    """V = E_rep - K S and its forces.

    Parameters
    ----------
    repulsion : RepulsionOptions
    descriptor : Differentiable, optional
        Required where K is not 0, as is the scale.
    scale : (m,), optional
        Divisor of each component.
    entropy : callable
        From descriptors (n, m) to S and dS/dq.
    """

    def __init__(
        self,
        repulsion: RepulsionOptions,
        descriptor: Differentiable | None,
        scale: np.ndarray | None,
        entropy: Callable[[np.ndarray], tuple[float, np.ndarray]] = local_entropy,
    ) -> None:
        self._repulsion = repulsion
        self._descriptor = descriptor
        self._scale = scale
        self._entropy = entropy

    def __call__(self, atoms: Atoms, strength: float) -> tuple[float, np.ndarray]:
        """Return V and its forces (n, 3) for K = ``strength``, in eV and eV/angstrom."""
        energy, gradient = repulsion(atoms, self._repulsion)
        if strength:
            values, pull = self._descriptor.pullback(atoms)
            entropy, slope = self._entropy(values / self._scale)
            energy -= strength * entropy
            gradient = gradient - strength * pull(slope / self._scale)
        return energy, -gradient
