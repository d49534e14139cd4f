"""How the groups of a pool are represented in its designs, and which of them hardly are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.shared.groups import Groups

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("pool", "group", "candidates", "design", "structures")

HARDLY = 0.25
"""Share of the number that a blind draw takes on average below which a group is hardly represented."""

CHANCE = 0.01
"""Probability of a blind draw with as few of a group above which nothing is said."""


def representation(pool: str, groups: Groups, designs: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Count the structures that each design takes from each group of its pool; empty where all are of one group.

    Parameters
    ----------
    pool : str
    groups : Groups
    designs : mapping of str to (n,) int64
        Candidates of each design.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`COLUMNS`: a row for each group and design, with the candidates that the group has.
    """
    import pandas as pd

    chosen = {design: groups.count(candidates) for design, candidates in designs.items()}
    rows = [
        (pool, group, size, design, counts[group])
        for group, size in groups.sizes.items()
        for design, counts in chosen.items()
        if len(groups.names) > 1
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True)
class Hardly:
    """A group that a design hardly represents.

    Attributes
    ----------
    group : str
    candidates, structures : int
        Of the group in the pool, and in the design.
    expected : float
        Structures that a blind draw takes on average.
    """

    group: str
    candidates: int
    structures: int
    expected: float


def hardly_there(table: pd.DataFrame) -> dict[str, list[Hardly]]:
    """Return the groups that are hardly in a design, by design, though a blind draw would have more.

    A group is if the design takes less than :data:`HARDLY` of what a draw without replacement takes on average, and
    such a draw has as few with a probability of less than :data:`CHANCE` (the hypergeometric distribution).
    """
    found: dict[str, list[Hardly]] = {}
    for design, rows in table.fillna({"group": ""}).groupby("design", sort=False):
        pool, chosen = int(rows["candidates"].sum()), int(rows["structures"].sum())
        for group, size, count in zip(rows["group"], rows["candidates"], rows["structures"], strict=True):
            expected = chosen * size / pool
            if not group or count >= HARDLY * expected:
                continue
            from scipy.stats import hypergeom  # half a second, which most designs do not need

            if hypergeom.cdf(count, pool, size, chosen) < CHANCE:
                found.setdefault(str(design), []).append(Hardly(str(group), int(size), int(count), expected))
    return found
