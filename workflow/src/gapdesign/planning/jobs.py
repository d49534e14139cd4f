"""What a study runs: the jobs of every rule of the workflow, how much work each has, and what each asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gapdesign.config import Study
from gapdesign.methods import is_compressed
from gapdesign.samplers import shards

STAGES = ("candidates", "descriptors", "design", "labels", "hyperparameters", "models", "crossval", "report")
"""In the order in which they run."""

GROUPS: dict[str, int] = {}
"""Rules whose jobs go to the scheduler together, and how many of them make one cluster job; others go alone."""


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """The jobs of one rule.

    Attributes
    ----------
    rule, stage
        Names of the rule and of the stage it belongs to.
    amounts
        For each job what it works on: candidates of a shard, ranks of a batch, or 1.
    timed
        For each job the file, under `benchmarks/`, in which a run leaves its time; none for local jobs.
    data
        For each job the file whose structures it worked on, where their number is not in its amount.
    threads, memory, minutes
        What one job asks for; memory in MiB.
    local
        Whether it runs beside Snakemake itself and not as a cluster job.
    """

    rule: str
    stage: str
    amounts: tuple[int, ...]
    timed: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    threads: int = 1
    memory: int = 0
    minutes: int = 0
    local: bool = False

    @property
    def count(self) -> int:
        """Number of jobs."""
        return len(self.amounts)

    @property
    def cluster_jobs(self) -> int:
        """Number of jobs that the scheduler of a cluster sees."""
        return 0 if self.local else -(-self.count // GROUPS.get(self.rule, 1))


def all_jobs(study: Study) -> list[Jobs]:
    """Every job of a study of which nothing is there yet, by rule, in the order of the stages.

    Parameters
    ----------
    study : Study

    Returns
    -------
    list of Jobs
        What `snakemake report` runs, but for the targets, which do nothing themselves.
    """
    pools = tuple(dict.fromkeys(study.designs[name].pool for name in study.designs))
    compressed = tuple(
        pool
        for pool in pools
        if any(d.pool == pool and is_compressed(d.method, study.kernel.structure) for d in study.designs.values())
    )
    cut = shards(study.pools.size, study.pools.shard_size)
    batches = shards(study.budget, study.labels.chunk)
    selection = study.selection.memory
    designs = tuple(study.designs)
    chosen, labelled = "designs/{}.extxyz", "labels/{}.extxyz"
    return [
        _ranges("candidates_shard", "candidates", pools, cut, memory=500, minutes=30),
        _ranges("descriptors_shard", "descriptors", pools, cut, memory=1000, minutes=60),
        _each("design_basis", "design", compressed, "design/basis/{}.tsv", "", memory=selection, minutes=30),
        _ranges("design_compress", "design", compressed, cut, "design/compress", memory=selection, minutes=30),
        _each(
            "design_select", "design", designs, "design/select/{}.tsv", chosen, memory=selection, minutes=120, threads=2
        ),
        _each("design_quality", "design", designs, "design/quality/{}.tsv", chosen, memory=selection, minutes=60),
        _here("quality", "design"),
        _each("labels_isolated", "labels", ["isolated"], "labels/{}.tsv", "", memory=1000, minutes=60),
        _ranges("labels_batch", "labels", designs, batches, "labels/batches", memory=1000, minutes=240),
        _here("labels_design", "labels", len(designs)),
        _here("labels_failed", "labels"),
        _each(
            *("hyperparameters", "hyperparameters", designs, "models/{}/hyperparameters.tsv", labelled),
            memory=2000,
            minutes=120,
        ),
        _each("models_fit", "models", designs, "models/{}/fit.tsv", labelled, memory=4000, minutes=240),
        _each("crossval_predict", "crossval", designs, "crossval/{}.tsv", labelled, memory=2000, minutes=120),
        _here("crossval", "crossval"),
        _here("report_provenance", "report"),
        _here("report_figures", "report"),
        _here("report", "report"),
    ]


def _ranges(
    rule: str, stage: str, names: Iterable[str], cut: list[tuple[int, int]], folder: str = "", **needs: int
) -> Jobs:
    """A job for each range of each pool or design."""
    parts = [(name, start, stop) for name in names for start, stop in cut]
    return Jobs(
        rule=rule,
        stage=stage,
        amounts=tuple(stop - start for _, start, stop in parts),
        timed=tuple(f"{folder or stage}/{name}/{start}-{stop}.tsv" for name, start, stop in parts),
        **needs,
    )


def _each(rule: str, stage: str, names: Iterable[str], timed: str, data: str, **needs: int) -> Jobs:
    """A job for each pool or design."""
    names = tuple(names)
    return Jobs(
        rule=rule,
        stage=stage,
        amounts=(1,) * len(names),
        timed=tuple(timed.format(name) for name in names),
        data=tuple(data.format(name) for name in names) if data else (),
        **needs,
    )


def _here(rule: str, stage: str, count: int = 1) -> Jobs:
    """Small jobs that run beside Snakemake."""
    return Jobs(rule=rule, stage=stage, amounts=(1,) * count, local=True)
