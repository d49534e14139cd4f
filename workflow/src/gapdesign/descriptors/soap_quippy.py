"""SOAP by QUIP, the program whose descriptor gap_fit fits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gapdesign.descriptors.options import SoapOptions
from gapdesign.errors import InputError
from gapdesign.structures import Batch


class QuippySoap:
    """Power spectra by ``quippy.descriptors.Descriptor``; see :class:`gapdesign.descriptors.SoapBackend`."""

    def __init__(self, options: SoapOptions, species: Sequence[int]) -> None:
        try:
            from quippy.descriptors import Descriptor
        except ImportError as error:
            raise InputError(
                "descriptor.backend: 'quippy' is not installed; `pip install quippy-ase`, or use 'dscribe'."
            ) from error
        self._descriptors = {z: Descriptor(quip_string(options, species, z)) for z in species}
        self._dimension = dimension(options, len(species))

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Power spectra of some atoms of one structure."""
        atoms = batch.atoms(k)
        spectra = np.empty((len(atoms), self._dimension))
        for z in np.unique(atoms.numbers):
            spectra[atoms.numbers == z] = self._descriptors[int(z)].calc_descriptor(atoms)
        return spectra[centers]


def quip_string(options: SoapOptions, species: Sequence[int], center: int) -> str:
    """QUIP's description of SOAP around atoms of one species (BR section 3.1)."""
    numbers = " ".join(map(str, species))
    return (
        f"soap cutoff={options.r_cut} l_max={options.l_max} n_max={options.n_max} normalize=T"
        f" atom_sigma={options.sigma} n_Z=1 Z={{{center}}} n_species={len(species)} species_Z={{{numbers}}}"
    )


def make(options: SoapOptions, species: Sequence[int]) -> QuippySoap:
    """Build the backend."""
    return QuippySoap(options, species)


def dimension(options: SoapOptions, n_species: int) -> int:
    """Length of a power spectrum; QUIP appends one number to what dscribe has."""
    radial = n_species * options.n_max
    return radial * (radial + 1) // 2 * (options.l_max + 1) + 1
