"""What `snakemake plan` says is what a dry run would do, and what the rules ask for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from conftest import ROOT, SMALL
from gapdesign.config.study import parse
from gapdesign.planning.jobs import GROUPS, all_jobs, cluster_jobs, needs

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

PROBE = """
import json
from types import SimpleNamespace


include: "{root}/workflow/Snakefile"


with open("probe.json", "w") as stream:
    json.dump(
        {{
            known.name: {{
                "asks": {{
                    key: value.evaluate(SimpleNamespace(pool="A"), attempt=1).value
                    for key, value in known.resources.items()
                    if key != "tmpdir"
                }},
                "group": known._group,  # the public one is none where jobs run locally
                "here": known.norun or known.name in workflow._localrules,
            }}
            for known in workflow.rules
        }},
        stream,
    )
"""


def counted(configuration):
    """Jobs by rule, as the library counts them; of rules that have any."""
    return {entry.rule: entry.count for entry in all_jobs(parse(configuration)) if entry.count}


def planned(workflow):
    return {rule: count for rule, count in workflow.plan().items() if rule != "all"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"budget": 13, "labels": {"engine": "eam", "chunk": 5}},
        {"pools": {**SMALL["pools"], "size": 77, "shard_size": 20}},
        {"pools": {**SMALL["pools"], "names": ["A", "B", "C"]}},
        {"properties": {"reference": []}},
        {"properties": {"compute": []}},
        {"designs": {name: {"pool": "A", "method": "random"} for name in ("R1", "R2", "R3")}},
        {"kernel": {**SMALL["kernel"], "structure": "rematch"}},
        {"pools": {**SMALL["pools"], "overrides": {"A": {"size": 31}, "B": {"sampler": "rattle"}}}},
        {"pools": {**SMALL["pools"], "sampler": "file", "file": {"path": "mine.xyz"}}},
        {"pools": {**SMALL["pools"], "overrides": {"B": {"sampler": "file", "file": {"path": "mine.traj"}}}}},
    ],
    ids=[
        "small",
        "batches",
        "shards",
        "a pool for nothing",
        "no reference",
        "no properties",
        "random",
        "rematch",
        "overrides",
        "file",
        "other format",
    ],
)
def test_the_jobs_counted_are_those_of_a_dry_run(workflow, configuration, changes):
    for name in ("mine.xyz", "mine.traj"):
        (workflow.folder / name).touch()
    workflow.configure(configuration | changes)
    assert counted(configuration | changes) == planned(workflow)


def test_the_study_of_the_paper_is_planned_and_fits_300_cluster_jobs(workflow):
    workflow.configure(PAPER)
    assert counted(PAPER) == planned(workflow)
    assert sum(cluster_jobs(all_jobs(parse(PAPER))).values()) <= 300


@pytest.mark.parametrize("sampler", ["strain", "md"])
def test_the_table_asks_for_what_the_rules_ask_for(workflow, configuration, sampler):
    configuration["pools"]["sampler"] = sampler
    workflow.configure(configuration)
    (workflow.folder / "probe.smk").write_text(PROBE.format(root=ROOT))
    command = [sys.executable, "-m", "snakemake", "-s", "probe.smk", "--configfile", "config.yaml", "-n", "candidates"]
    subprocess.run([*command, "--quiet", "all"], cwd=workflow.folder, check=True, capture_output=True)
    probe = json.loads((workflow.folder / "probe.json").read_text())
    study = parse(configuration)
    asked = needs(study)
    apart = ("pools", "environments")  # no part of a report
    assert {rule for rule, known in probe.items() if not known["here"] and not rule.startswith(apart)} == {*asked}
    for rule, mine in asked.items():
        theirs = probe[rule]["asks"]
        assert (theirs["mem_mb"], theirs["runtime"], theirs["_cores"]) == mine, rule
    groups = {rule: known["group"] for rule, known in probe.items() if known["group"]}
    assert {frozenset(group.rules) for group in GROUPS} == {
        frozenset(rule for rule in groups if groups[rule] == name) for name in set(groups.values())
    }
    here = {entry.rule for entry in all_jobs(study) if entry.needs is None}
    assert all(probe[rule]["here"] for rule in here)


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
