"""Parts of Snakemake that the rules use: its public interface, and the few internals of one file, which are all there.

Tested with Snakemake 9.27.1, which envs/requirements.lock has; pyproject.toml says which others will do.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from conftest import ROOT

INTERNALS = ROOT / "workflow/rules/internals.smk"

PUBLIC = {"deployment_settings"}
"""Attributes of `workflow` that snakemake_interface_executor_plugins promises to plugins."""

MODULES = {"snakemake.logging", "snakemake.utils", "snakemake_interface_executor_plugins.settings"}

GUEST = """
import json
from pathlib import Path


include: "{internals}"


seen = {{
    name: globals()[name]()
    for name in (
        "is_main",
        "module_name",
        "is_head",
        "has_configfile",
        "configuration_files",
        "jobs_at_once",
        "cores_here",
        "shell_prefix",
    )
}}
seen |= {{"prefixed": str(prefixed("a/b")), "rules_folder": str(rules_folder())}}
shell.prefix("BEFORE=1; ")
seen["new prefix"] = shell_prefix()
free_threads()


rule guest:
    output:
        "made.txt",
    threads: 8
    shell:
        "echo {{threads}} $BEFORE > {{output}}"


rule broken:
    input:
        "made.txt",
    output:
        "never.txt",
    shell:
        "false"
"""

MAIN = """
onstart:
    seen["to run"] = sorted(job.rule.name for job in jobs_to_run())
    seen["locked"] = sorted(line for file in lock_files() for line in Path(file).read_text().split())


onerror:
    seen["failed"] = [job.rule.name for job in failed_jobs()]
    Path("seen.json").write_text(json.dumps(seen, default=str))
"""

HOST = """
import json
from pathlib import Path


module guest:
    snakefile:
        "guest.smk"
    config:
        {}
    prefix:
        "there"


use rule * from guest as guest_*


Path("seen.json").write_text(json.dumps(guest.seen, default=str))
"""


def seen(folder: Path, snakefile: str, *arguments: str) -> dict:
    """Values that the internals gave in a run."""
    (folder / "config.yaml").write_text("key: 1\n")
    (folder / "Snakefile").write_text(snakefile)
    command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", *arguments]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (folder / "seen.json").is_file(), done.stdout
    return json.loads((folder / "seen.json").read_text())


def bounds() -> SpecifierSet:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (line,) = [line for line in project["optional-dependencies"]["workflow"] if re.match("snakemake[<>=]", line)]
    return SpecifierSet(line.removeprefix("snakemake"))


def test_the_installed_and_the_locked_snakemake_are_within_the_bounds():
    (locked,) = re.findall(r"^snakemake==(\S+)", (ROOT / "envs/requirements.lock").read_text(), re.MULTILINE)
    assert locked in __doc__
    assert locked in bounds()
    assert version("snakemake") in bounds()


def test_the_lower_bound_is_that_of_the_workflow_and_the_next_major_version_is_out():
    (least,) = re.findall(r'min_version\("(.*)"\)', (ROOT / "workflow/Snakefile").read_text())
    assert {str(bound) for bound in bounds()} == {f">={least}", "<10"}


@pytest.mark.parametrize("path", [*sorted((ROOT / "workflow").glob("**/*.smk")), ROOT / "workflow/Snakefile"])
def test_rules_use_internals_of_snakemake_in_one_file_only(path):
    if path == INTERNALS:
        return
    text = path.read_text()
    assert set(re.findall(r"\bworkflow\.(\w+)", re.sub(r'"[^"\n]*"', "", text))) <= PUBLIC
    assert re.findall(r"\bshell\._\w+|\brules\._\w+", text) == []
    assert set(re.findall(r"^\s*(?:from|import) (snakemake[\w.]*)", text, re.MULTILINE)) <= MODULES


def test_what_the_executor_interface_promises_is_promised():
    from snakemake_interface_executor_plugins.workflow import WorkflowExecutorInterface

    assert set(dir(WorkflowExecutorInterface)) >= PUBLIC


def test_the_internals_are_there_in_a_run(tmp_path):
    given = seen(tmp_path, GUEST.format(internals=INTERNALS) + MAIN, "--cores", "2", "broken")
    assert given == {
        "is_main": True,
        "module_name": None,
        "is_head": True,
        "has_configfile": True,
        "configuration_files": [str(tmp_path / "config.yaml")],
        "jobs_at_once": None,
        "cores_here": 2,
        "shell_prefix": None,
        "prefixed": "a/b",
        "rules_folder": str(tmp_path),
        "new prefix": "BEFORE=1; ",
        "to run": ["broken", "guest"],
        "locked": ["made.txt", "made.txt", "never.txt"],
        "failed": ["broken"],
    }
    assert (tmp_path / "made.txt").read_text().split() == ["8", "1"]


def test_the_internals_are_there_in_a_module(tmp_path):
    (tmp_path / "guest.smk").write_text(GUEST.format(internals=INTERNALS))
    submitting = ("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "true")
    (tmp_path / "there").mkdir()
    (tmp_path / "there/made.txt").touch()
    given = seen(tmp_path, HOST, *submitting, "--jobs", "3", "--rerun-triggers", "mtime", "--", "guest_guest")
    assert (given["is_main"], given["module_name"]) == (False, "guest")
    assert given["prefixed"] == "there/a/b"
    assert given["jobs_at_once"] == 3


REMEMBERING = """
from pathlib import Path


include: "{internals}"


remember(lambda file, config: Path(file).read_text() != config)


rule made:
    output:
        "made.txt",
    params:
        config=config["key"],
        other=config["other"],
    shell:
        "printf %s {{params.config}} > {{output}}"
"""


def test_results_tell_what_they_were_made_from_only_where_snakemake_has_forgotten(tmp_path):
    (tmp_path / "Snakefile").write_text(REMEMBERING.format(internals=INTERNALS))

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "made.txt", *arguments]
        done = subprocess.run(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("--config", "key=A", "other=1")
    (tmp_path / "made.txt").write_text("B")  # whatever the file says, the memory is right
    assert "Nothing to be done" in run("-n", "--config", "key=A", "other=1")
    shutil.rmtree(tmp_path / ".snakemake")
    assert "Nothing to be done" in run("-n", "--config", "key=B", "other=2")
    assert "params have changed since last execution" in run("-n", "--config", "key=A", "other=2")
    assert "Nothing to be done" in run("-n", "--rerun-triggers", "mtime", "--config", "key=A", "other=2")
    run("--touch", "--config", "key=A", "other=2")
    assert "Nothing to be done" in run("-n", "--config", "key=A", "other=2")
    assert (tmp_path / "made.txt").read_text() == "B"
