"""What the user says about the design page."""

from __future__ import annotations

from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.methods import METHODS

_LIGHT = " and ".join(f"`{name}`" for name, method in METHODS.items() if method.is_light)


class QualityOptions(Options):
    """What the design page is measured on; nothing here changes a design."""

    draws: int = Field(20, ge=2, le=1000, description="Random draws from each pool, for the bands.")
    subpools: int = Field(
        4,
        ge=0,
        le=16,
        description="Smaller pools that designs are chosen from again: the first half of the candidates, a quarter, and"
        f" so on; none smaller than twice the budget. Methods other than {_LIGHT} do so where candidates times budget"
        " are 2.5 million at most.",
    )
    sample: int = Field(
        5000,
        ge=10,
        description="Candidates of each pool that curves, bands and maps are measured against, evenly spaced."
        " `quality.csv` is measured against all.",
    )
