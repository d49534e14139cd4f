"""Options of rounds in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from gapdesign.config.options import Identifier, Options

SOONEST = 4
"""First round that can be left out: by then the gain of the second has been seen on the third."""


class AfterOptions(Options):
    """The design that another one continues, and how."""

    design: Identifier = Field(
        description="Name of the design that is continued. Its labelled structures come first; those without a label"
        " are not chosen again."
    )
    rescaled: bool = Field(
        True,
        description="Whether its labels change what the next structures are chosen by. The scales of the kernel are"
        " then those of its model, where that shares the kernel and its labels determine them; the expected errors and"
        " the scale of methods that go by rows of labels are the most likely ones. `false`: only the structures are"
        " known.",
    )
    stop: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share by which the next structures have to lower errors to be worth their labels. If they are"
        " expected to lower the model's own deviation by less, and those before them are seen to have lowered errors of"
        " energies and of forces by less, none is added. `null`: all are.",
    )


class RoundsOptions(Options):
    """Rounds in which a design is chosen, each by what the labels and the model of the last one say."""

    count: int = Field(ge=2, le=100, description="Number of rounds, which share the budget evenly.")
    pools: tuple[Identifier, ...] = Field(
        (),
        description="Pools of the rounds after the first, in order, where they are not chosen from the same one; a pool"
        " may be sampled by `biased` with what is labelled by then, see `pools.biased.after`.",
    )
    rescaled: bool = AfterOptions.model_fields["rescaled"]
    stop: float | None = AfterOptions.model_fields["stop"]

    @model_validator(mode="after")
    def _stoppable(self) -> RoundsOptions:
        if self.stop is not None and self.count < SOONEST:
            raise ValueError(
                f"`stop`: nothing is seen of earlier gains before round {SOONEST}; raise `count`, or leave it out"
            )
        return self


def _kind(rounds: Any) -> str:
    return "[options]" if isinstance(rounds, Mapping | RoundsOptions) else "[number]"


# Messages about mistakes leave out steps in brackets.
Rounds = Annotated[
    Annotated[int, Field(ge=2, le=100), Tag("[number]")] | Annotated[RoundsOptions, Tag("[options]")],
    Discriminator(_kind),
]
"""A number of rounds, or that and more."""
