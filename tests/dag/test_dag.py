"""Jobs that would run: the plan, the targets, and what a change redoes."""

from __future__ import annotations

import shutil

from conftest import ROOT, Workflow
from gapdesign.config.job import STAGES

AFTER_DESIGN = {
    "labels_batch",
    "labels_design",
    "hyperparameters",
    "models_fit",
    "crossval_predict",
    "crossval_errors",
    "properties_model",
    "properties_table",
}
REPORT = {"design_page", "report_provenance", "report_figures", "report_estimate", "report", "all"}
FIGURES = {"properties_figures"}
SELECTION = {"design_select", "design_quality", "quality", "design_regrow", "design_curves"}
METHODS = {"OPT": "maxmin", "RND": "random"}
COMPRESSION = {"design_basis", "design_compress"}


def test_a_dry_run_plans_every_job(workflow):
    assert workflow.plan() == {
        "candidates_shard": 4,
        "candidates_refused": 1,
        "descriptors_shard": 4,
        "design_basis": 1,
        "design_compress": 2,
        "design_select": 2,
        "design_quality": 2,
        "quality": 1,
        "design_regrow": 2,
        "design_curves": 2,
        "design_page": 1,
        "labels_engine": 1,
        "labels_isolated": 1,
        "labels_batch": 4,
        "labels_design": 2,
        "labels_failed": 1,
        "hyperparameters": 2,
        "models_fit": 2,
        "crossval_predict": 2,
        "crossval_errors": 1,
        "properties_model": 2,
        "properties_reference": 1,
        "properties_table": 1,
        "properties_figures": 1,
        "report_provenance": 1,
        "report_figures": 1,
        "report_estimate": 1,
        "report": 1,
        "all": 1,
    }
    assert not (workflow.folder / "results").exists()


def test_rows_of_labels_are_computed_where_a_method_reads_them(workflow, configuration):
    soap = configuration["descriptor"]["soap"]
    configuration["descriptor"] = {"backend": "quippy", "soap": soap}
    configuration["designs"]["INF"] = {"pool": "A", "method": "information"}
    workflow.configure(configuration)
    planned = workflow.plan("design")
    # The functions are those of both pools, the rows those of the one that is chosen from.
    assert (planned["rows_functions"], planned["rows_shard"]) == (1, 2)
    assert planned["candidates_shard"] == 4


def test_a_design_with_a_budget_of_its_own_has_its_own_batches(workflow, configuration):
    configuration["designs"]["BIG"] = {"pool": "A", "method": "maxmin", "budget": 20}
    workflow.configure(configuration)
    assert workflow.plan()["labels_batch"] == 2 + 2 + 4


def test_a_test_set_is_labelled_and_no_model_is_fitted_to_it(workflow, configuration):
    configuration["designs"]["TEST"] = {"pool": "A", "method": "random", "fit": False}
    workflow.configure(configuration)
    plan = workflow.plan()
    assert plan["design_select"] == plan["labels_design"] == plan["design_quality"] == 3
    assert plan["labels_batch"] == 6
    for rule in ("hyperparameters", "models_fit", "crossval_predict", "properties_model"):
        assert plan[rule] == 2


def test_a_design_that_becomes_a_test_set_is_not_chosen_or_labelled_again(rerun, configuration):
    configuration["designs"]["RND"]["fit"] = False
    rerun.configure(configuration)
    assert set(rerun.plan()) == {"crossval_errors", "properties_table"} | REPORT | FIGURES


def test_the_workflow_without_the_file_in_the_root_aims_at_the_report_too(workflow):
    planned = workflow.plan("--snakefile", str(ROOT / "workflow" / "Snakefile"))
    assert planned["report"] == 1


def test_a_configuration_that_lies_stops_before_it_is_used(workflow):
    """Snakemake itself reads the file too, and takes the last of two equal keys, and 010 for 8."""
    path = workflow.folder / "config.yaml"
    text = path.read_text()
    path.write_text(f"{text}budget: 12\n")
    assert "gapdesign: config.yaml, line" in (output := workflow.run("-n", status=1))
    assert "budget: this key is given twice, first in line" in output
    path.write_text(text.replace("seed: 7", "seed: 010"))
    assert "seed: YAML reads 010 as an octal number, 8; write 10 or that." in workflow.run("-n", status=1)


def test_targets_stop_where_they_say(workflow):
    stages = [
        ("candidates", {"candidates_shard", "candidates_refused"}),
        ("descriptors", {"descriptors_shard"}),
        ("design", SELECTION | COMPRESSION | {"design_page"}),
        ("labels", {"labels_engine", "labels_isolated", "labels_batch", "labels_design", "labels_failed"}),
        ("models", {"hyperparameters", "models_fit"}),
    ]
    allowed = set()
    for target, jobs in stages:
        allowed |= jobs
        plan = set(workflow.plan(target))
        assert target in plan
        assert jobs <= plan
        unneeded = {"candidates_refused", "quality", "design_quality", "design_regrow", "design_curves", "design_page"}
        unneeded |= {"labels_failed"}
        assert plan <= allowed | {target}, f"{target} runs {plan - allowed}"
        assert allowed - plan <= unneeded
    assert {"report", "crossval_errors"} <= set(workflow.plan("report"))


def test_structures_of_the_user_are_indexed_once_and_converted_where_they_must_be(workflow, configuration):
    for name in ("mine.xyz", "mine.traj"):
        (workflow.folder / name).touch()
    configuration["pools"]["overrides"] = {"B": {"sampler": "file", "file": {"path": "mine.xyz"}}}
    workflow.configure(configuration)
    plan = workflow.plan("candidates")
    assert (plan["candidates_frames"], plan["candidates_shard"], "candidates_convert" in plan) == (1, 4, False)
    configuration["pools"]["overrides"]["B"] = {"sampler": "file", "size": 30, "file": {"path": "mine.traj"}}
    workflow.configure(configuration)
    plan = workflow.plan("candidates")
    assert (plan["candidates_frames"], plan["candidates_shard"], plan["candidates_convert"]) == (1, 3, 1)


def test_a_change_of_one_pool_leaves_the_other_alone(rerun, configuration):
    configuration["pools"]["overrides"] = {"B": {"strain": {"max": 0.05}}}
    rerun.configure(configuration)
    plan = rerun.plan()
    assert plan["candidates_shard"] == plan["descriptors_shard"] == 2
    assert plan["design_select"] == 1


def test_after_a_run_there_is_nothing_to_do(rerun):
    assert rerun.plan() == {}


def test_another_kernel_scale_redoes_designs_but_no_descriptor(rerun, configuration):
    configuration["kernel"]["soap"] = {"scale": 0.4}
    rerun.configure(configuration)
    plan = set(rerun.plan())
    assert plan & ({"candidates_shard", "descriptors_shard", "labels_isolated"} | COMPRESSION) == set()
    assert plan >= SELECTION | AFTER_DESIGN | REPORT


def test_another_budget_labels_only_what_is_new(rerun, configuration):
    def labelled() -> set[str]:
        return {path.name for path in (rerun.folder / "labels-store").rglob("*.json")}

    before = labelled()
    assert len(before) == 2 * configuration["budget"] + 1
    configuration["budget"] = 12
    rerun.configure(configuration)
    plan = rerun.plan()
    assert set(plan) & ({"candidates_shard", "descriptors_shard", "labels_isolated"} | COMPRESSION) == set()
    rerun.run("labels")
    assert before < labelled()
    assert len(labelled()) == 2 * configuration["budget"] + 1


def test_a_bigger_pool_makes_only_the_new_shards(rerun, configuration):
    configuration["pools"]["size"] = 90
    rerun.configure(configuration)
    plan = rerun.plan()
    assert plan["candidates_shard"] == plan["descriptors_shard"] == 2
    assert plan["design_compress"] == 1
    assert set(plan) >= SELECTION | AFTER_DESIGN | REPORT


def test_another_cut_of_the_pools_changes_no_design(rerun, finished, configuration):
    configuration["pools"]["shard_size"] = 60
    rerun.configure(configuration)
    names = ("designs/OPT.extxyz", "designs/RND.extxyz", "designs/OPT.npy", "quality.csv")
    paths = [f"results/small/{name}" for name in names]
    rerun.run(*paths)
    for path in paths:
        assert (rerun.folder / path).read_bytes() == (finished.folder / path).read_bytes()


def test_memory_of_the_selection_redoes_nothing(rerun, configuration):
    configuration["selection"] = {"memory": 512}
    rerun.configure(configuration)
    assert set(rerun.plan()) <= REPORT


def test_where_engines_run_and_how_much_may_fail_redoes_nothing(rerun, configuration):
    configuration["labels"] |= {"scratch": "scratch", "keep": "all", "max_failed": 0.5, "store": "labels-store/"}
    rerun.configure(configuration)
    assert set(rerun.plan()) <= REPORT


def test_a_gate_that_is_closed_further_labels_nothing_again(rerun, configuration):
    """Every label is in the store, so the jobs that run compute none."""

    def stored() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (rerun.folder / "labels-store").rglob("*.json")}

    before = stored()
    configuration["labels"]["limits"] = {"min_angle": 20}
    rerun.configure(configuration)
    assert set(rerun.plan("labels")) == {"labels_batch", "labels_design", "labels_failed", "labels"}
    rerun.run("labels")
    assert stored() == before


def test_a_new_design_leaves_the_others_alone(rerun, configuration):
    configuration["designs"]["NEW"] = {"pool": "B", "method": "maxmin"}
    rerun.configure(configuration)
    plan = rerun.plan()
    assert plan["design_select"] == plan["models_fit"] == plan["hyperparameters"] == 1
    assert plan["labels_batch"] == 2
    assert plan["labels_design"] == 1
    assert plan["crossval_predict"] == 3
    assert plan["properties_model"] == 1
    assert "properties_reference" not in plan


def test_properties_are_planned_as_they_are_asked_for(workflow, configuration):
    plan = set(workflow.plan("properties"))
    assert {"properties_model", "properties_reference", "properties_figures", "properties"} <= plan
    assert not {"crossval_errors", "report"} & plan
    configuration["properties"] = {"reference": []}
    workflow.configure(configuration)
    assert "properties_reference" not in workflow.plan("report")
    configuration["properties"] = {"compute": []}
    workflow.configure(configuration)
    assert not [rule for rule in workflow.plan("report") if rule.startswith("properties")]


def test_a_published_value_measures_nothing_again(rerun, configuration):
    configuration["properties"] = {"published": {"values": {"hcp": {"a": 3.2316}}, "source": "CRC"}}
    rerun.configure(configuration)
    assert set(rerun.plan()) == REPORT - {"report_figures"} | {"properties_table", "properties_figures"}


def test_a_change_of_the_report_redoes_only_the_report(rerun, tmp_path):
    changed = tmp_path / "source"
    shutil.copytree(ROOT / "workflow", changed / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "profiles", changed / "profiles")
    shutil.copytree(ROOT / "envs", changed / "envs")
    shutil.copy(ROOT / "Snakefile", changed / "Snakefile")
    stages = changed / "workflow/src/gapdesign/config/job.py"
    text, now = stages.read_text(), f'"report": {STAGES["report"]},'
    assert text.count(now) == 1
    stages.write_text(text.replace(now, f'"report": {STAGES["report"] + 1},'))
    assert set(Workflow(rerun.folder, changed / "Snakefile").plan()) == REPORT - {"design_page"}


def test_who_wants_only_a_design_needs_no_engine(workflow, configuration):
    configuration["labels"]["eam"] = {"potential": "absent.eam.fs"}
    workflow.configure(configuration)
    assert "design_select" in workflow.plan("design")
    output = workflow.run("-n", "labels", status=1)
    sentence = output.strip().splitlines()[-1]
    assert sentence.startswith("gapdesign: labels.eam.potential: ")
    assert "absent.eam.fs" in sentence


def test_a_mistake_is_one_sentence_before_any_job(workflow, configuration):
    configuration["designs"]["OPT"]["method"] = "maxmim"
    workflow.configure(configuration)
    output = workflow.run(status=1)
    (sentence,) = [line for line in output.splitlines() if line.startswith("gapdesign: ")]
    expected = (
        "gapdesign: designs.OPT.method: there is no 'maxmim'; did you mean 'maxmin'? Choose from 'bayesian', 'cur', "
    )
    assert sentence.startswith(expected)
    assert "Traceback" not in output
    assert not (workflow.folder / "results").exists()


def test_the_papers_study_is_at_most_300_cluster_jobs(workflow, configuration):
    """Barzdajn and Race: two pools of 100,000, four designs of 500; shards and batches as they are by default."""
    designs = {f"{name}{pool}": {"pool": pool, "method": m} for name, m in METHODS.items() for pool in "AB"}
    del configuration["pools"]["shard_size"], configuration["labels"]["chunk"]
    configuration["pools"]["size"] = 100_000
    workflow.configure(configuration | {"budget": 500, "designs": designs})
    plan = workflow.plan()
    shared = {"candidates_shard", "design_basis"}  # one job with descriptors_shard and design_compress
    assert plan["candidates_shard"] == plan["descriptors_shard"]
    cluster = {"descriptors_shard", "design_compress", "design_select", "design_quality", "labels_isolated"}
    cluster |= {"design_regrow", "design_curves", "labels_engine"}
    cluster |= {"labels_batch", "hyperparameters", "models_fit", "crossval_predict", "properties_model"}
    local = {rule for rule in plan if plan[rule] <= 1 or rule in ("labels_design", "bundle")} - cluster
    assert set(plan) == cluster | shared | local
    assert sum(plan[rule] for rule in cluster) <= 300


def test_pools_are_compared_by_what_the_configuration_says(workflow, configuration):
    assert workflow.plan("pools") == {"candidates_shard": 4, "descriptors_shard": 4, "pools": 1}
    configuration["comparison"] = {"of": "environments"}
    workflow.configure(configuration)
    assert workflow.plan("pools") == {"candidates_shard": 4, "environments_pool": 2, "pools": 1}
    assert {"environments_pool", "design_select", "environments"} <= set(workflow.plan("environments"))


def test_samplers_of_one_pool_run_in_one_environment(workflow, configuration):
    quip = {"element": "Zr", "descriptor": {"kind": "soap"}}
    configuration["pools"] |= {"sampler": "mixture", "mixture": {"entropy": 1, "md": 1}, "entropy": quip}
    workflow.configure(configuration)
    assert workflow.plan("candidates")["candidates_shard"] == 4
    told = workflow.run("-n", "--sdm", "conda", status=1)
    assert "the samplers of pool A run in different environments, eam and gap; give each a pool of its own" in told
