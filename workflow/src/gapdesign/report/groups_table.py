"""Groups of candidates in the designs, as the pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gapdesign.quality.groups import hardly_there
from gapdesign.report import words

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def warnings(groups: pd.DataFrame, designs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which quotas were not filled, and which groups are hardly in a design: a sentence per design.

    Designs that continue an existing set are left out of the second, since that may have these groups, and so are those
    that no model is fitted to.

    Parameters
    ----------
    groups
        The table ``quality/groups.csv``.
    designs
        The block `designs` of the configuration.
    """
    sentences = []
    chosen = {(row["design"], row["group"]): row["structures"] for row in groups.to_dict("records")}
    for design, options in designs.items():
        short = {
            name: count for name, count in options.get("quotas", {}).items() if chosen.get((design, name), 0) < count
        }
        if short:
            each = [f"{chosen.get((design, name), 0)} of {count} of {name}" for name, count in short.items()]
            sentences.append(
                f"{design} has {words.listing(each)} that its quotas ask for: all others are copies of these, or of"
                " what is there already."
            )
    left_out = [name for name, options in designs.items() if options.get("existing") or not options.get("fit", True)]
    alone = groups[~groups["design"].isin(left_out)]
    for design, hardly in hardly_there(alone).items():
        named = sorted(hardly, key=lambda each: -each.expected)
        each = [
            f"{words.number(one.structures) if one.structures else 'none'} of the {words.number(one.candidates)}"
            f" candidates of {one.group} (a blind draw about {words.number(round(one.expected))})"
            for one in named[:MOST]
        ]
        each += [f"as few of {words.count(len(named) - MOST, 'other group')}"] if len(named) > MOST else []
        sentences.append(
            f"{design} has {words.listing(each)}. A model fitted to it may do badly there; `quotas` give a"
            " group its structures."
        )
    return sentences
