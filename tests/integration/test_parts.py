"""Every verb makes the same bytes of the part of the configuration that the workflow gives it as of the whole file."""

from __future__ import annotations

import filecmp
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import Workflow
from gapdesign import cli
from other_configuration import other_configuration

pytestmark = pytest.mark.xdist_group("parts")  # one worker runs the study


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Workflow:
    """A study that differs from the default in every key, run to its report, with its pools compared."""
    workflow = Workflow(tmp_path_factory.mktemp("other"))
    configuration = other_configuration()
    configuration["kernel"]["structure"] = "average"  # else no design is chosen from smaller pools
    configuration["replay"]["report"] = False  # its labels are in files, which this study does not have
    workflow.configure(configuration)
    workflow.run("report", "pools", "environments")
    return workflow


def commands(workflow: Workflow, *targets: str) -> list[list[str]]:
    """The words of every command of the workflow, without redirections."""
    process = subprocess.run(
        workflow.command(*targets, "--detailed-summary"),
        cwd=workflow.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    head, *rows = [line.split("\t") for line in process.stdout.splitlines() if "\t" in line]
    lines = dict.fromkeys(row[head.index("shellcmd")] for row in rows)
    return [shlex.split(line.partition(" > ")[0])[1:] for line in lines if line.startswith("gapdesign ")]


def test_a_verb_makes_the_same_of_its_part_as_of_the_whole_file(ran, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    shutil.copytree(ran.folder, whole)
    shutil.rmtree(whole / "results/other/designs/state")
    monkeypatch.chdir(whole)
    verbs = set()
    for words in commands(ran, "report", "pools", "environments"):
        if "--config" in words:
            words[words.index("--config") + 1] = "config.yaml"
        assert cli.main(words) == 0, words
        verbs.add(words[0])
    reading = {verb for verb, job in cli.jobs().items() if job.reads is not None and not verb.startswith("replay")}
    assert reading - verbs == {"plan"}  # which makes no file
    for path in sorted(Path("results").rglob("*")):
        if path.is_file() and not {"logs", "benchmarks", "state"} & set(path.parts):
            assert filecmp.cmp(path, ran.folder / path, shallow=False), path
