"""Pools that grow until they are wide enough, as the pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gapdesign.report.words import number, percent

if TYPE_CHECKING:
    import pandas as pd


def section(growth: pd.DataFrame | None, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the page's section on the growth of pools.

    Parameters
    ----------
    growth
        The table ``quality/growth.csv``, if there is one.
    configuration
        Of the study.

    Returns
    -------
    dict
        ``sentences`` about where each pool ended; ``is_beside``, whether any design continues a set; and ``rows``:
        ``pool``, ``existing``, ``candidates``, ``half_before``, ``half_after``, ``rise``, ``radius``, ``fall``.
    """
    if growth is None or not len(growth):
        return {"sentences": [], "is_beside": False, "rows": []}
    rows = [row | {"existing": row["existing"] or ""} for row in growth.fillna({"existing": ""}).to_dict("records")]
    ended = {str(pool): int(mine["candidates"].max()) for pool, mine in growth.groupby("pool", sort=False)}
    sentences = [
        f"{ended_at(pool, size, of_pool(configuration, pool))} {_why(growth[growth['pool'] == pool], configuration)}"
        for pool, size in ended.items()
    ]
    return {"sentences": sentences, "is_beside": any(row["existing"] for row in rows), "rows": rows}


def of_pool(configuration: Mapping[str, Any], pool: str) -> Mapping[str, Any] | None:
    """Return how a pool grows, by its own options or those of all; None if its size is a number."""
    pools = configuration.get("pools") or {}
    own = ((pools.get("overrides") or {}).get(pool) or {}).get("size")
    size = pools.get("size") if own is None else own
    return size if isinstance(size, Mapping) else None


def ended_at(pool: str, size: int, growth: Mapping[str, Any]) -> str:
    """Return a sentence about where a pool ended."""
    most = growth["at_most"]
    return f"Pool {pool} grew to {number(size)}{'' if size == most else f' of at most {number(most)}'} candidates."


def _why(mine: pd.DataFrame, configuration: Mapping[str, Any]) -> str:
    until = of_pool(configuration, str(mine["pool"].iloc[0]))["until"]
    last = mine[mine["candidates"] == mine["candidates"].max()]
    rise, fall = last["rise"].max(), last["fall"].max()
    change = f"raised the covering radius of the design from the half by {percent(rise)}"
    change += f", and that from all candidates {'lowers' if fall > 0 else 'does not lower'} it"
    change += f" by {percent(fall)}" if fall > 0 else ""
    if max(rise, fall) <= until:
        return f"The last doubling {change}: it is wide enough."
    return f"The last step still {change}: it is not yet as wide as {percent(until)} asks for."
