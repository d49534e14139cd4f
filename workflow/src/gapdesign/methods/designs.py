"""Designs of any method: its choice, the reserve behind it, and their structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods import budgets
from gapdesign.methods.base import Method, Selection, Task
from gapdesign.methods.quotas import Parts, Quotas
from gapdesign.methods.shared.chance import drawn
from gapdesign.methods.shared.costs import spent_before
from gapdesign.methods.shared.distance import down_the_design
from gapdesign.shards import shard_range

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.structures import Batch


CORE_HOURS, LEFT = "core_hours", "core_hours_left"
"""Names in ``info`` of what the label of a structure costs, and of what is left of the budget after it."""


def select(method: type[Method], task: Task, *, reserve: int = 0, quotas: Quotas | None = None) -> Selection:
    """Choose a design of the task's budget and, behind it, ``reserve`` ranks that may replace others.

    A method that chooses a design as a whole defines no reserve; its reserve is drawn blindly. Quotas do not bind the
    reserve. If the task has core-hours, they end the design; see :mod:`.budgets`.
    """
    if task.core_hours is not None:
        return budgets.select(method, task, reserve=reserve)
    if quotas is None:
        return _select(method, task, reserve)
    parts = Parts()
    for turn in quotas.turns:
        stage = quotas.stage(task, turn, parts.candidates())
        found = _select(method, stage.task, reserve if turn is None else 0)
        if turn is not None and len(found.candidates) < stage.task.budget:
            task.progress(
                f"quotas.{turn}: only {len(found.candidates)} of {stage.task.budget} structures; all others of"
                " the group are copies of these, or of what is there already"
            )
        parts.add(found, stage)
    return parts.joined()


def _select(method: type[Method], task: Task, reserve: int) -> Selection:
    if method.is_prefix:
        found = method.select(replace(task, budget=min(task.budget + reserve, task.pool.size)))
        return replace(found, reserved=max(0, len(found.candidates) - task.budget))
    design = method.select(task) if task.budget else Selection(np.zeros(0, np.int64), np.zeros(0))
    lots = drawn(task, min(len(design.candidates) + reserve, task.pool.size))
    others = lots[~np.isin(lots, design.candidates)][:reserve]
    candidates = np.concatenate([design.candidates, others])
    distances = down_the_design(task, candidates)
    return replace(design, candidates=candidates, distances=distances, reserved=len(others))


def frames(
    selection: Selection,
    shards: Sequence[str | Path],
    *,
    pool: str,
    costs: np.ndarray | None = None,
    core_hours: float | None = None,
) -> list[Atoms]:
    """Return the structures of a design, in the order chosen, from the shards of candidates of its pool.

    Each carries in ``info`` pool, candidate, rank, distance, outside if the method proves its order, and score if it
    chooses by something other than the distance. Where core-hours end the design, each carries what its label costs,
    ``core_hours``, and those of the design what is left of the budget after it, ``core_hours_left``.

    Parameters
    ----------
    selection : Selection
    shards : sequence of path
    pool : str
    costs : (N,) float64, optional
        Core-hours of the label of each candidate of the pool.
    core_hours : float, optional
        The budget.
    """
    found = structures(selection.candidates, shards)
    ordered = [found[int(index)] for index in selection.candidates]
    for rank, atoms in enumerate(ordered):
        extra = {}
        if selection.outside is not None and rank < len(selection.outside):
            extra["outside"] = float(selection.outside[rank])
        if selection.scores is not None and rank < len(selection.scores):
            extra["score"] = float(selection.scores[rank])
        if core_hours is not None:
            extra[CORE_HOURS] = float(costs[selection.candidates[rank]])
        if core_hours is not None and rank < len(ordered) - selection.reserved:
            extra[LEFT] = float(core_hours - spent_before(costs[selection.candidates[: rank + 1]])[-1])
        place = {"pool": pool, "candidate": atoms.info.pop("candidate"), "rank": rank}
        atoms.info = {**place, "distance": float(selection.distances[rank]), **extra, **atoms.info}
    return ordered


def structures(candidates: np.ndarray, shards: Sequence[str | Path]) -> dict[int, Atoms]:
    """Return the structures of some candidates by index, from the shards of candidates of their pool."""
    from gapdesign.structures import read_batch

    found: dict[int, Atoms] = {}
    for path in shards:
        start, stop = shard_range(path)
        mine = candidates[(candidates >= start) & (candidates < stop)]
        if len(mine):
            batch = read_batch(path)
            found |= {int(index): batch.annotated(int(index) - start) for index in mine}
    return found


def batch(candidates: np.ndarray, shards: Sequence[str | Path]) -> Batch:
    """Return the structures of some candidates (n,), in that order, from the shards of candidates of their pool."""
    from gapdesign.structures import concatenate, read_batch

    parts, places = [], []
    for path in shards:
        start, stop = shard_range(path)
        mine = np.flatnonzero((candidates >= start) & (candidates < stop))
        if len(mine):
            parts.append(read_batch(path).take(candidates[mine] - start))
            places.append(mine)
    return concatenate(parts).take(np.argsort(np.concatenate(places)))


def with_frames(table: pd.DataFrame, shards: Sequence[str | Path]) -> pd.DataFrame:
    """Add the columns ``source_file`` and ``source_frame`` to a table of candidates, if these come from files."""
    from gapdesign.inputs.carried import origin
    from gapdesign.structures import read_batch

    chosen, found = set(table["candidate"].tolist()), {}
    for path in shards:
        batch = read_batch(path)
        found |= {
            int(index): origin(bytes(note))
            for index, note in zip(batch.candidates, batch.notes, strict=True)
            if note and int(index) in chosen
        }
    if not found:
        return table
    origins = [found.get(index, ("", None)) for index in table["candidate"].tolist()]
    files, numbers = zip(*origins, strict=True)
    return table.assign(source_file=files, source_frame=numbers).astype({"source_frame": "Int64"})
