"""Jobs of a study by rule, with the work that each has and the resources that each asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gapdesign.config.job import STAGES, Job
from gapdesign.config.part import At
from gapdesign.config.study import Study
from gapdesign.planning.dag import PlannedJob


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """The jobs of one rule.

    Attributes
    ----------
    rule, stage
        Names of the rule and of the stage it belongs to.
    kind
        Kind of model that they are about, if it is not the first one of the study.
    amounts
        For each job, the items it works on: candidates of a shard or a pool, ranks of a batch, atoms of all
        calculations, or 1.
    ranks
        For each job, the structures in the design that it is about; of the largest one it may be about, without one.
    bounds
        For each job, the core-hours of labels that the budget of its design leaves it; None where there is no such.
    timed
        For each job, the file under `benchmarks/` in which a run leaves its time; empty for local jobs.
    works_on
        For each job, the file whose structures it works on, if its time depends on their number.
    memory, minutes
        Most that any of them asks for at its first attempt, memory in MiB; None for jobs that run beside Snakemake.
    threads
        Cores of one job.
    submitted
        Jobs that the scheduler of a cluster sees; those of a group count for its first rule.
    """

    rule: str
    stage: str
    kind: str | None
    amounts: tuple[int, ...]
    ranks: tuple[int, ...]
    bounds: tuple[float | None, ...]
    timed: tuple[str, ...]
    works_on: tuple[str, ...]
    memory: int | None
    minutes: int | None
    threads: int
    submitted: int

    @property
    def count(self) -> int:
        """Number of jobs."""
        return len(self.amounts)

    @property
    def is_local(self) -> bool:
        """True if they run beside Snakemake rather than on a cluster."""
        return self.memory is None


def by_rule(planned: Iterable[PlannedJob], declared: Mapping[str, Job], study: Study) -> list[Jobs]:
    """Group jobs by rule, in the order of the stages.

    Parameters
    ----------
    planned : iterable of PlannedJob
    declared : mapping of str to Job
        Declaration of each rule, by its name.
    study : Study
    """
    mine: dict[tuple[str, str | None], list[PlannedJob]] = {}
    for job in planned:
        rule, kind = of_kind(job, study)
        if rule in declared:  # others are targets, which do nothing themselves
            mine.setdefault((rule, kind), []).append(job)
    order, kinds = list(declared), [None, *study.kinds]
    mine = {key: mine[key] for key in sorted(mine, key=lambda key: (order.index(key[0]), kinds.index(key[1])))}
    first: dict[int, tuple[str, str | None]] = {}
    for key, jobs in mine.items():
        for job in jobs:
            if job.parcel is not None:
                first.setdefault(job.parcel, key)
    found = [
        _jobs(declared[key[0]], key[1], sorted(jobs, key=_place), study, sum(own == key for own in first.values()))
        for key, jobs in mine.items()
    ]
    return sorted(found, key=lambda jobs: list(STAGES).index(jobs.stage))


def of_kind(job: PlannedJob, study: Study) -> tuple[str, str | None]:
    """Return the declared rule of a job, and the kind of model that it is about, if it is not the first of the study.

    Wildcards name the folder of that kind, and rules that cannot have one end with its name.
    """
    others = list(study.kinds)[1:]
    folder = job.wildcards.get("folder", "").rstrip("/")
    kind = folder or next((name for name in others if job.rule.endswith(f"_{name}")), None)
    return job.rule.removesuffix(f"_{kind}"), kind


def _jobs(job: Job, kind: str | None, planned: list[PlannedJob], study: Study, parcels: int) -> Jobs:
    asked = [(each.memory, each.minutes) for each in planned if each.memory is not None]
    return Jobs(
        rule=job.rule,
        stage=job.stage,
        kind=kind,
        amounts=tuple(_amount(job, each, study) for each in planned),
        ranks=tuple(_at(each, study).budget for each in planned),
        bounds=tuple(_bound(job, each, study) for each in planned),
        timed=tuple(each.benchmark for each in planned),
        works_on=tuple(job.works_on.format(**each.wildcards) for each in planned) if job.works_on else (),
        memory=max((memory for memory, _ in asked), default=None),
        minutes=max((minutes or 0 for _, minutes in asked), default=None),
        threads=max(each.threads for each in planned),
        submitted=parcels + sum(each.parcel is None and each.memory is not None for each in planned),
    )


def _at(planned: PlannedJob, study: Study) -> At:
    return At(study, planned.wildcards.get("design"), planned.wildcards.get("pool"))


def _amount(job: Job, planned: PlannedJob, study: Study) -> int:
    wildcards = planned.wildcards
    if job.effort is not None:
        return job.effort(_at(planned, study))
    design = wildcards.get("design")
    if "last" in wildcards and design is not None and int(wildcards["last"]) <= study.known_to(design):
        return 0
    if "size" in wildcards:
        return int(wildcards["size"])
    for begin, end in (("start", "stop"), ("first", "last")):
        if end in wildcards:
            return int(wildcards[end]) - int(wildcards[begin])
    return 1


def _bound(job: Job, planned: PlannedJob, study: Study) -> float | None:
    """Return an equal share of the core-hours that end a design, for a batch of its labels."""
    design = planned.wildcards.get("design")
    core_hours = study.core_hours_of(design) if job.rule == "labels_batch" else None
    if core_hours is None:
        return None
    if (after := study.designs[design].after) is not None:
        core_hours -= study.core_hours_of(after.design)
    return core_hours * _amount(job, planned, study) / (study.budget_of(design) - study.known_to(design))


def _place(job: PlannedJob) -> list[tuple[int, int, str]]:
    """Return the key by which the jobs of one rule are sorted: their wildcards, numbers by their value."""
    return [(0, int(value), "") if value.isdigit() else (1, 0, value) for value in job.wildcards.values()]
