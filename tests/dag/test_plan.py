"""`snakemake plan` reports what a dry run would do, and what the rules ask for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, SMALL, Workflow
from gapdesign import cli
from gapdesign.config.part import At
from gapdesign.config.study import parse
from gapdesign.planning.jobs import of_kind
from planned import all_jobs, declared, planned_jobs

PAPER = {
    "study": "paper",
    "prototypes": {
        "hcp": {"element": "Zr", "lattice": "hcp", "a": 3.232, "c": 5.147},
        "bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574},
        "fcc": {"element": "Zr", "lattice": "fcc", "a": 4.532},
    },
    "pools": {"names": ["A", "B"], "size": 100_000},
    "budget": 500,
    "designs": {
        "OPT1": {"pool": "A", "method": "maxmin"},
        "OPT2": {"pool": "B", "method": "maxmin"},
        "RND1": {"pool": "A", "method": "random"},
        "RND2": {"pool": "B", "method": "random"},
    },
}
"""Barzdajn and Race's study, everything else at its default."""


def counted(configuration):
    """Jobs by rule, as the library counts them; of rules that have any."""
    return {entry.rule: entry.count for entry in all_jobs(parse(configuration)) if entry.count}


def planned(workflow):
    return {rule: count for rule, count in workflow.plan().items() if rule != "all"}


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": 13, "labels": {"engine": "eam", "chunk": 5}, "properties": {"reference": []}},
        {"pools": {**SMALL["pools"], "overrides": {"B": {"sampler": "file", "file": {"path": "mine.traj"}}}}},
    ],
    ids=["batches", "file"],
)
def test_the_jobs_counted_are_those_of_a_dry_run(workflow, configuration, changes):
    (workflow.folder / "mine.traj").touch()
    workflow.configure(configuration | changes)
    assert counted(configuration | changes) == planned(workflow)


def test_the_study_of_the_paper_is_planned_and_fits_300_cluster_jobs(workflow):
    workflow.configure(PAPER)
    assert counted(PAPER) == planned(workflow)
    assert sum(entry.submitted for entry in all_jobs(parse(PAPER))) <= 300


def test_every_job_asks_for_what_its_verb_declares(configuration):
    """With a pool whose shards take long, designs that several methods choose, and models of two kinds."""
    configuration["models"] = {"gap": {}, "mace": {"epochs": 5000}}
    configuration["pools"]["overrides"] = {"B": {"sampler": "md", "md": {"calculator": "eam"}}}
    study, by_rule = parse(configuration), declared()
    jobs = planned_jobs(study)
    rules = {of_kind(job, study) for job in jobs}
    assert {rule for rule, _ in rules} <= set(by_rule)
    assert {("models_fit", None), ("models_fit", "mace"), ("report", None), ("report", "mace")} <= rules
    for job in jobs:
        rule, kind = of_kind(job, study)
        asked, at = by_rule[rule], At(study, job.wildcards.get("design"), job.wildcards.get("pool"), kind)
        if job.memory is None:
            assert asked.memory is asked.allowance is None, job.rule
        else:
            declaration = (asked.megabytes(at), asked.time_limit(at), asked.cores(at))
            assert (job.memory, job.minutes, job.threads) == declaration, job.rule
    assert {job.minutes for job in jobs if job.rule == "candidates_shard"} == {30, 720}


def test_every_rule_that_runs_a_verb_is_that_of_its_declaration():
    """Rules and verbs are found in the rule files themselves."""
    found = {}
    for path in (ROOT / "workflow/rules").rglob("*.smk"):
        rules = re.findall(r"^( *)rule ?(\w*):\n((?:(?:\1    .*)?\n)+)", path.read_text(), flags=re.MULTILINE)
        for _, rule, body in rules:
            rule = rule or re.search(r'name:\s.* else "(\w+)"', body).group(1)  # of a loop, its first
            if verb := re.search(r'"gapdesign ([a-z-]+) ', body):
                found[verb.group(1)] = rule
                if "--config" in body:
                    assert re.search(rf'config=part\("{verb.group(1)}"[,)]', body), rule
                if "localrule" not in body:
                    assert f'**asks("{verb.group(1)}")' in body and f'threads: cores("{verb.group(1)}"' in body, rule
    assert found == {verb: job.rule for verb, job in cli.jobs().items()}


def test_the_plan_has_what_the_rules_ask_for_and_they_what_is_declared(workflow, configuration, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "workflow", source / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("profiles", "envs"):
        shutil.copytree(ROOT / name, source / name)
    shutil.copy(ROOT / "Snakefile", source / "Snakefile")
    declared = source / "workflow/src/gapdesign/models/base.py"
    text = declared.read_text()
    assert text.count("return 2000") == 1
    declared.write_text(text.replace("return 2000", "return 7777"))
    changed = Workflow(workflow.folder, source / "Snakefile")
    assert "7777 MiB" in changed.run("plan", "--quiet", "all", PYTHONPATH=str(source / "workflow/src"))


def test_snakemake_plan_prints_the_table_and_makes_nothing(workflow):
    output = workflow.run("plan", "--quiet", "all")
    assert output.count("Plan of small") == 1
    for words in ("candidates", "core-hours", "Labels: at most 20", "python benchmarks/unit_costs.py"):
        assert words in output
    assert sorted(path.name for path in workflow.folder.rglob("results/**/*") if path.is_file()) == ["plan.log"]
    assert (workflow.folder / "results/small/logs/plan.log").read_text() in output


def test_snakemake_plan_knows_an_earlier_run(rerun):
    output = rerun.run("plan", "--quiet", "all")
    assert "20 wanted, 20 in labels-store already, 0 to compute" in output
    assert "jobs of an earlier run, in results/small/benchmarks" in output
    assert rerun.plan() == {}


def test_a_plan_that_cannot_be_made_fails(workflow, configuration):
    configuration["designs"]["OPT"]["pool"] = "Z"
    workflow.configure(configuration)
    assert "designs.OPT.pool: there is no pool 'Z'" in workflow.run("plan", status=1)


def test_a_plan_has_a_row_for_a_replay_and_says_what_it_does_not_read(workflow, configuration):
    workflow.configure(configuration | {"replay": {"budgets": [3, 6]}})
    command = [sys.executable, "-m", "gapdesign", "plan", "--config", "config.yaml"]
    output = subprocess.run(command, cwd=workflow.folder, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^replay +\d+ +\d+ +\?", output, flags=re.MULTILINE)
    assert "before profiles and --set-resources, which the plan does not read" in output
