"""The workflow as a module of somebody else's: configuration, prefix, names, and what it must leave alone."""

from __future__ import annotations

import filecmp
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ase.build import bulk
from ase.io import write

from conftest import ROOT, SMALL, Workflow

HOST = """
configfile: "config.yaml"


shell.prefix("set -euo pipefail; MINE=kept; ")


module zirconium:
    snakefile:
        "{root}/workflow/Snakefile"
    config:
        config["zirconium"]
    prefix:
        "first"


use rule * from zirconium as zirconium_*


module other:
    snakefile:
        "{root}/workflow/Snakefile"
    config:
        config["other"]
    prefix:
        "second"


use rule * from other as other_*


rule all:
    default_target: True
    input:
        rules.zirconium_report.output,
        rules.other_report.output,


rule chosen:
    input:
        rules.zirconium_design.input,
        rules.other_design.input,
    output:
        "chosen.txt",
    shell:
        "echo $MINE {{input}} > {{output}}"
"""

FIRST = {**SMALL, "study": "first", "prototypes": {"hcp": {"file": "structures/hcp.extxyz"}}}
FIRST["designs"] = {
    "OPT": {"pool": "A", "method": "maxmin"},
    "MORE": {"pool": "B", "method": "maxmin", "existing": "structures/hcp.extxyz"},
}
SECOND = {**SMALL, "pools": {**SMALL["pools"], "names": ["P"]}, "designs": {"RND": {"pool": "P", "method": "random"}}}


class Host(Workflow):
    """A workflow of somebody else's, which has two studies as modules."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", "--nocolor", *arguments]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    (tmp_path / "Snakefile").write_text(HOST.format(root=ROOT))
    (tmp_path / "structures").mkdir()
    bulk("Zr", "hcp", a=3.232, c=5.147).write(tmp_path / "structures" / "hcp.extxyz")
    host.configure({"zirconium": FIRST, "other": SECOND})
    return host


def test_two_studies_are_planned_to_the_report(host):
    plan = host.plan()
    rules = {rule.removeprefix("zirconium_") for rule in plan if rule.startswith("zirconium_")}
    assert {
        "candidates_shard",
        "design_compress",
        "labels_batch",
        "models_fit",
        "crossval_errors",
        "report",
    } <= rules
    assert plan["zirconium_candidates_shard"] == 4
    assert plan["other_candidates_shard"] == 2
    assert "other_design_compress" not in plan
    assert set(plan) - {"all"} == {rule for rule in plan if re.match("zirconium_|other_", rule)}


def test_two_studies_run_to_their_designs_under_their_prefixes(host):
    host.run("chosen")
    kept, *chosen = (host.folder / "chosen.txt").read_text().split()
    assert kept == "kept"
    assert "first/results/first/designs/MORE.extxyz" in chosen
    assert "second/results/small/designs/RND.extxyz" in chosen
    assert not (host.folder / "results").exists()
    made = {path.parts[0] for path in (p.relative_to(host.folder) for p in host.folder.rglob("*.log"))}
    assert made == {"first", "second", ".snakemake"}
    assert "Nothing to be done" in host.run("-n", "chosen")


def test_a_module_makes_what_the_study_makes_by_itself(host, tmp_path_factory):
    files = [f"results/small/{name}" for name in ("designs/RND.extxyz", "designs/RND.npy", "quality.csv")]
    host.run(*(f"second/{file}" for file in files))
    alone = Workflow(tmp_path_factory.mktemp("alone"))
    alone.configure(SECOND)
    alone.run(*files)
    for file in files:
        assert filecmp.cmp(host.folder / "second" / file, alone.folder / file, shallow=False), file


def test_candidates_of_the_users_own_are_not_looked_for_under_the_prefix(host):
    frames = [bulk("Zr", "hcp", a=3.2 + 0.01 * k, c=5.147) for k in range(12)]
    write(host.folder / "structures" / "mine.extxyz", frames)
    write(host.folder / "structures" / "mine.traj", frames)
    overrides = {
        pool: {"sampler": "file", "size": 12, "file": {"path": f"structures/mine.{ending}"}}
        for pool, ending in {"A": "extxyz", "B": "traj"}.items()
    }
    host.configure({"zirconium": {**FIRST, "pools": {**SMALL["pools"], "overrides": overrides}}, "other": SECOND})
    host.run("zirconium_candidates")
    made = host.folder / "first/results/first/candidates"
    assert sorted(str(path.relative_to(made)) for path in made.rglob("[!.]*.*") if ".made" not in path.parts) == [
        *("A/0-12.npz", "B/0-12.npz", "frames/A.npy", "frames/B.extxyz", "frames/B.npy")
    ]


def test_the_plan_of_a_module_looks_under_its_prefix(host):
    results = host.folder / "first/results/first/benchmarks/candidates/A"
    results.mkdir(parents=True)
    (results / "0-30.tsv").write_text("s\n3600\n")
    output = host.run("zirconium_plan", "--quiet", "all")
    assert "Plan of first" in output
    assert "in first/results/first/benchmarks" in output


def test_the_default_study_is_no_part_of_a_module(host):
    (host.folder / "config").mkdir()
    (host.folder / "config/config.yaml").write_text(yaml.safe_dump({**SMALL, "study": "unwanted"}))
    assert "results/unwanted" not in host.run("-n")
    text = (host.folder / "Snakefile").read_text()
    (host.folder / "Snakefile").write_text(text.replace('    config:\n        config["other"]\n', ""))
    (sentence,) = [line for line in host.run("-n", status=1).splitlines() if line.startswith("gapdesign: ")]
    assert sentence.startswith("gapdesign: prototypes: this key is missing")


def test_the_configuration_of_the_host_is_left_as_it_is(host):
    text = (host.folder / "Snakefile").read_text()
    host_text = text + 'import json\nopen("seen.json", "w").write(json.dumps(config))\n'
    (host.folder / "Snakefile").write_text(host_text)
    host.run("-n")
    assert yaml.safe_load((host.folder / "seen.json").read_text()) == yaml.safe_load(
        (host.folder / "config.yaml").read_text()
    )


def test_a_mistake_in_a_module_is_one_sentence(host):
    host.configure({"zirconium": FIRST, "other": {**SECOND, "budget": 0}})
    (sentence,) = [line for line in host.run("-n", status=1).splitlines() if line.startswith("gapdesign: ")]
    assert sentence.startswith("gapdesign: budget: ")


def test_the_lock_of_the_host_is_left_alone(host):
    lock = host.folder / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("chosen.txt\n")
    host.run("-n")
    assert lock.exists()


def test_tools_see_the_rules_of_both_modules(host):
    output = subprocess.run(
        host.command("--rulegraph"), cwd=host.folder, capture_output=True, text=True, check=True
    ).stdout
    assert "zirconium_models_fit" in output
    assert "other_models_fit" in output
