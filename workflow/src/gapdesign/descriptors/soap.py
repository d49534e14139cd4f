"""SOAP power spectra by any program (Bartok, Kondor & Csanyi, Phys. Rev. B 87, 184115 (2013))."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.base import EnvironmentDescriptor


class SoapOptions(Options):
    """Size and resolution of the SOAP power spectrum."""

    r_cut: float = Field(6.8, gt=0, le=30, description="Radius of an environment, in angstrom.")
    n_max: int = Field(10, ge=1, le=20, description="Number of radial basis functions.")
    l_max: int = Field(10, ge=0, le=20, description="Largest angular momentum.")
    sigma: float = Field(
        0.5,
        ge=0.01,
        le=10,
        description="Width of the Gaussian on every atom, in angstrom. The published 0.15 is nearly blind to"
        " some distances at this basis; see the documentation.",
    )
    compression: Literal["none", "one_element", "one_element_one_radial", "no_elements"] = Field(
        "none",
        description="Pairs of neighbours in the spectrum (Darby et al. 2022). `none`: by the elements and radial"
        " functions of both, so that its length grows with the square of the number of elements. `one_element`: by the"
        " element of one of them, which grows linearly. `one_element_one_radial`: also by the radial function of that"
        " one alone (`quippy` only). `no_elements`: all neighbours as if of one element. Potentials use the same.",
    )


class SoapDescriptor(EnvironmentDescriptor):
    """Program that computes SOAP, with the same options as the potentials."""

    Options = SoapOptions
    block = "soap"
