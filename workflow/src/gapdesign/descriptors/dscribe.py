"""SOAP by dscribe with Gaussian-type radial functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.soap import SoapDescriptor, SoapOptions
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch


class DscribeDescriptor(SoapDescriptor):
    """Power spectra by :class:`dscribe.descriptors.SOAP`.

    The polynomial radial basis is not offered: at narrow widths its spectra depend on how the crystal is turned.
    """

    name = "dscribe"
    summary = "SOAP with Gaussian-type radial functions, fast"
    reference = (
        "L. Himanen et al., DScribe: library of descriptors for machine learning in materials science, "
        "Computer Physics Communications 247, 106949 (2020)",
        "10.1016/j.cpc.2019.106949",
        "the SOAP vectors of the selection",
    )

    def __init__(self, options: SoapOptions, species: Sequence[int]) -> None:
        from dscribe.descriptors import SOAP

        self._soap = SOAP(
            species=list(species),
            r_cut=options.r_cut,
            n_max=options.n_max,
            l_max=options.l_max,
            sigma=options.sigma,
            rbf="gto",
            periodic=True,
            compression={"mode": self._mode(options)},
        )

    @classmethod
    def dimension(cls, options: SoapOptions, n_species: int) -> int:
        """Return the length of a power spectrum: its pairs of radial functions and elements, at every l."""
        radial, mode = options.n_max, cls._mode(options)
        pairs = {
            "off": n_species * radial * (n_species * radial + 1) // 2,
            "mu1nu1": n_species * radial**2,
            "mu2": radial * (radial + 1) // 2,
        }
        return pairs[mode] * (options.l_max + 1)

    @staticmethod
    def _mode(options: SoapOptions) -> str:
        """Return dscribe's name of a compression."""
        modes = {"none": "off", "one_element": "mu1nu1", "no_elements": "mu2"}
        if options.compression not in modes:
            raise InputError(
                f"descriptor.soap.compression: dscribe has no '{options.compression}'; choose from {', '.join(modes)},"
                " or descriptor.backend: quippy."
            )
        return modes[options.compression]

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        atoms = batch.atoms(k)
        # dscribe repeats the cell as far as the cutoff reaches beyond it, and misses neighbours of atoms outside.
        if np.abs(atoms.get_scaled_positions(wrap=False) - 0.5).max() > 0.5 + 1e-6:
            atoms.wrap()
        return self._soap.create_single(atoms, centers=centers.tolist())
