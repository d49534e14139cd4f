"""Options of the rows of labels in the configuration."""

from __future__ import annotations

from pydantic import Field

from gapdesign.config.options import Options


class RowsOptions(Options):
    """The linear model in which labels have rows, for methods that weigh what labels teach."""

    points: int = Field(
        400,
        ge=1,
        le=5000,
        description="Functions in which energies are expanded, shared evenly among the elements: similarities, by"
        " `kernel.soap.zeta`, to environments of the pools that span the others best. Time grows with their square,"
        " files with their number: 28 bytes and 12 for each atom, times this number, for each candidate.",
    )
    sample: int = Field(
        5000,
        ge=1,
        description="Environments per element among which these are found, of structures taken evenly from all pools.",
    )
