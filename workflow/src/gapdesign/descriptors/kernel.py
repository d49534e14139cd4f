"""Options of the kernel on features."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gapdesign.config.options import Options


class SoapKernelOptions(Options):
    """Kernel on SOAP vectors, or those of another descriptor, which have unit length."""

    form: Literal["power", "gaussian"] = Field(
        "power",
        description="Similarity of two vectors by which structures are chosen. `power`: their dot product to the power"
        " `zeta`, which 1 makes linear. `gaussian`: by their distance |p - q|. Potentials always use the power.",
    )
    zeta: int = Field(4, ge=1, le=16, description="Power to which the dot product of two vectors is raised.")
    length: float = Field(
        0.5,
        ge=0.01,
        le=10,
        description="Length scale of `form: gaussian`, in units of the vectors, whose distances are at most 2.",
    )
    scale: float = Field(0.3, ge=0, description="Scale of the SOAP covariance, in eV; 0 leaves it out.")


class PairShapeOptions(Options):
    """Options that turn pair distances into features."""

    r_cut: float = Field(7.0, gt=0, le=30, description="Largest pair distance, in angstrom.")
    length: float = Field(0.3, ge=0.01, le=30, description="Length scale of the Gaussian kernel, in angstrom.")
    transition: float = Field(
        0.5, gt=0, description="Width over which pairs fade out below `r_cut`, in angstrom, as in QUIP."
    )


class PairKernelOptions(PairShapeOptions):
    """Gaussian kernel on pair distances."""

    scale: float = Field(
        0.8, ge=0, description="Scale of the pair covariance, in eV; 0 leaves it out, and saves its features."
    )

    @property
    def shape(self) -> PairShapeOptions | None:
        """The options that shape the features, without their weight in the kernel; None if the kernel has no pairs."""
        if self.scale == 0:
            return None
        return PairShapeOptions(r_cut=self.r_cut, length=self.length, transition=self.transition)


class RematchOptions(Options):
    """The regularised-entropy match of two structures' environments; used for `structure: rematch` only."""

    gamma: float = Field(
        0.1,
        ge=0.005,
        description="Weight of the entropy: small pairs each environment with its best match, large compares averages.",
    )
    tolerance: float = Field(
        1e-10,
        ge=1e-12,
        le=1e-3,
        description="Largest deviation of the match from the shares of the atoms, summed over the shares.",
    )


class CovarianceOptions(Options):
    """The covariance of averaged structures: SOAP and pairs, weighted by their squared scales."""

    soap: SoapKernelOptions = Field(SoapKernelOptions(), description="Kernel on SOAP vectors.")
    pair: PairKernelOptions = Field(PairKernelOptions(), description="Kernel on pair distances.")


class KernelOptions(CovarianceOptions):
    """The complete covariance, and its treatment of structures with many environments."""

    structure: Literal["average", "rematch", "environment"] = Field(
        "average",
        description="Environments of a structure that count in the distance by which designs are chosen. `average`:"
        " their mean for each element. `rematch`: all of them, matched to those of the other structure (De et al."
        " 2016). `environment`: the one farthest from all environments in the design, by SOAP without the pairs."
        " The measures of `quality.csv` and the duplicates of the cross-validation always use `average`.",
    )
    rematch: RematchOptions = Field(RematchOptions(), description="Options of `structure: rematch`.")

    @property
    def covariance(self) -> CovarianceOptions:
        """The covariance of averaged structures, whatever `structure` is."""
        return CovarianceOptions(soap=self.soap, pair=self.pair)
