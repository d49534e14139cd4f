"""Groups of candidates in the designs, as the pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gapdesign.quality.groups import hardly_there
from gapdesign.report import words

if TYPE_CHECKING:
    import pandas as pd

MOST = 5
"""Groups of one design that a warning names."""


def tables(groups: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table for each pool with groups: designs as columns, and as rows groups, with the numbers of each."""
    found = []
    for pool, rows in groups.fillna({"group": ""}).groupby("pool", sort=False):
        designs = list(dict.fromkeys(rows["design"]))
        whole = int(rows[rows["design"] == designs[0]]["candidates"].sum())
        lines = [
            {
                "group": str(group) or words.DASH,
                "candidates": int(mine["candidates"].iloc[0]),
                "share": float(mine["candidates"].iloc[0]) / whole,
                "structures": [int(count) for count in mine["structures"]],
            }
            for group, mine in rows.groupby("group", sort=False)
        ]
        found.append({"pool": pool, "designs": designs, "rows": lines})
    return found


def warnings(groups: pd.DataFrame) -> list[str]:
    """Say which groups are hardly in a design: a sentence per design."""
    sentences = []
    for design, hardly in hardly_there(groups).items():
        named = sorted(hardly, key=lambda each: -each.expected)
        each = [
            f"{words.number(one.structures) if one.structures else 'none'} of the {words.number(one.candidates)}"
            f" candidates of {one.group} (a blind draw about {words.number(round(one.expected))})"
            for one in named[:MOST]
        ]
        each += [f"as few of {words.count(len(named) - MOST, 'other group')}"] if len(named) > MOST else []
        sentences.append(
            f"{design} has {words.listing(each)}. A model fitted to it may do badly there; designs.{design}.quotas"
            " gives a group its structures."
        )
    return sentences
