"""Options of the design page."""

from __future__ import annotations

from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.methods import METHODS

_LIGHT = " and ".join(f"`{name}`" for name, method in METHODS.items() if method.is_light)


class QualityOptions(Options):
    """Settings of the design page; none of them changes a design."""

    draws: int = Field(20, ge=2, le=1000, description="Number of random draws from each pool, for the bands.")
    subpools: int = Field(
        4,
        ge=0,
        le=16,
        description="Number of smaller pools that designs are chosen from again: a random half of the candidates, a"
        f" quarter, and so on; none smaller than twice the budget. Methods other than {_LIGHT} choose again only where"
        " candidates times budget are at most 2.5 million.",
    )
    sample: int = Field(
        5000,
        ge=10,
        description="Number of candidates of each pool that curves, bands and maps are measured against, evenly spaced"
        " or, where neighbours are alike (frames of a file that is not shuffled, or of a trajectory), drawn at random."
        " `quality.csv` is measured against all.",
    )
