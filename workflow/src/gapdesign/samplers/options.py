"""Options of pools in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializeAsAny,
    Tag,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from gapdesign.config.options import Identifier, Options
from gapdesign.errors import InputError
from gapdesign.inputs.filters import FilterOptions
from gapdesign.inputs.survey import refuse_too_few
from gapdesign.samplers import SAMPLERS
from gapdesign.samplers.shared.constraints import ConstraintOptions
from gapdesign.samplers.shared.frames import files_of
from gapdesign.samplers.shared.growth import GrowthOptions
from gapdesign.shards import cut

MIXTURE = "mixture"
"""Value of `sampler` for a pool that several samplers share."""


ALL = "all"
"""Value of `size` for a pool of all frames of its files."""


class _OrAll:
    """Lets a number be :data:`ALL` as well."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            lambda value, number: ALL if value == ALL else number(value), handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"const": ALL}]}


def _kind(size: Any) -> str:
    return "[growth]" if isinstance(size, Mapping | GrowthOptions) else "[number]"


# Messages about mistakes leave out steps in brackets.
Size = Annotated[
    Annotated[int, Field(ge=1, le=10**9), _OrAll(), Tag("[number]")] | Annotated[GrowthOptions, Tag("[growth]")],
    Discriminator(_kind),
]
"""A number of candidates, all frames of files, or a pool that grows."""


class _Sampling(Options):
    """Sampling of one pool."""

    size: Size = Field(
        5000,
        description="Candidates in each pool. A pool that grows keeps its old candidates. `all`: as many as its files"
        " have, counted whenever the configuration is read (sampler `file`). `{until: 0.05, at_most: 1000000}`: doubled"
        " until that no longer helps, see docs/candidates.md.",
    )
    sampler: Literal[(*SAMPLERS, MIXTURE)] = Field(
        "strain",
        description=f"How candidates are made. {SAMPLERS.choices} `{MIXTURE}`: several of these share a pool.",
    )
    mixture: dict[SAMPLERS.names, float] = Field(
        {},
        description="Share of each sampler in a pool of the sampler `mixture`, relative to the others: for example"
        " `{strain: 0.7, rattle: 0.3}`.",
    )

    @model_validator(mode="after")
    def _shares(self) -> _Sampling:
        if self.is_mixture and not self.mixture:
            raise ValueError("the sampler `mixture` needs shares; give `mixture`, such as {strain: 0.7, rattle: 0.3}")
        for name, share in self.mixture.items():
            if not share > 0:
                raise ValueError(f"the share {share} of `{name}` in `mixture` is not above 0; raise it or leave it out")
        return self

    @property
    def growth(self) -> GrowthOptions | None:
        """How the pool grows, if it does."""
        return self.size if isinstance(self.size, GrowthOptions) else None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of candidates at which the pool may end, increasing; one, unless it grows."""
        return (self.size,) if self.growth is None else self.growth.sizes

    @property
    def most(self) -> int:
        """Candidates in the pool; at most, if it grows."""
        return self.sizes[-1]

    @property
    def is_mixture(self) -> bool:
        """True if several samplers share the pool."""
        return self.sampler == MIXTURE

    @property
    def shares(self) -> dict[str, float]:
        """Share of each sampler that makes candidates, relative to the others."""
        return self.mixture if self.is_mixture else {self.sampler: 1.0}

    @property
    def members(self) -> tuple[str, ...]:
        """The samplers that make the candidates."""
        return tuple(self.shares)

    def block(self, sampler: str) -> Options:
        """Return the options of a sampler: those given, or the defaults."""
        return getattr(self, sampler, None) or SAMPLERS[sampler].Options()

    @property
    def minutes(self) -> int:
        """Time limit of a job that makes a shard."""
        return max(SAMPLERS[name].minutes for name in self.members)

    @property
    def keeps_cells(self) -> bool:
        """True if candidates have the atoms and the environments of the prototypes."""
        return all(SAMPLERS[name].keeps_cells for name in self.members)

    @property
    def is_given(self) -> bool:
        """True if all candidates are structures that were given."""
        return all(SAMPLERS[name].is_given for name in self.members)

    @property
    def is_continuous(self) -> bool:
        """True if candidates are points of one space of parameters."""
        return not self.is_mixture and SAMPLERS[self.sampler].is_continuous

    @property
    def is_ordered(self) -> bool:
        """True if candidates with neighbouring indices are more alike than others."""
        return any(SAMPLERS[name].is_ordered(self.block(name)) for name in self.members)

    @property
    def needs_prototypes(self) -> bool:
        """True if candidates start from the prototypes of the study."""
        return any(SAMPLERS[name].needs_prototypes for name in self.members)

    @property
    def reader(self) -> str | None:
        """The sampler whose candidates are frames of the user's files, if there is one."""
        return next((name for name in self.members if SAMPLERS[name].structures(self.block(name))), None)

    @property
    def structures(self) -> tuple[str, ...]:
        """The user's files whose frames become candidates."""
        return files_of(SAMPLERS[self.reader].structures(self.block(self.reader))) if self.reader else ()

    @property
    def filter(self) -> FilterOptions:
        """Which frames of these files become candidates."""
        return SAMPLERS[self.reader].filter(self.block(self.reader)) if self.reader else FilterOptions()

    @property
    def after(self) -> str | None:
        """The design after whose labels candidates are made, if there is one."""
        return next(filter(None, (SAMPLERS[name].after(self.block(name)) for name in self.members)), None)

    @property
    def reads_model(self) -> bool:
        """True if candidates depend on the model of that design."""
        return any(SAMPLERS[name].reads_model(self.block(name)) for name in self.members)

    @property
    def data(self) -> list[Path]:
        """Files, besides the structures, that candidates depend on."""
        return [path for name in self.members for path in SAMPLERS[name].data(self.block(name))]

    @property
    def environments(self) -> set[str]:
        """The environments, besides `core`, in which the candidates are made."""
        return {SAMPLERS[name].environment(self.block(name)) for name in self.members} - {"core"}


class Sampling(Options):
    """Options that the candidates of one pool depend on, besides its name, the seed and the prototypes.

    Attributes
    ----------
    shares
        Share of each sampler that makes candidates, relative to the others.
    options
        Options of each sampler.
    constraints
        Conditions that every candidate must satisfy.
    """

    shares: dict[str, float]
    options: dict[str, SerializeAsAny[Options]]
    constraints: ConstraintOptions

    def knowing(self, labelled: Path, kind: str | None, model: Path | None) -> Sampling:
        """Return them after the labels of a design, with its labelled structures and the kind and file of its model."""
        told = {"labelled": labelled, "kind": kind, "model": model}
        return self.model_copy(
            update={"options": {name: SAMPLERS[name].knowing(own, **told) for name, own in self.options.items()}}
        )

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, given: Any) -> Any:
        """Read each block of options with the class of its sampler."""
        if not (isinstance(given, dict) and isinstance(given.get("options"), dict)):
            return given
        return given | {"options": {name: SAMPLERS.read(name, options) for name, options in given["options"].items()}}

    @model_validator(mode="after")
    def _paired(self) -> Sampling:
        if set(self.shares) != set(self.options):
            raise ValueError("every sampler needs a share and options")
        return self


class _Pools(_Sampling):
    """Pools of candidates, each sampled independently."""

    names: tuple[Identifier, ...] = Field(
        ("A", "B"), min_length=1, description="Names of the pools, each sampled independently."
    )
    shard_size: int = Field(
        5000,
        ge=1,
        description="Candidates per job. It changes the number of jobs, but no result.",
    )
    overrides: dict[Identifier, Options] = Field({})
    constraints: ConstraintOptions = Field(
        ConstraintOptions(), description="Conditions that every candidate must satisfy."
    )

    def of(self, pool: str) -> PoolOptions:
        """Return the options of one pool, with its overrides.

        Raises
        ------
        ValueError
            If the combination is not valid.
        """
        if pool not in self.overrides:
            return self.model_copy(update={"overrides": {}})
        own = {name: value for name, value in self.overrides[pool] if value is not None}
        # Checked, because a sampler and its options may come from different places.
        return PoolOptions.model_validate({**dict(self), **own, "overrides": {}})

    @property
    def shards(self) -> list[tuple[int, int]]:
        """The ranges of candidates that one job makes each; none crosses a number at which the pool may end."""
        return cut(self.sizes, self.shard_size)

    @property
    def sampling(self) -> Sampling:
        """The options that the candidates of a pool depend on; these options must be those of one pool."""
        members = sorted(self.members)
        return Sampling(
            shares={name: self.shares[name] for name in members},
            options={name: self.block(name) for name in members},
            constraints=self.constraints,
        )

    def check(self, pool: str) -> None:
        """Check, before any job runs, the files that the samplers of one pool read.

        Raises
        ------
        InputError
            If a file does not exist or has too few frames, or two samplers of a mixture each read one.
        """
        options = self.of(pool)
        for name in options.members:
            SAMPLERS[name].check(options.block(name), pool)
        readers = [f"`{name}`" for name in options.members if SAMPLERS[name].structures(options.block(name))]
        if len(readers) > 1:
            raise InputError(
                f"pools.mixture: {' and '.join(readers)} each read a file, and pool {pool} can have only one;"
                " give each of them a pool of its own."
            )
        if readers and not options.is_mixture:
            refuse_too_few(options.structures, options.most, options.filter)


SAMPLERS.keep_off("pools", {*dir(_Pools), *_Pools.model_fields})

_BLOCKS = {
    name: (sampler.Options, Field(sampler.Options(), description=f"Options of the sampler `{name}`."))
    for name, sampler in SAMPLERS.items()
    if sampler.Options is not Options
}

OverrideOptions = create_model(
    "OverrideOptions",
    __base__=Options,
    __doc__="Keys that differ in one pool; a block given here replaces the whole block of `pools`.",
    __module__=__name__,
    **{
        name: (
            annotation | None,
            Field(None, description=f"Replaces `pools.{name}`."),
        )
        for name, annotation in (
            *((name, Size if name == "size" else field.annotation) for name, field in _Sampling.model_fields.items()),
            *((name, options) for name, (options, _) in _BLOCKS.items()),
        )
    },
)

PoolOptions = create_model(
    "PoolOptions",
    __base__=_Pools,
    __doc__=_Pools.__doc__,
    __module__=__name__,
    overrides=(
        dict[Identifier, OverrideOptions],
        Field(
            {},
            description="Keys that differ in single pools, by name: for example `{B: {sampler: strain_components}}`.",
        ),
    ),
    **_BLOCKS,
)
