"""The options of `gap`: the search for hyperparameters, and the input of gap_fit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gapdesign.config.options import Bounds, Options


class LbfgsOptions(Options):
    """Quasi-Newton steps with the analytic gradient, from several starts."""

    starts: int = Field(
        8,
        ge=1,
        description="Number of starts: the first from the scales and length under `kernel`, the others random"
        " within the bounds. The likelihood has several maxima; the best one is kept.",
    )
    iterations: int = Field(500, ge=1, description="Largest number of iterations per start.")


class CmaOptions(Options):
    """Covariance-matrix adaptation evolution strategy, as Barzdajn and Race used it."""

    population: int = Field(64, ge=4, description="Number of trial points in a generation.")
    restarts: int = Field(3, ge=1, description="Number of independent runs; the best one is kept.")
    generations: int = Field(150, ge=1, description="Largest number of generations per run.")


class BoundsOptions(Options):
    """Bounds of the search for hyperparameters; a result that sits at a bound is reported."""

    pair_scale: Bounds = Field((0.01, 100.0), description="Scale of the pair covariance, in eV.")
    pair_length: Bounds = Field((0.1, 3.0), description="Length of the Gaussian pair kernel, in angstrom.")
    soap_scale: Bounds = Field((0.01, 100.0), description="Scale of the SOAP covariance, in eV.")
    noise: Bounds = Field(
        (1e-4, 0.1),
        description="Standard deviation of the noise of energies, in eV per atom. It covers both"
        " errors of the reference and what the model cannot represent.",
    )
    noise_force: Bounds = Field(
        (1e-3, 1.0), description="Expected error of forces, in eV/angstrom, where `likelihood` is `all`."
    )
    noise_virial: Bounds = Field(
        (1e-3, 10.0), description="Expected error of virials, in eV per atom, where `likelihood` is `all`."
    )


class SigmaOptions(Options):
    """Expected errors passed to gap_fit (`default_sigma`); that of energies is the noise found.

    Where `likelihood` is `all`, those of forces and virials are found, too.
    """

    energy_floor: float = Field(
        1e-4,
        gt=0,
        description="Smallest expected error of energies, in eV per atom, where the noise found is smaller.",
    )
    force: float = Field(0.05, gt=0, description="Expected error of forces, in eV/angstrom.")
    virial: float = Field(
        0.05,
        gt=0,
        description="Expected error of virials, in eV per atom. From 100 strained zirconium cells the worst"
        " energies of unseen cells were best between 0.02 and 0.05, and half as good below 0.003.",
    )


MOST = 1000
"""Environments per element up to which all are points by default."""


class SparseOptions(Options):
    """The points in which functions are expanded."""

    points: Annotated[int, Field(ge=1)] | Literal["auto", "all"] = Field(
        "auto",
        description="Points, per element, in which the SOAP part is expanded: `all` distinct environments of the"
        f" design, a number of them, or `auto`: all where there are up to {MOST}, as in designs of small cells, and"
        f" {MOST} otherwise. Of more environments those are chosen that have the largest variance, each given the ones"
        " before it, until none has more than `jitter`. Time and memory of a fit grow with the number of points"
        " ([measured](../docs/models.md#gap-many-atom-cells)).",
    )
    points_per_length: float = Field(
        4.0,
        ge=1,
        le=16,
        description="Points, per length of the pair kernel, in which the pair function is expanded. Structures have"
        " thousands of distances that repeat one another, so a uniform grid over their range stands for all of them:"
        " at 4 no energy of 100 unseen zirconium cells was farther than 0.1 meV per atom from that of a denser"
        " grid, at 3 than 0.4, at 2 than 3.5.",
    )
    jitter: float = Field(
        1e-10, gt=0, description="Number, in eV^2, added to the diagonal of the covariance of these points."
    )

    @property
    def most(self) -> int | None:
        """Largest number of environments per element that are points; None for all."""
        return {"auto": MOST, "all": None}.get(self.points, self.points)


class GapOptions(Options):
    """Gaussian approximation potentials by gap_fit."""

    likelihood: Literal["energies", "all"] = Field(
        "energies",
        description="Labels whose likelihood determines expected errors: that of `energies` determines theirs, and"
        " `sigma` states the others; that of `all` labels, given the scales and the length found from energies,"
        " determines those of energies, forces and virials. With `all`, forces came out better in most designs, and the"
        " worst energies worse ([measured](../docs/models.md#gap-expected-errors)).",
    )
    optimizer: Literal["lbfgs", "cma"] = Field(
        "lbfgs",
        description="Optimiser of the likelihood of the energies: `lbfgs`, or `cma` as published, which finds the same"
        " maximum with about fifty times as many evaluations.",
    )
    lbfgs: LbfgsOptions = Field(LbfgsOptions(), description="Settings of `lbfgs`.")
    cma: CmaOptions = Field(CmaOptions(), description="Settings of `cma`.")
    bounds: BoundsOptions = Field(BoundsOptions(), description="Bounds of the search for hyperparameters.")
    soap_transition: float = Field(
        0.5, gt=0, description="Width over which neighbours fade out below SOAP's `r_cut`, in angstrom."
    )
    sigma: SigmaOptions = Field(SigmaOptions(), description="Expected errors of the data.")
    sparse: SparseOptions = Field(SparseOptions(), description="Points in which the potential is expanded.")
