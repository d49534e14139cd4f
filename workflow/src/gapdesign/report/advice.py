"""Advice in plain words, before any label: whether the pool is wide enough, whether the budget is, and what comes next.

Everything is read off measured curves: the change at the last doubling, and its power law extrapolated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, log2
from typing import TYPE_CHECKING

from gapdesign.methods import is_baseline
from gapdesign.report.words import cost, count, method_name, number, percent, span, span_of

if TYPE_CHECKING:
    import pandas as pd

STILL = 0.05
"""Smallest relative change at a doubling that counts."""

NEXT = 100
"""Further structures whose gain is predicted; as many as the design has, or the pool has left, if those are fewer."""

OVERLAPPING, ORTHOGONAL = 0.01, 0.5
"""Shares of pairs above which the advice points them out."""


@dataclass(frozen=True)
class Outlook:
    """Gains of one design at the last doublings of budget and pool.

    Attributes
    ----------
    design : str
    size, half : int
        Structures in the design, and before the last doubling.
    radius : float
        Covering radius of the whole design.
    fall, deviation_fall : float
        Share by which the covering radius and the largest posterior deviation fell at the last doubling; NaN for a
        design of one.
    candidates, half_pool : int
        Candidates of the pool, and of the one half as large; 0 if that was not measured.
    pool_fall : float
        Share by which the covering radius fell when the pool doubled; NaN if that was not measured.
    more : int
        Further structures; 0 if the pool has none left.
    radius_then : float
        Covering radius with those, if it keeps falling by the power law of the last doubling; NaN without any.
    hours_more : float
        Core-hours of their labels, at the mean cost so far.
    as_random : int
        Size of the smallest prefix that covers the pool as well as half of the random draws of the whole size do; 0 if
        none does.
    """

    design: str
    size: int
    half: int
    radius: float
    fall: float
    deviation_fall: float
    candidates: int
    half_pool: int
    pool_fall: float
    more: int
    radius_then: float
    hours_more: float
    as_random: int


def outlook(curves: pd.DataFrame, design: str) -> Outlook:
    """Read the outlook of one design off the table ``quality/curves.csv``."""
    mine = curves[curves["design"] == design]
    candidates = int(mine["candidates"].max())
    budget = mine[mine["candidates"] == candidates].set_index("size").sort_index()
    size, half = int(budget.index[-1]), -(-int(budget.index[-1]) // 2)
    whole, before = budget.iloc[-1], budget.loc[half]
    smaller = mine[mine["candidates"] == candidates // 2]
    radius, fall = float(whole["covering_radius"]), _fall(before["covering_radius"], whole["covering_radius"])
    more = min(NEXT, size, candidates - size)
    exponent = log2(1 - fall) / log2(size / half) if isfinite(fall) and fall < 1 and size > half else float("nan")
    random = random_radii(curves, mine["pool"].iloc[0], size)
    as_well = budget.index[budget["covering_radius"] <= random.median()] if len(random) else []
    return Outlook(
        design=design,
        size=size,
        half=half,
        radius=radius,
        fall=fall if size > half else float("nan"),
        deviation_fall=_fall(before["posterior_std_max"], whole["posterior_std_max"]) if size > half else float("nan"),
        candidates=candidates,
        half_pool=candidates // 2 if len(smaller) else 0,
        pool_fall=_fall(smaller["covering_radius"].iloc[-1], radius) if len(smaller) else float("nan"),
        more=more,
        radius_then=radius * ((size + more) / size) ** min(exponent, 0.0)
        if isfinite(exponent) and more > 0
        else float("nan"),
        hours_more=float(whole["label_core_hours"]) * more / size,
        as_random=int(as_well[0]) if len(as_well) else 0,
    )


def _fall(before: float, after: float) -> float:
    return float(1 - after / before) if before > 0 else float("nan")


def random_radii(curves: pd.DataFrame, pool: str, size: int) -> pd.Series:
    """Return the covering radii of random draws of a given size from a whole pool."""
    drawn = curves[(curves["design"] == "") & (curves["pool"] == pool)]
    return drawn[(drawn["candidates"] == drawn["candidates"].max()) & (drawn["size"] == size)]["covering_radius"]


def advice(curves: pd.DataFrame, methods: Mapping[str, str], quality: pd.DataFrame) -> str:
    """Write one paragraph about the designs of the first method that does not draw blindly, of the first one's size.

    Parameters
    ----------
    curves
        The table ``quality/curves.csv``, with an empty ``design`` for random draws.
    methods
        Design to method, in the order of the configuration.
    quality
        The table ``quality.csv``.
    """
    present = [design for design in methods if (curves["design"] == design).any()]
    if not present:
        return "No design has been measured."
    looking = [methods[design] for design in present if not is_baseline(methods[design])]
    method = looking[0] if looking else methods[present[0]]
    same = [outlook(curves, design) for design in present if methods[design] == method]
    found = [each for each in same if each.size == same[0].size]
    chosen = [each.design for each in found]
    name = f"the {method_name(method)} design{'s' if len(chosen) > 1 else ''}"
    if len(found) < len(same):
        name += f" of {count(found[0].size, 'structure')}"
    rows = quality[quality["design"].isin(chosen)]
    sentences = [_pool(found, name, method), _budget(found, name, method, curves), _next(found), _pairs(rows, name)]
    return " ".join(filter(None, sentences))


def _pool(found: list[Outlook], name: str, method: str) -> str:
    falls = [each.pool_fall for each in found if isfinite(each.pool_fall)]
    if is_baseline(method):
        return "A random design gains nothing from a wider pool, so it cannot show whether this one is wide enough."
    if not falls:
        return "Whether the pool is wide enough was not measured: nothing was chosen from a smaller pool."
    first = next(each for each in found if each.half_pool)
    doubling = f"Doubling the pool from {number(first.half_pool)} to {number(first.candidates)} candidates"
    change = f"{doubling} {_changed(f'the covering radius of {name}', falls)}"
    if max(falls) >= STILL:
        return f"{change}: the pool is not yet wide enough for this budget, and a larger one is worth its descriptors."
    return f"{change}: the pool is wide enough for this budget."


def _changed(what: str, falls: list[float]) -> str:
    """Describe by how much something fell, or rose, at a doubling."""
    if min(falls) >= 0:
        return f"lowered {what} by {_percents(falls)}"
    if max(falls) < 0:
        return f"raised {what} by {_percents([-fall for fall in falls])}"
    return f"changed {what} by {percent(-max(falls))} to +{percent(-min(falls))}"


def _percents(shares: list[float]) -> str:
    return f"{span([100 * share for share in shares])} %"


def _budget(found: list[Outlook], name: str, method: str, curves: pd.DataFrame) -> str:
    falls = [each.fall for each in found if isfinite(each.fall)]
    if not falls:
        return ""
    first, deviations = found[0], [each.deviation_fall for each in found if isfinite(each.deviation_fall)]
    text = f"Doubling the budget from {number(first.half)} to {number(first.size)} structures"
    text += f" {_changed('the covering radius', falls)}"
    text += f" and {_changed('the largest posterior deviation', deviations)}" if deviations else ""
    enough = max(falls + deviations) < STILL
    text += ": this budget is enough for this pool." if enough else ": this budget does not exhaust the pool."
    radii = [random_radii(curves, pool, each.size) for each in found for pool in _pools(curves, each.design)]
    radii = [value for part in radii for value in part]
    if is_baseline(method) or not radii:
        return text
    low, middle, high = (number(value, 2) for value in _quantiles(radii))
    text += f" Random draws of this size have a covering radius of {middle} ({low} to {high} in nine of ten)"
    sizes = [each.as_random for each in found]
    if min(sizes) and max(sizes) < first.size:
        return f"{text}; {name} reach{'es' if len(found) == 1 else ''} it with {span_of(sizes)} structures."
    return f"{text}; {name} ha{'s' if len(found) == 1 else 've'} {span([each.radius for each in found])}."


def _pools(curves: pd.DataFrame, design: str) -> list[str]:
    return list(dict.fromkeys(curves["pool"][curves["design"] == design]))


def _quantiles(values: list[float]) -> tuple[float, float, float]:
    import numpy as np

    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return float(low), float(middle), float(high)


def _next(found: list[Outlook]) -> str:
    told = [each for each in found if isfinite(each.radius_then)]
    if not told:
        return ""
    gains = [1 - each.radius_then / each.radius for each in told if each.radius > 0]
    hours = [each.hours_more for each in told if isfinite(each.hours_more)]
    worth = f"would lower the covering radius by {_percents(gains)}, to {span([each.radius_then for each in told])}"
    worth = "would not lower the covering radius" if not gains or max(gains) < 0.005 else worth
    price = f"; their labels cost {cost(hours)}" if hours else ""
    more = min(each.more for each in told)
    next_ones = f"the next {count(more, 'structure')}" if more > 1 else "the next structure"
    return f"If this trend continues, {next_ones} {worth}{price}."


def _pairs(rows: pd.DataFrame, name: str) -> str:
    text = ""
    if len(rows) and rows["overlapping_share"].max() > OVERLAPPING:
        text = f"{percent(rows['overlapping_share'].max())} of the pairs overlap, and are paid for twice."
    if len(rows) and rows["orthogonal_share"].max() > ORTHOGONAL:
        far = (
            f"{percent(rows['orthogonal_share'].max())} of the pairs of {name} are orthogonal: the descriptor sees too"
        )
        text = f"{text} {far} little in common to interpolate, and `gapdesign tune` may find a better one.".strip()
    return text
