"""What the configuration says about pools."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, create_model, model_validator

from gapdesign.config.options import Identifier, Options
from gapdesign.samplers.constraints import ConstraintOptions
from gapdesign.samplers.entropy import EntropyOptions
from gapdesign.samplers.file import FileSamplerOptions
from gapdesign.samplers.md import MdOptions
from gapdesign.samplers.occupation import OccupationOptions
from gapdesign.samplers.random import RandomOptions
from gapdesign.samplers.rattle import RattleOptions
from gapdesign.samplers.strain import StrainOptions
from gapdesign.samplers.strain_components import StrainComponentsOptions
from gapdesign.samplers.supercell import SupercellOptions
from gapdesign.samplers.surface import SurfaceOptions
from gapdesign.samplers.volume import VolumeOptions

Member = Literal[
    "strain",
    "strain_components",
    "volume",
    "rattle",
    "supercell",
    "surface",
    "occupation",
    "random",
    "md",
    "entropy",
    "file",
]
"""Every sampler that makes structures itself."""

Name = Literal[Member, "mixture"]


class SamplingOptions(Options):
    """How one pool is sampled."""

    size: int = Field(5000, ge=1, description="Candidates in each pool. A pool that grows keeps its old candidates.")
    sampler: Name = Field("strain", description="How candidates are drawn; `mixture` shares a pool among several.")
    mixture: dict[Member, float] = Field(
        {},
        description="Share of each sampler in a pool of the sampler `mixture`, relative to the others: for example"
        " `{strain: 0.7, rattle: 0.3}`.",
    )
    strain: StrainOptions = Field(StrainOptions(), description="Options of the sampler `strain`.")
    strain_components: StrainComponentsOptions = Field(
        StrainComponentsOptions(), description="Options of the sampler `strain_components`."
    )
    volume: VolumeOptions = Field(VolumeOptions(), description="Options of the sampler `volume`.")
    rattle: RattleOptions = Field(RattleOptions(), description="Options of the sampler `rattle`.")
    supercell: SupercellOptions = Field(SupercellOptions(), description="Options of the sampler `supercell`.")
    surface: SurfaceOptions = Field(SurfaceOptions(), description="Options of the sampler `surface`.")
    occupation: OccupationOptions = Field(OccupationOptions(), description="Options of the sampler `occupation`.")
    random: RandomOptions = Field(RandomOptions(), description="Options of the sampler `random`.")
    md: MdOptions = Field(MdOptions(), description="Options of the sampler `md`.")
    entropy: EntropyOptions = Field(EntropyOptions(), description="Options of the sampler `entropy`.")
    file: FileSamplerOptions = Field(FileSamplerOptions(), description="Options of the sampler `file`.")

    @model_validator(mode="after")
    def _shares(self) -> SamplingOptions:
        if self.sampler == "mixture" and not self.mixture:
            raise ValueError("the sampler `mixture` needs shares; give `mixture`, such as {strain: 0.7, rattle: 0.3}")
        for name, share in self.mixture.items():
            if not share > 0:
                raise ValueError(f"the share {share} of `{name}` in `mixture` is not above 0; raise it or leave it out")
        return self

    @property
    def members(self) -> tuple[str, ...]:
        """The samplers that make the candidates."""
        return tuple(self.mixture) if self.sampler == "mixture" else (self.sampler,)

    @property
    def is_ordered(self) -> bool:
        """Whether candidates with neighbouring indices are more alike than others."""
        return "md" in self.members or ("file" in self.members and not self.file.shuffle)


OverrideOptions = create_model(
    "OverrideOptions",
    __base__=Options,
    __doc__="What is different in one pool; a block that is given replaces the whole of that block.",
    **{
        name: (
            field.annotation | None,
            Field(None, description=f"In place of `pools.{name}`.", **({"ge": 1} if name == "size" else {})),
        )
        for name, field in SamplingOptions.model_fields.items()
    },
)


class PoolOptions(SamplingOptions):
    """Independent source samplings of candidates."""

    names: tuple[Identifier, ...] = Field(
        ("A", "B"), min_length=1, description="Names of the pools, each sampled on its own."
    )
    shard_size: int = Field(
        5000,
        ge=1,
        description="Candidates a job. How a pool is cut changes no result, only the number of jobs.",
    )
    overrides: dict[Identifier, OverrideOptions] = Field(
        {},
        description="What is different in single pools, by name: for example `{B: {sampler: strain_components}}`.",
    )
    constraints: ConstraintOptions = Field(ConstraintOptions(), description="What every candidate must satisfy.")

    def of(self, pool: str) -> PoolOptions:
        """The options of one pool, its overrides in their places.

        Raises
        ------
        ValueError
            If what they make together is not valid.
        """
        if pool not in self.overrides:
            return self.model_copy(update={"overrides": {}})
        own = {name: value for name, value in self.overrides[pool] if value is not None}
        # Checked, because a sampler and its options may come from different places.
        return PoolOptions.model_validate({**dict(self), **own, "overrides": {}})


MEMBERS: tuple[str, ...] = get_args(Member)
