"""SOAP by QUIP, the program behind gap_fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.base import Slopes
from gapdesign.descriptors.quip import soap_string
from gapdesign.descriptors.soap import SoapDescriptor, SoapOptions
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch

TRANSITION = 0.5
"""QUIP's default width of the cutoff function, in angstrom."""


class QuippyDescriptor(SoapDescriptor):
    """Power spectra by ``quippy.descriptors.Descriptor``; QUIP scales them to unit length."""

    name = "quippy"
    summary = "SOAP as gap_fit itself computes it, some eight times slower"
    environment = "gap"
    has_derivatives = True

    def __init__(self, options: SoapOptions, species: Sequence[int]) -> None:
        try:
            from quippy.descriptors import Descriptor
        except ImportError as error:
            raise InputError(
                "descriptor.backend: 'quippy' is not installed; run `pip install quippy-ase`, or choose another one."
            ) from error
        self._descriptors = {
            z: Descriptor(soap_string(options, centre=z, elements=species, transition=TRANSITION)) for z in species
        }
        self._dimension = self.dimension(options, len(species))

    @classmethod
    def dimension(cls, options: SoapOptions, n_species: int) -> int:
        """Return the length of a power spectrum: its pairs of radial functions and elements at every l, plus 1."""
        radial = options.n_max
        pairs = {
            "none": n_species * radial * (n_species * radial + 1) // 2,
            "one_element": n_species * radial**2,
            "one_element_one_radial": n_species * radial,
            "no_elements": radial * (radial + 1) // 2,
        }
        return pairs[options.compression] * (options.l_max + 1) + 1

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        atoms = batch.atoms(k)
        spectra = np.empty((len(atoms), self._dimension))
        for z in np.unique(atoms.numbers):
            spectra[atoms.numbers == z] = self._descriptors[int(z)].calc_descriptor(atoms)
        return spectra[centers]

    def slopes(self, batch: Batch, k: int) -> Iterator[Slopes]:
        """Differentiate the spectra; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        atoms = batch.atoms(k)
        for z in np.unique(atoms.numbers):
            result = self._descriptors[int(z)].calc(atoms, grad=True)
            which, moved = result["grad_index_0based"].T
            centers = np.flatnonzero(atoms.numbers == z)
            for number, center in enumerate(centers):
                mine = which == center
                # QUIP counts the central atom itself among those that move, where it is.
                bonds = result["pos"][mine] - atoms.positions[center]
                is_other = np.abs(bonds).max(axis=1) > 1e-8
                yield Slopes(
                    int(center),
                    result["data"][number],
                    moved[mine][is_other],
                    bonds[is_other],
                    result["grad_data"][mine][is_other],
                )
