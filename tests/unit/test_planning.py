"""Counts, laws and sums of a plan against closed forms; where its figures come from."""

from __future__ import annotations

import copy
import math

import pytest
from ase.build import bulk

from gapdesign import engines, planning
from gapdesign.config.job import STAGES
from gapdesign.config.study import parse
from gapdesign.engines.base import Label
from gapdesign.files import read_frames, write_frames
from gapdesign.labels.store import LabelStore, label_key
from gapdesign.planning.costs import Laws, Sizes, cost, structures, timed
from gapdesign.planning.dag import PlannedJob
from gapdesign.planning.jobs import by_rule
from gapdesign.planning.stored import stored
from gapdesign.planning.table import table
from gapdesign.planning.units import shipped
from planned import all_jobs, declared


@pytest.fixture
def study(configuration):
    return parse(configuration)


def changed(configuration, **keys):
    return parse(configuration | keys)


def laws_of(study, **options):
    return Laws(study, Sizes.of(study), shipped(), **options)


def write_benchmark(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t0:00:01\t-\t-\n")


def test_costs_say_who_measured_them():
    units = shipped()
    assert units["command"] == "python benchmarks/unit_costs.py"
    assert "thread" in units["machine"]
    assert set(units["versions"]) >= {"numpy", "quippy-ase"}


def test_shards_and_batches_add_up_to_pools_and_designs(configuration):
    configuration["pools"] |= {"size": 70, "shard_size": 30}
    amounts = {entry.rule: entry.amounts for entry in all_jobs(parse(configuration))}
    assert amounts["candidates_shard"] == amounts["descriptors_shard"] == (30, 30, 10) * 2
    assert amounts["labels_batch"] == (6, 4) * 2


def test_pools_are_cut_each_by_its_own_size_and_made_though_no_design_is_chosen_from_them(configuration):
    configuration["pools"] |= {"names": ["A", "B", "C"], "overrides": {"B": {"size": 40}, "C": {"size": 10}}}
    amounts = {entry.rule: entry.amounts for entry in all_jobs(parse(configuration))}
    assert amounts["candidates_shard"] == (30, 30, 30, 10, 10)
    assert amounts["descriptors_shard"] == (30, 30, 30, 10)
    submitted = {entry.rule: entry.submitted for entry in all_jobs(parse(configuration))}
    assert submitted["candidates_shard"] == 5


def test_structures_of_the_user_are_indexed_and_converted_where_they_must_be(configuration):
    configuration["pools"]["overrides"] = {
        "A": {"sampler": "mixture", "mixture": {"strain": 1, "file": 1}, "file": {"path": "mine.xyz"}},
        "B": {"sampler": "file", "file": {"path": "POSCAR"}},
    }
    counts = {entry.rule: entry.count for entry in all_jobs(parse(configuration))}
    assert (counts["candidates_frames"], counts["candidates_convert"]) == (2, 1)


def test_a_mixture_costs_the_share_of_each_of_its_samplers(configuration):
    def work(**pools):
        configuration["pools"] |= pools
        laws = laws_of(parse(configuration))
        return laws("candidates_shard", 30) - laws("report", 1)

    unit = shipped()["seconds"]["candidate"]
    mean = (3 * unit["strain"] + unit["strain_components"]) / 4
    mixed = work(sampler="mixture", mixture={"strain": 3, "strain_components": 1})
    other = work(sampler="strain", overrides={"B": {"size": 20, "sampler": "strain_components"}})  # of 80 in all
    assert mixed / work(overrides={}) == pytest.approx(mean / unit["strain"])
    assert other == pytest.approx(mixed)


@pytest.mark.parametrize("sampler", ["supercell", "md", "file"])
def test_what_depends_on_the_size_of_structures_is_unknown_where_prototypes_do_not_tell(
    configuration, tmp_path, sampler
):
    configuration["pools"]["overrides"] = {"A": {"sampler": sampler}}
    plan = planning.plan(parse(configuration), all_jobs(parse(configuration)), tmp_path)
    unknown = {stage.name for stage in plan.stages if stage.core_hours is None}
    assert unknown == {"candidates", "descriptors", "labels", "hyperparameters", "models", "crossval"}
    assert {stage.name for stage in plan.stages if stage.bytes} == {"descriptors"}  # as long as any other vectors
    assert "the cost of one is unknown" in table(plan)


def test_the_table_names_every_size_of_pools(configuration, tmp_path):
    configuration["pools"]["overrides"] = {"B": {"size": 40}}
    assert "2 pools of 60 and 40 candidates" in table(
        planning.plan(parse(configuration), all_jobs(parse(configuration)), tmp_path)
    )


def test_only_pools_that_a_method_compresses_are_compressed(configuration):
    configuration["designs"]["OPT"]["method"] = "random"
    rules = {entry.rule for entry in all_jobs(parse(configuration))}
    assert not rules & {"design_basis", "design_compress"}


def job(rule: str, parcel: int | None = None, memory: int | None = 1000, **wildcards: str) -> PlannedJob:
    return PlannedJob(rule=rule, wildcards=wildcards, threads=1, memory=memory, minutes=30, benchmark="", parcel=parcel)


def test_a_group_is_one_cluster_job_of_its_first_rule_and_a_local_job_none(study):
    shards = [
        job(rule, parcel=number, pool="A", start=str(30 * number), stop=str(30 * number + 30))
        for number in range(3)
        for rule in ("descriptors_shard", "candidates_shard")
    ]
    planned = [*shards, job("design_select", design="OPT"), job("quality", memory=None), job("all", memory=None)]
    submitted = {entry.rule: entry.submitted for entry in by_rule(planned, declared(), study)}
    assert submitted == {"candidates_shard": 3, "descriptors_shard": 0, "design_select": 1, "quality": 0}


def test_jobs_of_a_rule_are_in_the_order_of_their_numbers(study):
    planned = [job("candidates_shard", pool="A", start=str(k), stop=str(k + 9 + k % 2)) for k in (100, 9, 20)]
    (entry,) = by_rule(planned, declared(), study)
    assert entry.amounts == (10, 9, 9)


def test_shards_cost_in_proportion_to_their_candidates(study):
    laws = laws_of(study)
    start = laws("report", 1)
    for rule in ("candidates_shard", "descriptors_shard", "design_compress", "labels_batch"):
        assert laws(rule, 300) - start == pytest.approx(3 * (laws(rule, 100) - start))


def test_soap_costs_in_proportion_to_its_terms(configuration):
    def work(**soap):
        configuration["descriptor"] = {"soap": {"r_cut": 5.0, "n_max": 4, "l_max": 4} | soap}
        laws = laws_of(parse(configuration))
        return laws("descriptors_shard", 100) - laws("report", 1)

    assert work(n_max=8) == pytest.approx(2 * work())
    assert work(r_cut=10.0) == pytest.approx(8 * work())
    assert work(l_max=9) == pytest.approx(4 * work())


def test_fits_follow_the_power_law_through_the_measured_points(configuration):
    seconds = shipped()["seconds"]
    reference = changed(configuration, budget=100, descriptor={})
    sizes = Sizes(**shipped()["reference"], label=None)
    assert sizes.environments == 1
    start = seconds["start"]
    sizes_measured = [int(n) for n in seconds["fit"]]
    for n in sizes_measured:
        laws = Laws(reference, sizes, shipped(), ranks=n)
        assert laws("models_fit", 1) - start == pytest.approx(seconds["fit"][str(n)])
        assert laws("hyperparameters", 1) - start == pytest.approx(seconds["lbfgs"][str(n)])
    middle = Laws(reference, sizes, shipped(), ranks=round(math.sqrt(math.prod(sizes_measured))))
    expected = math.sqrt(math.prod(seconds["fit"].values()))
    assert middle("models_fit", 1) - start == pytest.approx(expected, rel=0.01)


def test_fits_of_larger_cells_cost_more_by_the_work_of_gap_fit(configuration):
    def work(**sizes):
        given = shipped()["reference"] | {"environments": 60.0, "atoms": 60.0} | sizes
        laws = Laws(changed(configuration, budget=100, descriptor={}), Sizes(**given, label=None), shipped())
        return laws("models_fit", 1) - laws("report", 1)

    assert work(environments=10.0) == pytest.approx(work())  # 1,000 points are the most
    assert work(atoms=120.0) == pytest.approx(2 * work(), rel=0.05)
    assert work(terms=2 * shipped()["reference"]["terms"]) == pytest.approx(2 * work(), rel=0.05)
    assert work(environments=1.0) < work() / 5


def test_optimisers_cost_in_proportion_to_what_they_are_told_to_try(configuration):
    def work(**model):
        laws = laws_of(changed(configuration, model=model))
        return laws("hyperparameters", 1) - laws("report", 1)

    assert work(lbfgs={"starts": 16}) == pytest.approx(2 * work())
    assert work(optimizer="cma", cma={"restarts": 6}) == pytest.approx(2 * work(optimizer="cma"))


def test_labels_cost_what_the_engine_says(study):
    engine = engines.make("eam", study.labels)
    one = (engine.core_hours(bulk("Zr", "hcp", 3.2, 5.1)) + engine.core_hours(bulk("Zr", "bcc", 3.6))) / 2
    laws = laws_of(study)
    assert laws("labels_batch", 25) - laws("report", 1) == pytest.approx(25 * 3600 * one)


def test_what_was_never_measured_is_unknown_and_said_to_be(study, tmp_path, monkeypatch):
    units = shipped()
    del units["seconds"]["candidate"]["strain"]
    monkeypatch.setattr(planning, "shipped", lambda: units)
    plan = planning.plan(study, all_jobs(study), tmp_path)
    assert plan.stages[0].core_hours is None
    text = table(plan)
    assert "Core-hours of candidates: unknown" in text
    (total,) = [line for line in text.splitlines() if line.startswith("total")]
    assert ">" in total


def test_earlier_jobs_replace_shipped_costs(study, tmp_path):
    (candidates,) = [entry for entry in all_jobs(study) if entry.rule == "candidates_shard"]
    laws = laws_of(study)
    assert cost(candidates, laws, tmp_path).timed == 0
    for name in candidates.timed[:2]:
        write_benchmark(tmp_path / "benchmarks" / name, 50)
    known = cost(candidates, laws, tmp_path)
    assert known.timed == 2
    assert known.seconds == pytest.approx((50,) * 4)
    text = table(planning.plan(study, all_jobs(study), tmp_path))
    assert f"scaled from 2 jobs of an earlier run, in {tmp_path / 'benchmarks'}" in text


def test_times_of_smaller_designs_are_scaled_to_this_budget(configuration, tmp_path):
    study = changed(configuration, budget=40)
    (fit,) = [entry for entry in all_jobs(study) if entry.rule == "models_fit"]
    laws = laws_of(study)
    write_benchmark(tmp_path / "benchmarks" / fit.timed[0], 30)
    write_frames(tmp_path / fit.works_on[0], [bulk("Zr", "hcp", 3.2, 5.1)] * 10)
    assert structures(tmp_path / fit.works_on[0]) == 10
    expected = 30 * laws("models_fit", 1) / laws_of(study, ranks=10)("models_fit", 1)
    assert cost(fit, laws, tmp_path).seconds == pytest.approx((expected,) * 2)


def test_a_batch_that_the_store_answered_says_nothing_of_the_cost(study, tmp_path):
    (batches,) = [entry for entry in all_jobs(study) if entry.rule == "labels_batch"]
    for name, seconds in zip(batches.timed, (600, 1, 1, 1), strict=True):
        write_benchmark(tmp_path / "benchmarks" / name, seconds)
    assert max(cost(batches, laws_of(study), tmp_path, slowest=True).seconds) == pytest.approx(600)


def test_core_hours_bound_the_labels_of_the_designs_that_they_end(configuration, tmp_path):
    """Whatever a label costs, and however long the batches that have something to do take."""
    priced = copy.deepcopy(configuration["designs"])
    priced["OPT"]["budget"] = {"core_hours": 30.0, "at_most": 40}
    study = changed(configuration, designs=priced)
    (batches,) = [entry for entry in all_jobs(study) if entry.rule == "labels_batch"]
    bounded = [bound for bound in batches.bounds if bound is not None]
    assert len(bounded) == 7 and sum(bounded) == pytest.approx(30.0)
    laws = laws_of(study)
    before = cost(batches, laws, tmp_path).seconds
    assert sum(before) / 3600 == pytest.approx(30.0, abs=0.1)
    for name in batches.timed:
        write_benchmark(tmp_path / "benchmarks" / name, 1000)
    after = cost(batches, laws, tmp_path, slowest=True).seconds
    for bound, one, other in zip(batches.bounds, before, after, strict=True):
        assert other == one if bound is not None else other > one
    text = table(planning.plan(study, all_jobs(study), tmp_path / "none"))
    assert "2 designs of 10 and at most 40 structures" in text
    assert "  OPT: labels of 30 core-hours at most." in text
    assert "Core-hours of labels: the estimate of the engine eam for the prototypes, and the budget of OPT." in text


def test_a_file_that_is_no_benchmark_is_passed_over(tmp_path):
    for text in ("", "s\n", "s\tx\n-\t1\n", "other\n1\n"):
        (tmp_path / "a.tsv").write_text(text)
        assert timed(tmp_path / "a.tsv") is None
    assert timed(tmp_path / "absent.tsv") is None


def test_labels_in_the_store_are_counted_once_designs_exist(configuration, tmp_path):
    study = changed(configuration, budget=3, labels={"store": str(tmp_path / "store")})
    assert (stored(study, tmp_path).wanted, stored(study, tmp_path).there) == (6, None)
    crystals = [bulk("Zr", "hcp", 3.2 + 0.01 * k, 5.1) for k in range(5)]
    write_frames(tmp_path / "designs" / "OPT.extxyz", crystals[:3])
    assert stored(study, tmp_path).why == "RND: not designed yet"
    write_frames(tmp_path / "designs" / "RND.extxyz", crystals[2:])
    engine, store = engines.make("eam", study.labels), LabelStore(study.labels.store)
    for atoms in read_frames(tmp_path / "designs" / "OPT.extxyz")[:2]:
        store.put(label_key(atoms, engine), atoms, Label(1.0, atoms.positions, atoms.cell.array), engine)
    there = stored(study, tmp_path)
    assert (there.wanted, there.there) == (5, 2)  # one structure is in both designs
    plan = planning.plan(study, all_jobs(study), tmp_path)
    assert "5 wanted, 2 in" in table(plan)
    assert "3 to compute" in table(plan)


def test_designs_of_another_budget_say_nothing_of_the_labels(configuration, tmp_path):
    study = changed(configuration, budget=3)
    for name in study.designs:
        write_frames(tmp_path / "designs" / f"{name}.extxyz", [bulk("Zr", "hcp", 3.2, 5.1)])
    assert stored(study, tmp_path).there is None


def test_one_row_a_stage_and_their_sum(study, tmp_path):
    plan = planning.plan(study, all_jobs(study), tmp_path, at_once=2)
    lines = table(plan).splitlines()
    # No report of this study waits for a replay, no method of its designs reads rows of labels, none continues another.
    stages = [stage for stage in STAGES if stage not in ("replay", "rows", "rounds")]
    head, rule, *rows = lines[2 : 6 + len(stages)]
    assert [row.split()[0] for row in rows if not row.startswith("-")] == [*stages, "total"]
    assert len({len(line) for line in (head, rule, *rows)}) == 1
    assert sum(stage.jobs for stage in plan.stages) == sum(entry.count for entry in all_jobs(study))


def test_rules_without_a_job_ask_for_nothing(study, tmp_path):
    assert planning.plan(study, all_jobs(study), tmp_path).stages[0].minutes == 30


def test_fewer_jobs_at_once_take_longer_and_cost_the_same(study, tmp_path):
    one, many = (planning.plan(study, all_jobs(study), tmp_path, at_once=n) for n in (1, 100))
    for slow, fast in zip(one.stages, many.stages, strict=True):
        assert slow.core_hours == fast.core_hours
        assert slow.wall >= fast.wall
    assert one.stages[1].wall == pytest.approx(4 * many.stages[1].wall)
