"""The choice that continues a labelled design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gapdesign.methods.designs import LEFT, frames, select
from gapdesign.methods.shared.costs import affordable
from gapdesign.methods.shared.parts import among
from gapdesign.methods.tasks import existing_set, make_task

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.methods.base import Task
    from gapdesign.methods.options import DesignOptions
    from gapdesign.methods.tasks import Description, PoolFiles
    from gapdesign.rounds.learnt import Learnt

LABELS = ("REF_energy", "REF_forces", "REF_virial", "config_type")
"""What a labelled frame has and a design has not."""


class Continued(NamedTuple):
    """The task of choosing what comes after a labelled design.

    Attributes
    ----------
    task : Task
        Of the structures that are added; it numbers the candidates that may be chosen from 0.
    candidates : (n,) int64
        These, in the pool.
    costs : (N,) float64 or None
        Core-hours of the labels of all candidates, if they are known.
    """

    task: Task
    candidates: np.ndarray
    costs: np.ndarray | None


def continued(
    files: PoolFiles,
    design: DesignOptions,
    described: Description,
    *,
    learnt: Learnt,
    labelled: Path,
    before: Sequence[Atoms],
    budget: int,
    seed: str,
    memory: int,
    threads: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> Continued:
    """Return the task of continuing a design.

    Parameters
    ----------
    files, design, described, seed, memory, threads, progress
        As for :func:`gapdesign.methods.tasks.make_task`.
    learnt : Learnt
        What the labels of the design that is continued say.
    labelled : path
        That design with its labels.
    before : sequence of Atoms
        Its structures.
    budget : int
        Structures in the whole design.

    Raises
    ------
    InputError
        If files are missing, damaged, or not of one pool.
    """
    described = replace(described, kernel=learnt.kernel(described.kernel))
    existing = existing_set([design.existing, str(labelled)], described, progress)
    settings = {"seed": seed, "memory": memory, "threads": threads, "progress": progress}
    task = make_task(files, design, described, budget=budget - len(before), existing=existing, **settings)
    if learnt.rows is not None:
        options = design.member.with_errors(design.options, learnt.rows.errors)
        task = replace(task, options=options, scale=learnt.rows.scale)
    if learnt.costs is not None:
        task = replace(task, costs=learnt.costs(task.costs))
    if task.core_hours is not None:
        task = replace(task, core_hours=task.core_hours - learnt.spent)
    costs = task.costs
    lost = [candidate for pool, candidate in learnt.without_label if pool == design.pool]
    candidates = np.setdiff1d(np.arange(task.pool.size), np.array(lost, np.int64))
    return Continued(among(task, candidates), candidates, costs)


class Batch(NamedTuple):
    """What a round adds, with its reserve behind it.

    Attributes
    ----------
    frames : list of Atoms
    features : (n, d) float32
    reserved : int
        Ranks at the end that are the reserve.
    """

    frames: list[Atoms]
    features: np.ndarray
    reserved: int

    @property
    def added(self) -> int:
        """Number of structures that are added."""
        return len(self.frames) - self.reserved


def chosen(continued: Continued, design: DesignOptions, shards: Sequence[Path], *, reserve: int) -> Batch:
    """Choose what comes next, as far as the pool and the budget go.

    Parameters
    ----------
    continued : Continued
    design : DesignOptions
    shards : sequence of path
        All shards of candidates of the pool.
    reserve : int
        Ranks of the reserve.
    """
    task = continued.task
    if task.core_hours is not None and not affordable(task.costs.min(), 0.0, task.core_hours):
        task.progress(f"no label costs as little as the {task.core_hours:.3g} core-hours that are left")
        return Batch([], np.zeros((0, task.pool.dimension), np.float32), 0)
    found = select(design.member, task, reserve=reserve)
    selection = replace(found, candidates=continued.candidates[found.candidates])
    ordered = frames(selection, shards, pool=design.pool, costs=continued.costs, core_hours=task.core_hours)
    return Batch(ordered, task.pool.rows(found.candidates), found.reserved)


def without_labels(atoms: Atoms) -> Atoms:
    """Return a structure as a design holds it."""
    bare = atoms.copy()
    for name in LABELS:
        bare.info.pop(name, None)
        if name in bare.arrays:
            del bare.arrays[name]
    bare.info.pop(LEFT, None)
    return bare
