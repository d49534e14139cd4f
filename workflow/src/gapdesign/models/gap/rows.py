"""Rows of the linear model: the part of each basis function in the energy, virial and forces of a structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from gapdesign.descriptors.pairs import fade
from gapdesign.models.gap.expansion import Expansion, Model, pair_covariance
from gapdesign.models.shared.leastsquares import OFFSET
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from ase import Atoms


class LabelRows:
    """Rows of structures in a basis.

    A structure of n atoms has 7 + 3 n: its energy (eV), the six components xx, yy, zz, yz, xz, xy of its virial (eV,
    minus the stress times the volume), and x, y, z of each force (eV/angstrom).

    Parameters
    ----------
    basis, model
    """

    def __init__(self, basis: Expansion, model: Model) -> None:
        from quippy.descriptors import Descriptor

        self.basis, self._model = basis, model
        self._soap = {z: Descriptor(model.soap_string(z, basis.elements)) for z in basis.soap}

    def __len__(self) -> int:
        return len(self.basis)

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return the rows (7 + 3 n, m) of a structure."""
        rows = np.zeros((OFFSET + 3 * len(atoms), len(self.basis)))
        for key, span in self.basis.columns():
            if isinstance(key, tuple):
                self._add_pairs(rows[:, span], atoms, key)
            elif key in atoms.numbers:
                self._add_soap(rows[:, span], atoms, key)
        return rows

    def _add_pairs(self, rows: np.ndarray, atoms: Atoms, pair: tuple[int, int]) -> None:
        from matscipy.neighbours import neighbour_list

        options, points = self._model.kernel.pair, self.basis.pairs[pair]
        first, second, distance, vector = neighbour_list("ijdD", atoms, options.r_cut)
        kinds = np.sort(atoms.numbers[np.stack([first, second])], axis=0)
        mine = (kinds[0] == pair[0]) & (kinds[1] == pair[1])
        first, second, distance, vector = first[mine], second[mine], distance[mine], vector[mine]
        value = pair_covariance(distance, points, self._model)
        faded = fade(distance, options.r_cut, options.transition)
        falling = _fade_slope(distance, options.r_cut, options.transition)
        slope = value * (falling[:, None] - faded[:, None] * (distance[:, None] - points) / options.length**2)
        rows[0] += faded @ value
        along = vector / distance[:, None]
        lengthens = _moves(second, along, len(atoms)) - _moves(first, along, len(atoms))
        strain = np.array([along[:, a] * vector[:, b] for a, b in VOIGT])
        rows[1:OFFSET] -= strain @ slope
        rows[OFFSET:] -= lengthens @ slope

    def _add_soap(self, rows: np.ndarray, atoms: Atoms, centre: int) -> None:
        kernel, points = self._model.kernel.soap, self.basis.soap[centre]
        found = self._soap[centre].calc(atoms, grad=True)
        product = found["data"] @ points.T
        rows[0] += kernel.scale**2 * (product**kernel.zeta).sum(axis=0)
        which, moved = found["grad_index_0based"].T
        # A descriptor's number is its place among atoms of the element.
        number = np.cumsum(atoms.numbers == centre)[which] - 1
        outer = kernel.scale**2 * kernel.zeta * product ** (kernel.zeta - 1)
        slope = np.einsum("pad,md->pam", found["grad_data"], points, optimize=True) * outer[number][:, None, :]
        slope = slope.reshape(-1, len(points))
        axes = np.tile(np.eye(3), (len(moved), 1))
        moves = csr_array(
            (np.ones(len(slope)), ((3 * moved[:, None] + np.arange(3)).ravel(), np.arange(len(slope)))),
            shape=(3 * len(atoms), len(slope)),
        )
        place = np.repeat(found["pos"], 3, axis=0)
        strain = np.array([0.5 * (axes[:, a] * place[:, b] + axes[:, b] * place[:, a]) for a, b in VOIGT])
        rows[1:OFFSET] -= strain @ slope
        rows[OFFSET:] -= moves @ slope


def _moves(atoms: np.ndarray, along: np.ndarray, count: int) -> csr_array:
    """Return the derivatives (3 count, n) of the lengths of n pairs by the positions of ``count`` atoms."""
    places = (3 * atoms[:, None] + np.arange(3)).ravel()
    pairs = np.repeat(np.arange(len(atoms)), 3)
    return csr_array((along.ravel(), (places, pairs)), shape=(3 * count, len(atoms)))


def _fade_slope(distance: np.ndarray, r_cut: float, transition: float) -> np.ndarray:
    """Return the derivative of :func:`gapdesign.descriptors.pairs.fade`, in 1/angstrom."""
    x = (distance - r_cut + transition) / transition
    return np.where((x > 0) & (x < 1), -0.5 * np.pi / transition * np.sin(np.pi * np.clip(x, 0, 1)), 0.0)
