"""SOAP power spectra by any program (Bartok, Kondor & Csanyi, Phys. Rev. B 87, 184115 (2013))."""

from __future__ import annotations

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


class SoapDescriptor(EnvironmentDescriptor):
    """Program that computes SOAP, with the same options as the potentials."""

    Options = SoapOptions
    block = "soap"
