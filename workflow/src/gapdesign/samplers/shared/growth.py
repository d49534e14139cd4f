"""Pools that grow by doubling until a wider one no longer helps: the option, and the sizes at which one may end."""

from __future__ import annotations

from pydantic import Field, model_validator

from gapdesign.config.options import Options


class GrowthOptions(Options):
    """A pool that grows until it is wide enough, in place of a number of candidates."""

    until: float = Field(
        gt=0,
        lt=1,
        description="The pool ends at the first doubling that raises the covering radius of a max-min design from the"
        " half by no more than this share, and at which that of a design from the whole pool is lower by no more.",
    )
    at_most: int = Field(
        ge=2,
        le=10**9,
        description="Candidates at which it ends at the latest. Shards and the plan are laid out for so many, and those"
        " that are not wanted stay empty.",
    )
    at_least: int = Field(5000, ge=1, le=10**9, description="Candidates before the first doubling.")

    @model_validator(mode="after")
    def _grows(self) -> GrowthOptions:
        if self.at_most <= self.at_least:
            raise ValueError(
                f"the pool begins with {self.at_least} candidates (`at_least`) and cannot grow to {self.at_most}"
                " (`at_most`); raise `at_most`, lower `at_least`, or give `size` a number"
            )
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Candidates after no doubling, one, two, ...; the last step may be shorter."""
        sizes = [self.at_least]
        while sizes[-1] < self.at_most:
            sizes.append(min(2 * sizes[-1], self.at_most))
        return tuple(sizes)
