"""What a study runs: the jobs of every rule of the workflow, how much work each has, and what each asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gapdesign.config.study import Study
from gapdesign.methods import is_compressed
from gapdesign.properties.work import atoms_evaluated
from gapdesign.samplers.frames import is_extended_xyz
from gapdesign.shards import cut
from gapdesign.structures import prototypes

STAGES = (
    "candidates",
    "descriptors",
    "design",
    "labels",
    "hyperparameters",
    "models",
    "crossval",
    "properties",
    "replay",
    "report",
)
"""In the order in which they run."""


class Needs(NamedTuple):
    """What one job of a rule asks for at its first attempt; memory in MiB."""

    memory: int
    minutes: int
    threads: int = 1


class Group(NamedTuple):
    """Rules whose connected jobs go to the scheduler as one, and how many of such parcels make one cluster job."""

    rules: tuple[str, ...]
    parcels: int = 1


GROUPS = (
    Group(("candidates_shard", "descriptors_shard")),
    Group(("design_compress",)),
)
"""The `group:` of the rules, and the `group-components` of the cluster profiles; a test compares them."""

OVERHEAD = 700
"""MiB that a job of the selection asks for beside `selection.memory`, as in the rules."""


def needs(study: Study) -> dict[str, Needs]:
    """What jobs of the rules that a cluster sees ask for at most; a test compares it with the rules."""
    selection, cores = study.selection.memory + OVERHEAD, study.labels.cores
    samplers = {member for pool in study.pools.names for member in study.pools.of(pool).members}
    return {
        "candidates_convert": Needs(1000, 120),
        "candidates_frames": Needs(1000, 60),
        "candidates_shard": Needs(1000, 720 if samplers & {"md", "entropy"} else 30),
        "descriptors_shard": Needs(2000, 60),
        "design_basis": Needs(selection, 30),
        "design_compress": Needs(selection, 30),
        "design_select": Needs(selection, 120, threads=2),
        "design_quality": Needs(selection, 60),
        "design_regrow": Needs(selection, 120),
        "design_curves": Needs(selection, 120),
        "labels_engine": Needs(1500, 30, cores),
        "labels_isolated": Needs(1500, 60, cores),
        "labels_batch": Needs(1500, 240, cores),
        "labels_design": Needs(1500, 240, cores),
        "hyperparameters": Needs(2000, 120),
        "models_fit": Needs(4000, 240),
        "crossval_predict": Needs(2000, 120),
        "properties_model": Needs(2000, 240),
        "properties_reference": Needs(1500, 240, cores),
        "replay_points": Needs(4000, 120),
        "replay_rows": Needs(2000, 120),
        "replay_labels": Needs(2000, 60),
        "replay_start": Needs(4000, 120),
        "replay_choose": Needs(selection, 240),
        "replay_fit": Needs(4000, 120),
        "replay_bounds": Needs(4000, 120),
        "replay_surfaces": Needs(2000, 240),
    }


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """The jobs of one rule.

    Attributes
    ----------
    rule, stage
        Names of the rule and of the stage it belongs to.
    amounts
        For each job what it works on: candidates of a shard or a pool, ranks of a batch, or 1.
    timed
        For each job the file, under `benchmarks/`, in which a run leaves its time; none for local jobs.
    data
        For each job the file whose structures it works on, where their number is not in its amount.
    needs
        What one job asks for; None for jobs that run beside Snakemake itself and not on a cluster.
    """

    rule: str
    stage: str
    amounts: tuple[int, ...]
    timed: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    needs: Needs | None = None

    @property
    def count(self) -> int:
        """Number of jobs."""
        return len(self.amounts)

    @property
    def threads(self) -> int:
        """Cores of one job."""
        return self.needs.threads if self.needs else 1


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
    asked = needs(study)
    designs = tuple(study.designs)
    pools = tuple(dict.fromkeys(design.pool for design in study.designs.values()))
    packed = [
        pool
        for pool in pools
        if any(d.pool == pool and is_compressed(d.method, study.kernel.structure) for d in study.designs.values())
    ]
    options = {pool: study.pools.of(pool) for pool in study.pools.names}
    from_file = [pool for pool in options if "file" in options[pool].members]
    converted = [pool for pool in from_file if not is_extended_xyz(options[pool].file.path)]
    parts = {pool: cut(options[pool].size, study.pools.shard_size) for pool in options}
    batches = dict.fromkeys(designs, cut(study.budget, study.labels.chunk))

    def ranges(rule: str, stage: str, parts: Mapping[str, list[tuple[int, int]]], timed: str) -> Jobs:
        """A job for each shard of each pool, or for each batch of each design."""
        each = [(name, start, stop) for name in parts for start, stop in parts[name]]
        files = tuple(f"{timed}/{name}/{start}-{stop}.tsv" for name, start, stop in each)
        amounts = tuple(stop - start for _, start, stop in each)
        return Jobs(rule=rule, stage=stage, amounts=amounts, timed=files, needs=asked[rule])

    def one_each(rule: str, stage: str, names: Sequence[str], timed: str, data: str = "", *, amount: int = 1) -> Jobs:
        """A job for each pool or design."""
        files = tuple(timed.format(name) for name in names)
        structures = tuple(data.format(name) for name in names) if data else ()
        amounts = (amount,) * len(names)
        return Jobs(rule=rule, stage=stage, amounts=amounts, timed=files, data=structures, needs=asked[rule])

    def here(rule: str, stage: str, count: int = 1) -> Jobs:
        """Small jobs that run beside Snakemake."""
        return Jobs(rule=rule, stage=stage, amounts=(1,) * count)

    chosen, labelled = "designs/{}.extxyz", "labels/{}.extxyz"
    return [
        one_each("candidates_convert", "candidates", converted, "candidates/convert/{}.tsv"),
        one_each("candidates_frames", "candidates", from_file, "candidates/frames/{}.tsv"),
        ranges("candidates_shard", "candidates", parts, "candidates"),
        here("candidates_refused", "candidates"),
        ranges("descriptors_shard", "descriptors", {pool: parts[pool] for pool in pools}, "descriptors"),
        one_each("design_basis", "design", packed, "design/basis/{}.tsv"),
        ranges("design_compress", "design", {pool: parts[pool] for pool in packed}, "design/compress"),
        one_each("design_select", "design", designs, "design/select/{}.tsv", chosen),
        one_each("design_quality", "design", designs, "design/quality/{}.tsv", chosen),
        here("quality", "design"),
        one_each("design_regrow", "design", [d for d in designs if study.subpools(d)], "design/regrow/{}.tsv"),
        one_each("design_curves", "design", pools, "design/curves/{}.tsv"),
        here("design_page", "design"),
        one_each("labels_engine", "labels", ["engine"], "labels/{}.tsv"),
        one_each("labels_isolated", "labels", ["isolated"], "labels/{}.tsv"),
        ranges("labels_batch", "labels", batches, "labels/batches"),
        one_each("labels_design", "labels", designs, "labels/{}.tsv"),
        here("labels_failed", "labels"),
        one_each("hyperparameters", "hyperparameters", designs, "models/{}/hyperparameters.tsv", labelled),
        one_each("models_fit", "models", designs, "models/{}/fit.tsv", labelled),
        one_each("crossval_predict", "crossval", designs, "crossval/{}.tsv", labelled),
        here("crossval", "crossval"),
        *_properties(study, one_each, here),
        *(
            _replay(study, one_each, ranges("replay_rows", "replay", parts, "replay/rows"), here)
            if study.replay.report
            else ()
        ),
        here("report_provenance", "report"),
        here("report_figures", "report"),
        here("report", "report"),
    ]


def _properties(study: Study, one_each: Callable[..., Jobs], here: Callable[..., Jobs]) -> Iterator[Jobs]:
    """Jobs on properties: their amounts are atoms, summed over all calculations."""
    options, crystals = study.properties, prototypes(study.prototypes)
    for rule, names, potentials in (
        ("properties_model", options.compute, list(study.designs)),
        ("properties_reference", options.of_reference(study.labels.engine), ["reference"]),
    ):
        amount = atoms_evaluated(options, crystals, names)
        yield one_each(rule, "properties", potentials if names else [], "properties/{}.tsv", amount=amount)
    yield here("properties_table", "properties", 1 if options.compute else 0)
    yield here("properties_figures", "properties", 1 if options.compute else 0)


def _replay(study: Study, one_each: Callable[..., Jobs], rows: Jobs, here: Callable[..., Jobs]) -> Iterator[Jobs]:
    """Jobs on designs judged on labels that are there, where the report shows them."""
    designs = list(study.designs)
    fits = ["bounds", *(f"fits/{design}" for design in designs)] if study.replay.surfaces.prototype else []
    yield one_each("replay_points", "replay", ["points"], "replay/{}.tsv")
    yield rows
    yield one_each("replay_labels", "replay", study.pools.names, "replay/labels/{}.tsv")
    yield one_each("replay_start", "replay", ["start"], "replay/{}.tsv")
    yield one_each("replay_choose", "replay", designs, "replay/choices/{}.tsv")
    yield one_each("replay_fit", "replay", designs, "replay/fits/{}.tsv")
    yield one_each("replay_bounds", "replay", ["bounds"], "replay/{}.tsv")
    yield one_each("replay_surfaces", "replay", fits, "replay/surfaces/{}.tsv")
    yield here("replay", "replay")


def cluster_jobs(jobs: Iterable[Jobs]) -> dict[str, int]:
    """Jobs that the scheduler of a cluster sees, by rule; those of a group count for its first rule."""
    counts = {entry.rule: entry.count if entry.needs else 0 for entry in jobs}
    for group in GROUPS:
        first, *others = group.rules
        # A parcel has at most one job of each rule, and just one of the rule that has most.
        parcels = max(counts[rule] for rule in group.rules)
        counts |= {first: -(-parcels // group.parcels)} | dict.fromkeys(others, 0)
    return counts
