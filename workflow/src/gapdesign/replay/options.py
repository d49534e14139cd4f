"""Options of the replay, which judges designs on existing labels."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator

from gapdesign.config.options import Identifier, Options
from gapdesign.methods import METHODS
from gapdesign.models import MODELS

CUBIC = ("diamond", "fcc", "bcc")
"""Lattices whose surfaces can be cut."""

SHARE = 0.2
"""Share of the candidates in the test set of a replay without a core."""

_BY_CHANCE = ", ".join(f"`{name}`" for name, method in METHODS.items() if method.by_chance)

_LINEAR = tuple(name for name, member in MODELS.items() if member.replayed)

Plane = Literal["100", "110", "111"]


class SurfaceEnergyOptions(Options):
    """Surface energies of every potential."""

    prototype: str | None = Field(
        None,
        description="Prototype whose surfaces are cut: an element on the lattice `diamond`, `fcc` or `bcc`. Its"
        " lattice constant, the reference's, is kept. Without a prototype there are no surface energies.",
    )
    reference: dict[Plane, float] = Field(
        {}, description="Planes to be cut, and the surface energy of the reference for each, in J/m^2."
    )
    draws: int = Field(
        5, ge=1, description="Number of draws of each design by chance whose surface energies are computed."
    )
    repeats: int = Field(4, ge=1, description="Thickness of a slab, in periods of the crystal along its normal.")
    vacuum: float = Field(10.0, gt=0, description="Vacuum beside a slab, in angstrom.")
    max_force: float = Field(0.01, gt=0, description="Largest force when atoms are relaxed, in eV/angstrom.")
    steps: int = Field(300, ge=1, description="Steps after which a slab that has not relaxed has no surface energy.")


class CoreHourBudgets(Options):
    """Budgets of core-hours, in place of numbers of candidates."""

    core_hours: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        min_length=1, description="Core-hours that the labels of training sets may cost, by `costs`, increasing."
    )

    @field_validator("core_hours")
    @classmethod
    def _increasing(cls, core_hours: tuple[float, ...]) -> tuple[float, ...]:
        if any(first >= second for first, second in pairwise(core_hours)):
            raise ValueError(f"{list(core_hours)} is not a list of increasing numbers")
        return core_hours


def _increasing(budgets: tuple[int, ...]) -> tuple[int, ...]:
    if budgets[0] < 1 or any(first >= second for first, second in pairwise(budgets)):
        raise ValueError(f"{list(budgets)} is not a list of increasing numbers above 0")
    return budgets


def _kind(budgets: Any) -> str:
    return "[core_hours]" if isinstance(budgets, Mapping | CoreHourBudgets) else "[numbers]"


# Messages about mistakes leave out steps in brackets.
Budgets = Annotated[
    Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_increasing), Tag("[numbers]")]
    | Annotated[CoreHourBudgets, Tag("[core_hours]")],
    Discriminator(_kind),
]
"""Numbers of candidates, or core-hours."""


class ReplayOptions(Options):
    """Designs judged on existing labels (`snakemake replay`)."""

    kind: Literal[_LINEAR] | None = Field(
        None,
        description="Kind of model that is fitted to every training set, one that is linear in its coefficients. By"
        " default the first such of the study.",
    )
    report: bool = Field(
        False,
        description="Whether the report waits for the replay and shows its learning curves; `snakemake replay` makes"
        " the curves without the report.",
    )
    core: str | None = Field(
        None,
        description="Pool that is, as a whole, part of every training set. Name the same structures as `existing` in"
        " the designs that should take it into account.",
    )
    budgets: Budgets = Field(
        (5, 10, 20, 50, 100),
        description="Numbers of candidates that potentials are trained on; or core-hours of their labels, such as"
        " `{core_hours: [10, 20, 50]}`.",
    )
    test: float | Identifier | None = Field(
        None,
        description="The test set that all designs are judged on and none may choose from: a share of the candidates,"
        " drawn at random, or the name of a pool that is kept for the test. With 0 every design is judged on what it"
        " leaves out itself, which favours designs that take the structures that are hard to predict. By default 0.2,"
        " but 0 with a core, where errors are of all structures.",
    )
    draws: int = Field(20, ge=1, description=f"Number of designs of each method that draws by chance ({_BY_CHANCE}).")
    points: int = Field(
        500,
        ge=1,
        description="Number of SOAP vectors per element in which all GAPs of a replay are expanded. They are"
        " chosen from core and candidates before any label: each has the largest variance given those before it.",
    )
    sample: int = Field(
        20000,
        ge=1,
        description="Number of environments per element that these are chosen from, drawn blindly where there are"
        " more.",
    )
    energy_sigma: float = Field(
        1e-3,
        gt=0,
        description="Expected error of energies for GAPs, in eV per atom; those of forces and virials are under"
        " `model.sigma`. Other models find theirs from the labels of each training set.",
    )
    surfaces: SurfaceEnergyOptions = Field(SurfaceEnergyOptions(), description="Surface energies of every potential.")

    @property
    def is_priced(self) -> bool:
        """True if budgets are core-hours."""
        return isinstance(self.budgets, CoreHourBudgets)

    @property
    def tested(self) -> float | str:
        """The share of the candidates, or the pool, that is the common test set."""
        if self.test is not None:
            return self.test
        return 0.0 if self.core else SHARE

    @field_validator("test")
    @classmethod
    def _share(cls, test: float | str | None) -> float | str | None:
        if isinstance(test, float) and not 0 <= test <= 0.9:
            raise ValueError(f"{test:g} is not a share from 0 to 0.9")
        return test
