"""Options of designs and methods in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    create_model,
    model_serializer,
    model_validator,
)

from gapdesign.config.options import Identifier, Options
from gapdesign.descriptors import differentiable
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.methods import METHODS, Method
from gapdesign.methods.polish import Polish
from gapdesign.rounds.options import AfterOptions, Rounds

_STARTED = ", ".join(f"`{name}`" for name, method in METHODS.items() if method.takes_start)


AT_MOST = 1000
"""Structures that a budget of core-hours buys at most, if it does not say."""


class CoreHoursOptions(Options):
    """A budget of core-hours, in place of a number of structures."""

    core_hours: float = Field(
        gt=0,
        description="Core-hours that the labels of a design may cost together, by `costs`. The method chooses among the"
        " candidates that are still affordable until there are none.",
    )
    at_most: int | None = Field(
        None,
        ge=1,
        description="Structures in a design at most. Shards, batches of labels and the plan are laid out for so many,"
        f" so do not ask for many more than you expect. Default: {AT_MOST}, or as many as the pool has.",
    )


def _kind(budget: Any) -> str:
    return "[core_hours]" if isinstance(budget, Mapping | CoreHoursOptions) else "[number]"


# Messages about mistakes leave out steps in brackets.
Budget = Annotated[
    Annotated[int, Field(ge=1), Tag("[number]")] | Annotated[CoreHoursOptions, Tag("[core_hours]")],
    Discriminator(_kind),
]
"""A number of structures, or core-hours."""


class _Design(Options):
    """A training set to choose."""

    pool: str = Field("", description="Pool that it is chosen from; required, or else `pools`.")
    pools: tuple[Identifier, ...] = Field(
        (),
        description="Pools in place of `pool`: a design from each, named after both. `OPT: {pools: [A, B], method:"
        " maxmin}` stands for the designs `OPT_A` and `OPT_B`.",
    )
    existing: str | None = Field(
        None,
        description="File, in a format that ASE reads, of existing structures: the design continues them, and contains"
        " neither them nor copies of them.",
    )
    budget: Budget | None = Field(
        None,
        description="Structures in it, or core-hours, where that is something else than the key `budget` says for all.",
    )
    rounds: Rounds | None = Field(
        None,
        description="Number of rounds in which it is chosen and labelled, or that and more, such as `{count: 5, stop:"
        " 0.05}`. `OPT: {rounds: 3}` stands for the designs `OPT_1` to `OPT_3`, each of which continues the one before;"
        " see docs/rounds.md.",
    )
    after: AfterOptions | None = Field(
        None,
        description="Design that it continues, in a round of its own: one by another method, say, or from another"
        " pool. Its budget counts the structures of both.",
    )
    quotas: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {},
        description="Structures that it takes first from groups of the pool, by the `config_type` of frames or the name"
        " of a prototype, such as `{surface: 30, liquid: 20}`; the rest of its budget comes from all candidates.",
    )
    polish: Polish = Field(
        None,
        description="Whether its structures, once they are chosen, are moved in the continuous parameters of their"
        " pool's sampler, one at a time, as long as that raises the design's quality: its smallest distance, or its"
        " determinant. `true`, or options; see docs/polish.md.",
    )
    fit: bool = Field(
        True,
        description="Whether a model is fitted to it. `false` makes it a test set only, for the models of all others: a"
        " larger draw from their pools or, from a pool that is sampled otherwise, structures that are like none of"
        " their designs.",
    )
    compared: bool = Field(
        True,
        description="Whether the report compares its model with those of other designs, and these are tested on its"
        " structures. Of `rounds` only the last is; `rounds.csv` has what the others are worth.",
    )
    start: int | None = Field(
        None,
        ge=0,
        description=f"Candidate to start from, for the methods that start from one ({_STARTED}); by default the one"
        " farthest from the pool's mean descriptor.",
    )
    method: METHODS.names = Field(
        description=f"Method that chooses it. {METHODS.choices} docs/which-method.md compares them."
    )

    @model_validator(mode="after")
    def _of_something(self) -> _Design:
        if bool(self.pool) == bool(self.pools):
            raise ValueError("give `pool`, the pool that it is chosen from, or `pools`, for a design from each")
        if len(set(self.pools)) < len(self.pools):
            raise ValueError(f"`pools` names a pool twice: {', '.join(self.pools)}; a design would be there twice")
        return self

    @model_validator(mode="after")
    def _in_rounds(self) -> _Design:
        if self.rounds is None and self.after is None:
            return self
        key = "after" if self.rounds is None else "rounds"
        if self.rounds is not None and self.after is not None:
            raise ValueError("`after` is a round of its own; give it or `rounds`")
        if self.quotas:
            raise ValueError(f"`quotas` are numbers of one choice, and `{key}` makes several; give one of both")
        if self.polish is not None:
            raise ValueError(f"`polish` is for designs that are chosen before any label, and `{key}` needs labels")
        if self.rounds is not None and not self.fit:
            raise ValueError("`fit: false` leaves a design without the model that its next round goes by; remove it")
        if self.after is not None and self.start is not None:
            raise ValueError("`start` is where a design begins, and this one continues another; remove it")
        return self

    @model_serializer(mode="wrap")
    def _without_usual(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what was added later if it says nothing new, so that what was made before is not made again."""
        usual = {"rounds": None, "after": None, "compared": True, "polish": None}
        return {key: value for key, value in write(self).items() if key not in usual or value != usual[key]}

    @property
    def member(self) -> type[Method]:
        """Its method."""
        return METHODS[self.method]

    @property
    def options(self) -> Options:
        """Options of its method: those given, or the defaults."""
        return getattr(self, self.method, None) or self.member.Options()

    @property
    def core_hours(self) -> float | None:
        """Core-hours that its labels may cost, if its own budget says that."""
        return self.budget.core_hours if isinstance(self.budget, CoreHoursOptions) else None

    @property
    def reads_environments(self) -> bool:
        """True if its method needs the environments of the pool, whatever `kernel.structure` is."""
        return self.member.reads_environments(self.options)

    @property
    def reads_derivatives(self) -> bool:
        """True if its method needs derivatives of environments."""
        return self.member.reads_derivatives(self.options)

    @property
    def reads_rows(self) -> bool:
        """True if its method needs the rows of the labels of the pool."""
        return self.member.reads_rows(self.options)

    def is_compressed(self, structure: str) -> bool:
        """Return whether its method works on compressed features, for a value of `kernel.structure`."""
        return structure == "average" and self.member.is_compressed


_WITH_OPTIONS = {name: method.Options for name, method in METHODS.items() if method.Options is not Options}

DesignOptions = create_model(
    "DesignOptions",
    __base__=_Design,
    __doc__=_Design.__doc__,
    __module__=__name__,
    **{
        name: (options | None, Field(None, description=f"Options of the method `{name}`."))
        for name, options in _WITH_OPTIONS.items()
    },
)


class SelectionOptions(Options):
    """Resources of the selection; nothing here changes a design."""

    memory: int = Field(
        1024, ge=64, description="Memory that a job of the selection may use, in MiB, whatever the size of the pool."
    )


def mismatch(
    design: DesignOptions,
    *,
    budget: int,
    structure: str,
    descriptor: DescriptorOptions,
    is_priced: bool = False,
) -> str | None:
    """Return which option of a design does not fit the study: key, mistake and remedy; None if all do.

    Parameters
    ----------
    design : DesignOptions
    budget : int
        Structures to choose.
    structure : str
        `kernel.structure`.
    descriptor : DescriptorOptions
    is_priced : bool
        Whether a budget of core-hours ends it.
    """
    method = design.method
    for other in _WITH_OPTIONS:
        if other != method and getattr(design, other) is not None:
            return f"{other}: these are options of another method than '{method}'; remove them."
    if design.member.by_average_only and structure != "average":
        return (
            f"method: '{method}' needs the covariance of every pair, which exists for kernel.structure: average only,"
            f" not '{structure}'; use maxmin."
        )
    if (design.reads_derivatives or design.reads_rows) and not descriptor.member.has_derivatives:
        others = " or ".join(differentiable())
        return (
            f"{_asks_for_derivatives(design)} needs derivatives, which {descriptor.backend} lacks; set"
            f" descriptor.backend: {others}."
        )
    if design.reads_rows and descriptor.components != "raw":
        return f"method: '{design.method}' needs derivatives, which only raw descriptor.components have."
    if is_priced and not design.member.is_prefix:
        able = " or ".join(name for name, member in METHODS.items() if member.is_prefix)
        return (
            f"method: '{method}' chooses a design as a whole, so no budget of core-hours can end it; give a number of"
            f" structures, or choose {able}."
        )
    if is_priced and design.quotas:
        return "quotas: they are numbers of structures, which a budget of core-hours may not pay for; give one of both."
    if (most := sum(design.quotas.values())) > budget:
        return f"quotas: they add up to {most}, and the budget is {budget}; lower them or raise it."
    if design.quotas and design.start is not None:
        return "start: with quotas the farthest of each group comes first; leave one of the two out."
    first = next(iter(design.quotas.values()), budget)
    continues = design.existing is not None or design.after is not None
    if design.polish is not None:
        alone = budget == 1 and not continues
        if problem := _unpolishable(design, structure=structure, is_priced=is_priced, is_alone=alone):
            return f"polish: {problem}; leave it out."
    return design.member.mismatch(design.options, budget=first, existing=continues)


def _unpolishable(design: DesignOptions, *, structure: str, is_priced: bool, is_alone: bool) -> str | None:
    """Return why a design cannot be polished, in words; None if it can."""
    if not design.member.can_be_polished:
        able = " or ".join(name for name, member in METHODS.items() if member.can_be_polished)
        return f"nothing that '{design.method}' chooses by is raised by moving single structures; choose {able}"
    if structure != "average":
        return f"it goes by the features of structures, and kernel.structure: '{structure}' by their environments"
    if is_priced:
        return "moved structures have other costs than candidates, so a budget of core-hours would not hold"
    return "a single structure has no other to be compared with" if is_alone else None


def _asks_for_derivatives(design: DesignOptions) -> str:
    """Return the option, with its key, without which a design needs no derivatives; its method if there is none."""
    if design.reads_rows:
        return f"method: '{design.method}'"
    for key, field in type(design.options).model_fields.items():
        if not design.member.reads_derivatives(design.options.model_copy(update={key: field.default})):
            return f"{design.method}.{key}: {getattr(design.options, key)!r}"
    return f"method: '{design.method}'"
