"""Method `information`: each next structure is the one whose energy, forces and virial teach a linear model most.

The information that the labels of a set of structures give about the weights, 1/2 log det (1 + Phi' Phi), with a row of
Phi for each label over its expected error, grows with every structure, and by less the more are there: it is monotone
and submodular. What a structure would add to fewer structures is therefore a bound of what it adds to more, and most
candidates need not be looked at again: the greedy choice is exact (Minoux 1978), and certified.

:mod:`.scores` holds the model and what a structure scores, :mod:`.greedy` the choice, :mod:`.proof` its verification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from gapdesign.config.options import Options
from gapdesign.methods.base import Harm, Method, Selection, Task, Wrong
from gapdesign.methods.shared import submodular
from gapdesign.methods.shared.resources import one_blas_thread

if TYPE_CHECKING:
    from gapdesign.descriptors.kernel import KernelOptions

Score = Literal["entropy", "energy", "force", "largest", "trace"]


class ErrorsOptions(Options):
    """Expected errors of labels in the model, by which these count; labels without one are left out."""

    energy: float | None = Field(0.001, gt=0, description="Of energies, in eV per atom.")
    force: float | None = Field(0.05, gt=0, description="Of components of forces, in eV/angstrom.")
    virial: float | None = Field(0.05, gt=0, description="Of components of virials, in eV per atom.")
    environment: float | None = Field(
        None,
        gt=0,
        description="Of energies of single atoms, in eV, which the method `bayesian` learns with `rows: environments`."
        " No calculation gives these: it is there for designs as Rocke and Kermode choose them.",
    )

    @model_validator(mode="after")
    def _of_something(self) -> ErrorsOptions:
        if all(error is None for error in (self.energy, self.force, self.virial, self.environment)):
            raise ValueError("no label has an expected error; give that of energy, force or virial")
        return self

    @model_serializer(mode="wrap")
    def _without_environment(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out an error that is not given, so that designs chosen before it could be are not chosen again."""
        values = write(self)
        if self.environment is None:
            del values["environment"]
        return values


class InformationOptions(Options):
    """Options of the method `information`."""

    errors: ErrorsOptions = Field(ErrorsOptions(), description="Expected errors of labels.")
    scores: dict[Score, float] = Field(
        {"entropy": 1.0},
        min_length=1,
        description="Weights of the scores whose sum is largest for the next structure. `entropy`: the information in"
        " its labels about the weights of the model (D-optimal). `energy`: posterior variance of its energy per atom,"
        " in eV^2. `force`: largest posterior variance of a component of a force, in (eV/angstrom)^2. `largest`:"
        " largest posterior variance of a label, in units of its expected error (G-optimal). `trace`: fall of the mean"
        " variance of the weights (A-optimal); it is no bound of what comes later, so that every candidate is scored at"
        " every rank, and no design is certified.",
    )

    @model_validator(mode="after")
    def _counts(self) -> InformationOptions:
        if any(weight < 0 for weight in self.scores.values()) or not any(self.scores.values()):
            raise ValueError("the weights of `scores` must not be negative, and one must be positive")
        return self


class InformationMethod(Method):
    """Greedy choice by the information in all labels, or by other scores of a linear model with their rows."""

    name = "information"
    summary = "each next structure is the one whose energy, forces and virial teach a linear model most"
    Options = InformationOptions
    title = "information"
    reference = submodular.REFERENCE
    is_prefix = True
    is_certified = True
    spends = True
    harmed = Harm(averages=22, core_hours=8)

    @classmethod
    def reads_rows(cls, options: InformationOptions) -> bool:
        """Return True: rows are all that it goes by."""
        return True

    @classmethod
    def expected_errors(cls, options: InformationOptions) -> dict[str, float]:
        """Return those of labels that count; energies of single atoms have no labels."""
        errors = {name: getattr(options.errors, name) for name in ("energy", "force", "virial")}
        return {name: error for name, error in errors.items() if error is not None}

    @classmethod
    def with_errors(cls, options: InformationOptions, errors: Mapping[str, float]) -> InformationOptions:
        """Return options with other expected errors."""
        return options.model_copy(update={"errors": options.errors.model_copy(update=dict(errors))})

    @classmethod
    def reads_environments(cls, options: InformationOptions) -> bool:
        """Return whether energies of single atoms are learnt, whose rows are made from their environments."""
        return options.errors.environment is not None

    @classmethod
    def caution(
        cls, options: InformationOptions, kernel: KernelOptions, *, is_priced: bool, of_frames: bool
    ) -> str | None:
        """Return where its designs were worse than random ones, in a replay of labelled sets."""
        if is_priced:
            return super().caution(options, kernel, is_priced=True, of_frames=True)
        return (
            "by their number, structures with the most forces come first: energies of small designs were worse than"
            " those of random ones on silicon and molybdenum, and better on tungsten (docs/information.md); give it"
            " core-hours, or take another (docs/which-method.md)"
        )

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose one by one; the score of a structure is that by which it was chosen.

        Scores that differ by less than a millionth count as equal, and the first of equal ones wins. Copies of existing
        structures and of one another are left out. With a budget of core-hours, scores are divided by costs.
        """
        from gapdesign.methods.information.greedy import choose

        with one_blas_thread():
            return choose(task, task.options or cls.Options()).selection(task)

    @classmethod
    def first_wrong_rank(cls, task: Task, design: Selection) -> Wrong | None:
        """Check a design against every candidate of the pool, by another computation than the one that chose it."""
        from gapdesign.methods.information import proof

        with one_blas_thread():
            return proof.first_wrong_rank(task, task.options or cls.Options(), design)
