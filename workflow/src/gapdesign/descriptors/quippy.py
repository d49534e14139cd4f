"""SOAP by QUIP, the program whose descriptor gap_fit fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.options import SoapOptions
from gapdesign.descriptors.quip import soap_string
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch

TRANSITION = 0.5
"""QUIP's own default of the width of the cutoff function, in angstrom."""


class QuippySoap:
    """Power spectra by ``quippy.descriptors.Descriptor``; see :class:`gapdesign.descriptors.SoapBackend`."""

    def __init__(self, options: SoapOptions, species: Sequence[int]) -> None:
        try:
            from quippy.descriptors import Descriptor
        except ImportError as error:
            raise InputError(
                "descriptor.backend: 'quippy' is not installed; `pip install quippy-ase`, or use 'dscribe'."
            ) from error
        self._descriptors = {
            z: Descriptor(soap_string(options, centre=z, elements=species, transition=TRANSITION)) for z in species
        }
        self._dimension = dimension(options, len(species))

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Power spectra of some atoms of one structure."""
        atoms = batch.atoms(k)
        spectra = np.empty((len(atoms), self._dimension))
        for z in np.unique(atoms.numbers):
            spectra[atoms.numbers == z] = self._descriptors[int(z)].calc_descriptor(atoms)
        return spectra[centers]

    def derivatives(self, batch: Batch, k: int) -> dict[int, np.ndarray]:
        """Of the sum of the power spectra around atoms of each species, by the positions of all n atoms.

        QUIP's spectra are of unit length, and these are their derivatives.

        Returns
        -------
        dict of int to (3 n, dimension)
            Atomic number of the central atoms to derivatives, in 1/angstrom; x, y and z of each atom in turn.
        """
        atoms = batch.atoms(k)
        found = {}
        for z in np.unique(atoms.numbers):
            result = self._descriptors[int(z)].calc(atoms, grad=True)
            total = np.zeros((len(atoms), 3, self._dimension))
            np.add.at(total, result["grad_index_0based"][:, 1], result["grad_data"])
            found[int(z)] = total.reshape(-1, self._dimension)
        return found


def make(options: SoapOptions, species: Sequence[int]) -> QuippySoap:
    """Build the backend."""
    return QuippySoap(options, species)


def dimension(options: SoapOptions, n_species: int) -> int:
    """Length of a power spectrum; QUIP appends one number to what dscribe has."""
    radial = n_species * options.n_max
    return radial * (radial + 1) // 2 * (options.l_max + 1) + 1
