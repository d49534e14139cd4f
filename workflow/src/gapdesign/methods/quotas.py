"""Designs with quotas: so many structures of some groups of the pool first, then the rest from all that are left.

Every stage is the method's own choice from a part of the pool, and continues what the stages before have chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gapdesign.errors import InputError
from gapdesign.methods.base import Method, Selection, Task, Wrong
from gapdesign.methods.shared.distance import free
from gapdesign.methods.shared.groups import Groups
from gapdesign.methods.shared.parts import among, beside


class Stage(NamedTuple):
    """A part of the choice of a design.

    Attributes
    ----------
    task : Task
        Choosing from one group, or at last from all that are left; it may have nothing to choose then.
    members : (m,) int64
        Candidates of the pool that the task numbers from 0.
    """

    task: Task
    members: np.ndarray


def scaled(wanted: Mapping[str, int], factor: float) -> dict[str, int]:
    """Return quotas of a design that is ``factor`` times as large, rounded down, without those that are nothing."""
    found = {name: int(factor * count + 1e-9) for name, count in wanted.items()}
    return {name: count for name, count in found.items() if count}


@dataclass(frozen=True)
class Quotas:
    """Numbers of structures that a design takes from groups of its pool before all others.

    Attributes
    ----------
    groups : Groups
        Of the candidates.
    wanted : mapping
        Group to number of structures.
    """

    groups: Groups
    wanted: Mapping[str, int]

    @classmethod
    def checked(cls, groups: Groups, wanted: Mapping[str, int]) -> Quotas:
        """Return quotas that the groups can fill.

        Raises
        ------
        InputError
            If there is no such group, or it has fewer candidates.
        """
        sizes = groups.sizes
        for name, count in wanted.items():
            if name not in sizes:
                there = ", ".join(f"{group} ({size})" for group, size in sizes.items() if group)
                raise InputError(
                    f"quotas: no candidate has the group '{name}', its `config_type` or its prototype;"
                    f" {f'there are {there}' if there else 'none has any'}."
                )
            if count > sizes[name]:
                raise InputError(f"quotas.{name}: {count} structures are more than the {sizes[name]} of this group.")
        return cls(groups, wanted)

    def part(self, candidates: np.ndarray) -> Quotas:
        """Return the same quotas for some candidates (n,), numbered from 0."""
        return Quotas(self.groups.among(candidates), self.wanted)

    def scaled(self, factor: float) -> Quotas:
        """Return the quotas of a design that is ``factor`` times as large, rounded down, as far as groups have them."""
        sizes = self.groups.sizes
        able = {name: min(count, sizes[name]) for name, count in scaled(self.wanted, factor).items()}
        return Quotas(self.groups, {name: count for name, count in able.items() if count})

    @property
    def turns(self) -> tuple[str | None, ...]:
        """The groups in turn, and at last None for all candidates that are left."""
        return (*self.wanted, None)

    def stage(self, task: Task, turn: str | None, chosen: np.ndarray) -> Stage:
        """Return a stage of the choice.

        Parameters
        ----------
        task : Task
            On the whole pool.
        turn : str or None
            One of :attr:`turns`.
        chosen : (n,) int64
            The design so far.
        """
        if turn is None:
            members = np.setdiff1d(np.arange(task.pool.size), chosen)
            count, seed = task.budget - len(chosen), task.seed
        else:
            members = self.groups.members(turn)
            count, seed = self.wanted[turn], f"{task.seed}/{turn}"
        part = among(beside(task, chosen), members)
        return Stage(replace(part, budget=count, seed=seed), members)


class Parts:
    """What the stages of a design have chosen."""

    def __init__(self) -> None:
        self._parts: list[tuple[Selection, np.ndarray]] = []

    def add(self, found: Selection, stage: Stage) -> None:
        """Add what was chosen in a stage."""
        self._parts.append((found, stage.members[found.candidates]))

    def candidates(self) -> np.ndarray:
        """Return the candidates (n,) of the pool so far, in the order chosen."""
        return np.concatenate([np.zeros(0, np.int64), *(candidates for _, candidates in self._parts)])

    def joined(self) -> Selection:
        """Return the whole design; scores and certificate are those that each stage gave, if all did."""

        def all_or_none(name: str) -> np.ndarray | None:
            values = [getattr(found, name) for found, candidates in self._parts if len(candidates)]
            return None if any(value is None for value in values) else np.concatenate(values)

        found = [part for part, _ in self._parts]
        return Selection(
            candidates=self.candidates(),
            distances=np.concatenate([part.distances for part in found]),
            outside=all_or_none("outside"),
            passes=sum(part.passes for part in found),
            scores=all_or_none("scores"),
            reserved=sum(part.reserved for part in found),
        )


def first_wrong_rank(method: type[Method], task: Task, quotas: Quotas, design: Selection) -> Wrong | None:
    """Return the first rank of a design with quotas that the certificates of its stages do not prove."""
    candidates, done = design.candidates, 0
    for turn in quotas.turns:
        stage = quotas.stage(task, turn, candidates[:done])
        mine = candidates[done : done + stage.task.budget]
        held = np.isin(mine, stage.members)
        mine = mine[: len(mine) if held.all() else int(np.argmin(held))]
        places, ranks = np.searchsorted(stage.members, mine), slice(done, done + len(mine))
        part = replace(
            design,
            candidates=places,
            distances=design.distances[ranks],
            outside=design.outside[ranks],
            scores=None if design.scores is None else design.scores[ranks],
        )
        if len(mine) and (wrong := method.first_wrong_rank(stage.task, part)) is not None:
            return replace(wrong, rank=done + wrong.rank)
        done += len(mine)
        if not held.all() and free(beside(stage.task, places)).any():
            return Wrong(done, f"candidate {candidates[done]} is not of the group whose turn it is")
    return None
