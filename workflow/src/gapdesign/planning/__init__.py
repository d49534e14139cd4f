"""The cost of a study, before anything is spent.

Arrows run one way: dag (what runs, as Snakemake says) -> jobs (by rule) -> costs (of each) and disk -> the plan,
which :mod:`gapdesign.planning.table` prints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapdesign.config.job import STAGES
from gapdesign.config.study import Study
from gapdesign.models.base import Seconds
from gapdesign.planning.costs import Cost, Laws, Sizes, cost, unscaled
from gapdesign.planning.disk import disk
from gapdesign.planning.jobs import Jobs
from gapdesign.planning.stored import Stored, stored
from gapdesign.planning.units import shipped

__all__ = ["STAGES", "Plan", "Stage", "estimate", "plan", "shipped"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One row of a plan.

    Attributes
    ----------
    name
        Of the stage.
    jobs, cluster_jobs
        Jobs of Snakemake, and the jobs or groups of jobs that a scheduler sees.
    core_hours
        Of all its jobs; None if unknown.
    memory, minutes
        Most memory (MiB) and time that one of its jobs asks for; 0 for stages of local jobs.
    longest, wall
        Hours of its longest job, and from its start to its end; None if unknown.
    bytes
        Disk space that it fills.
    timed
        Jobs of earlier runs of this study that the figures rest on.
    """

    name: str
    jobs: int
    cluster_jobs: int
    core_hours: float | None
    memory: int
    minutes: int
    longest: float | None
    wall: float | None
    bytes: int
    timed: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The cost of a study, stage by stage, and where the figures come from.

    Attributes
    ----------
    study
        The configuration.
    stages
        In the order in which they run.
    labels
        Labels that the study wants and the store has.
    label_hours
        Core-hours of one label; None if unknown.
    at_once
        Largest number of jobs that run at the same time, for the wall times.
    atoms
        Mean number of atoms of a structure.
    models
        Core-seconds of each kind of model by its law; None if unknown.
    results
        Folder of the study's results.
    units
        The shipped unit costs.
    """

    study: Study
    stages: tuple[Stage, ...]
    labels: Stored
    label_hours: float | None
    atoms: float
    models: Mapping[str, Seconds | None]
    at_once: int
    results: Path
    units: Mapping[str, Any]


def plan(study: Study, jobs: Sequence[Jobs], results: Path, *, at_once: int = 100) -> Plan:
    """Plan a study as if it had no results but labels.

    Parameters
    ----------
    study : Study
    jobs : sequence of Jobs
        All of them, from :func:`gapdesign.planning.jobs.by_rule`.
    results : Path
        Folder of the study's results. If it exists, benchmarks of earlier jobs replace shipped unit costs, and the
        store is searched for the labels of designs.
    at_once : int
        Largest number of jobs that run at the same time.

    Returns
    -------
    Plan
    """
    units, sizes = shipped(), Sizes.of(study)
    laws, labels = Laws(study, sizes, units), stored(study, results)
    at_once = min(at_once, sum(entry.count for entry in jobs))  # there are never more
    sizes_on_disk = disk(jobs, study, sizes, units)
    stages = []
    for name in STAGES:
        mine = [entry for entry in jobs if entry.stage == name]
        costs = [_without_stored(entry, cost(entry, laws, results, slowest=name == "labels"), labels) for entry in mine]
        stages.append(_stage(name, mine, costs, at_once, sizes_on_disk.get(name, 0)))
    return Plan(
        study=study,
        stages=tuple(stages),
        labels=labels,
        label_hours=sizes.label,
        atoms=sizes.atoms,
        models={kind: Laws(study, sizes, units, kind=kind).model if sizes.known else None for kind in study.kinds},
        at_once=at_once,
        results=results,
        units=units,
    )


def estimate(study: Study, jobs: Sequence[Jobs]) -> dict[str, tuple[int, float | None]]:
    """Estimate jobs and core-hours of each stage by shipped unit costs, whatever ran before; None where unknown."""
    laws = Laws(study, Sizes.of(study), shipped())
    found = {}
    for name in STAGES:
        mine = [entry for entry in jobs if entry.stage == name]
        stage = _stage(name, mine, [unscaled(entry, laws) for entry in mine], 1, 0)
        found[name] = (stage.jobs, stage.core_hours)
    return found


def _without_stored(jobs: Jobs, whole: Cost, labels: Stored) -> Cost:
    """Return the cost of what is left to label: an equal share of each batch."""
    if jobs.rule != "labels_batch" or whole.seconds is None or not labels.there:
        return whole
    left = 1 - labels.there / labels.wanted
    return Cost(tuple(seconds * left for seconds in whole.seconds), whole.timed)


def _stage(name: str, jobs: list[Jobs], costs: list[Cost], at_once: int, size: int) -> Stage:
    hours = longest = wall = 0.0
    for entry, spent in zip(jobs, costs, strict=True):
        if spent.seconds is None:
            hours = longest = wall = float("nan")
            break
        one = max(spent.seconds, default=0.0) / entry.threads / 3600
        hours += sum(spent.seconds) / 3600
        longest = max(longest, one)
        wall += one * -(-entry.count // (1 if entry.is_local else at_once))
    known = hours == hours
    return Stage(
        name=name,
        jobs=sum(entry.count for entry in jobs),
        cluster_jobs=sum(entry.submitted for entry in jobs),
        core_hours=hours if known else None,
        memory=max((entry.memory or 0 for entry in jobs), default=0),
        minutes=max((entry.minutes or 0 for entry in jobs), default=0),
        longest=longest if known else None,
        wall=wall if known else None,
        bytes=size,
        timed=sum(spent.timed for spent in costs),
    )
