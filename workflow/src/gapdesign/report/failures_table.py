"""Failed labels, as the page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gapdesign.report import words

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms


def failures(failed: pd.DataFrame, longest: int = 200) -> dict[str, Any]:
    """Count the reasons, and return the first rows."""
    if not len(failed):
        return {"count": 0, "reasons": [], "rows": [], "more": 0}
    reasons = failed.groupby("reason", sort=False).size().sort_values(ascending=False, kind="stable")
    rows = failed.head(longest).to_dict("records")
    return {
        "count": len(failed),
        "reasons": list(reasons.items()),
        "rows": rows,
        "more": len(failed) - len(rows),
    }


def replaced(designs: Mapping[str, list[Atoms]], labelled: Mapping[str, Sequence[int]]) -> list[str]:
    """Report, for each design that lost structures, which ranks of its reserve took their places."""
    sentences = []
    for design, frames in designs.items():
        size, ranks = len(frames), labelled[design]
        lost = sorted(set(range(size)) - set(ranks))
        parts = [f"{design} lost {_ranks(lost)}"]
        if taken := [rank for rank in ranks if rank >= size]:
            parts.append(f"{_ranks(taken)} of its reserve filled in")
        if short := size - len(ranks):
            parts.append(f"it is {words.count(short, 'structure')} short of its budget")
        if lost:
            sentences.append(f"{'; '.join(parts)}.")
    return sentences


def _ranks(ranks: Sequence[int], most: int = 10) -> str:
    if len(ranks) > most:
        return f"{len(ranks)} ranks from {ranks[0]} to {ranks[-1]}"
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {words.listing(map(str, ranks))}"
