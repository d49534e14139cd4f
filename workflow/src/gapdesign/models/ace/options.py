"""Options of the model `ace`."""

from __future__ import annotations

from pydantic import Field

from gapdesign.config.options import Bounds, Options


class AceBoundsOptions(Options):
    """Bounds of the search for hyperparameters; a result that sits at a bound is reported."""

    noise: Bounds = Field(
        (1e-4, 1.0),
        description="Standard deviation of the noise of energies, in eV per atom. It covers both errors of the"
        " reference and what the model cannot represent, as do the next two.",
    )
    noise_force: Bounds = Field((1e-4, 10.0), description="That of components of forces, in eV/angstrom.")
    noise_virial: Bounds = Field((1e-4, 10.0), description="That of components of virials, in eV per atom.")
    prior: Bounds = Field(
        (1e-4, 1e5),
        description="Standard deviation of the coefficient of the smoothest function, in eV, before any label is seen.",
    )
    smoothness: Bounds = Field(
        (0.1, 2.0),
        description="Power of the roughness of a function, the sum of n^4 + (1.5 l)^4 over the factors of its product,"
        " by which the standard deviation of its coefficient is smaller. ACEpotentials has 1.",
    )


class AcePotentialOptions(Options):
    """A linear model in the basis of the atomic cluster expansion."""

    order: int = Field(3, ge=2, le=4, description="Largest number of neighbours in a product (body order minus one).")
    degree: int = Field(
        12,
        ge=1,
        le=30,
        description="Largest total degree of a product: the sum of n / elements + 1.5 l over its factors. 12, 16 and 19"
        " give 211, 668 and 1,429 functions for one element; two elements have 2,868 for 12 and 1,388 for 10.",
    )
    r_cut: float = Field(6.0, gt=0, le=30, description="Radius of an environment, in angstrom.")
    bounds: AceBoundsOptions = Field(AceBoundsOptions(), description="Bounds of the search for hyperparameters.")
    starts: int = Field(
        4,
        ge=1,
        le=9,
        description="Number of starts of the search, spread over the bounds; the one with the largest likelihood is"
        " kept.",
    )
