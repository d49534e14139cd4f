"""What the user says about descriptors and the kernel on them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gapdesign.options import Options


class SoapOptions(Options):
    """Size and resolution of the SOAP power spectrum."""

    r_cut: float = Field(6.8, gt=0, description="Radius of an environment, in angstrom.")
    n_max: int = Field(10, ge=1, le=20, description="Number of radial basis functions.")
    l_max: int = Field(10, ge=0, le=20, description="Largest angular momentum.")
    sigma: float = Field(
        0.5,
        gt=0,
        description="Width of the Gaussian on every atom, in angstrom. The published 0.15 is nearly blind to"
        " some distances at this basis; see the documentation.",
    )


class DescriptorOptions(Options):
    """How a structure becomes a vector."""

    backend: Literal["dscribe", "quippy"] = Field(
        "dscribe",
        description="Program that computes SOAP: `dscribe` (Gaussian-type radial functions; fast) or `quippy`"
        " (what gap_fit itself uses; some eight times slower). The two are not interchangeable.",
    )
    soap: SoapOptions = Field(SoapOptions(), description="Size and resolution of SOAP.")


class SoapKernelOptions(Options):
    """Kernel on SOAP vectors."""

    zeta: int = Field(4, ge=1, le=16, description="Power to which the dot product of two SOAP vectors is raised.")
    scale: float = Field(0.3, ge=0, description="Scale of the SOAP covariance, in eV; 0 leaves it out.")


class PairKernelOptions(Options):
    """Gaussian kernel on pair distances."""

    r_cut: float = Field(7.0, gt=0, description="Largest pair distance, in angstrom.")
    length: float = Field(0.3, gt=0, description="Length scale of the Gaussian kernel, in angstrom.")
    scale: float = Field(0.8, ge=0, description="Scale of the pair covariance, in eV; 0 leaves it out.")
    transition: float = Field(
        0.5, gt=0, description="Width over which pairs fade out below `r_cut`, in angstrom, as in QUIP."
    )


class KernelOptions(Options):
    """The complete covariance: SOAP and pairs, weighted by their squared scales."""

    soap: SoapKernelOptions = Field(SoapKernelOptions(), description="Kernel on SOAP vectors.")
    pair: PairKernelOptions = Field(PairKernelOptions(), description="Kernel on pair distances.")
