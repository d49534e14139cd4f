"""Designs that a budget of core-hours ends: each next structure is the method's choice among those still affordable.

A stage is the method's own choice from all candidates that fit what is left, beside what was chosen before. It ends at
the first choice that no longer fits; all that do not fit are then left out, and the next stage begins. For a method
that takes the best candidate at every rank, that is the best of those still affordable, exactly.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from gapdesign.errors import InputError
from gapdesign.methods.base import Method, Selection, Task
from gapdesign.methods.shared.chance import shuffled
from gapdesign.methods.shared.costs import ROUNDING, affordable, drawn_within, spent_before
from gapdesign.methods.shared.parts import among, beside

DRAWS = 20
"""Random designs that a design is compared with."""

FEWEST = 16
"""Smallest number of ranks that a stage asks for, if there are enough candidates."""

CHEAPER = (0.75, 0.5, 0.25, 0.0)
"""Shares of a design, its cheapest structures: a quarter of the reserve each fits in place of any but these."""


def select(method: type[Method], task: Task, *, reserve: int = 0) -> Selection:
    """Choose a design that the core-hours of the task pay for, and behind it the ranks of its reserve.

    All ranks of the reserve fit in place of any of the most expensive quarter of the design, three quarters of them in
    place of any of the more expensive half, half of them in place of any but the cheapest quarter, and the last quarter
    in place of any structure.

    Parameters
    ----------
    method : type of Method
        One whose larger designs begin with smaller ones.
    task : Task
        With costs, core-hours, and the most structures as its budget.
    reserve : int
        Ranks of the reserve.

    Returns
    -------
    Selection
        For certified methods, ``outside`` of a rank of the design is the largest distance of any candidate left out
        whose label is still affordable after it, 0 if there is none; ranks of the reserve have none.

    Raises
    ------
    InputError
        If the budget pays for no candidate at all, or not for the one to start from.
    """
    costs, core_hours = task.costs, task.core_hours
    if not affordable(costs.min(), 0.0, core_hours):
        raise InputError(
            f"budget.core_hours: {core_hours:g} core-hours pay for no label; the cheapest costs {costs.min():.3g}."
        )
    if task.start is not None and not affordable(costs[task.start], 0.0, core_hours):
        raise InputError(
            f"start: the label of candidate {task.start} costs {costs[task.start]:.3g} core-hours, more than the budget"
            f" of {core_hours:g}; start from another, or raise it."
        )
    design = method.select(task) if method.spends else _design(method, task)
    behind = _reserve(method, task, design.candidates, reserve)
    return replace(_joined([design, *behind]), outside=design.outside, reserved=sum(len(r.candidates) for r in behind))


def end(task: Task, costs: np.ndarray, most: int) -> str:
    """Return why a design with labels at some costs (n,) ends where it does, in words."""
    if len(costs) >= most:
        return f"it ends at {most} structures (at_most)"
    left = task.core_hours - float(spent_before(costs)[-1])
    if left <= task.core_hours * ROUNDING:
        return "all are spent"
    if affordable(task.costs.min(), 0.0, left):
        return "all candidates that are still affordable are copies of these, or of existing structures"
    return f"no candidate costs as little as the {left:.3g} that are left"


def by_chance(task: Task) -> tuple[float, float]:
    """Return how many structures random designs within the core-hours of a task have, and what they cost: means."""
    orders = [shuffled(f"{task.seed}/by chance/{draw}", task.pool.size) for draw in range(DRAWS)]
    drawn = [task.costs[drawn_within(task.costs, task.core_hours, order)[: task.budget]] for order in orders]
    return float(np.mean([len(costs) for costs in drawn])), float(np.mean([costs.sum() for costs in drawn]))


def _design(method: type[Method], task: Task) -> Selection:
    """Choose by stages until nothing affordable is left, or as many structures as the task allows."""
    costs, core_hours = task.costs, task.core_hours
    # The distance of the rank after the last completes the certificate.
    most = task.budget + method.is_certified
    chosen, parts, spent = np.zeros(0, np.int64), [], 0.0
    rest, last = np.flatnonzero(affordable(costs, spent, core_hours)), 0.0
    while len(rest) and len(chosen) < most:
        enough = max(FEWEST, int(2 * (core_hours - spent) / costs[rest].mean()))
        count = min(len(rest), most - len(chosen), enough)
        found = _stage(method, task, chosen, rest, count, f"stage/{len(parts)}" if parts else "")
        before = spent_before(costs[found.candidates], spent)
        fits = affordable(costs[found.candidates], before[:-1], core_hours)
        paid = len(fits) if fits.all() else int(np.argmin(fits))
        parts.append(_first(found, paid))
        chosen, spent = np.concatenate([chosen, found.candidates[:paid]]), float(before[paid])
        if paid == len(fits) < count:  # all that is left coincides with what was chosen
            last = 0.0 if found.outside is None or not paid else float(found.outside[-1])
            break
        rest = np.setdiff1d(rest[affordable(costs[rest], spent, core_hours)], chosen)
    whole = _first(_joined(parts), task.budget)
    if not method.is_certified:
        return replace(whole, outside=None)
    distances = np.concatenate([*(part.distances for part in parts), [last]])
    return replace(whole, outside=distances[1 : len(whole.candidates) + 1])


def _reserve(method: type[Method], task: Task, design: np.ndarray, count: int) -> list[Selection]:
    """Choose the ranks that may replace structures without a label, those for the most expensive ones first."""
    costs = task.costs
    if not count or not len(design):
        return []
    left = task.core_hours - float(spent_before(costs[design])[-1])
    shares = np.array_split(np.arange(count), len(CHEAPER))
    ordered, most = np.sort(costs[design]), Counter()
    for share, ranks in zip(CHEAPER, shares, strict=True):
        most[left + float(ordered[int(share * len(ordered))])] += len(ranks)
    chosen, parts = design, []
    for limit, ranks in most.items():
        rest = np.setdiff1d(np.flatnonzero(affordable(costs, 0.0, limit)), chosen)
        if ranks and len(rest):
            parts.append(_stage(method, task, chosen, rest, min(ranks, len(rest)), f"reserve/{len(parts)}"))
            chosen = np.concatenate([chosen, parts[-1].candidates])
    return parts


def _stage(method: type[Method], task: Task, chosen: np.ndarray, rest: np.ndarray, count: int, name: str) -> Selection:
    """Choose from some candidates, increasing, beside those chosen; a method that weighs costs has all it wants."""
    part = among(beside(task, chosen), rest)
    plenty = float(task.costs.sum()) if method.spends else None
    seed = f"{task.seed}/{name}" if name else task.seed
    tell = (lambda line: None) if method.spends else task.progress  # what it says of its budget is not of this one
    found = method.select(replace(part, budget=count, core_hours=plenty, seed=seed, earlier=None, progress=tell))
    return replace(found, candidates=rest[found.candidates], state=None)


def _first(found: Selection, count: int) -> Selection:
    """Return the first ranks of a design."""
    parts = {name: getattr(found, name) for name in ("candidates", "distances", "outside", "scores")}
    return replace(found, **{name: None if part is None else part[:count] for name, part in parts.items()})


def _joined(parts: list[Selection]) -> Selection:
    """Return the ranks of several selections as one; scores are those that each gave, if all did."""
    scores = [part.scores for part in parts if len(part.candidates)]
    return Selection(
        candidates=np.concatenate([part.candidates for part in parts]),
        distances=np.concatenate([part.distances for part in parts]),
        passes=sum(part.passes for part in parts),
        scores=None if not scores or any(part is None for part in scores) else np.concatenate(scores),
    )
