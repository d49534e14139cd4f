"""Two studies in one folder on a real Slurm: each run has jobs of its own, whatever becomes of the other."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import SMALL
from holding import wait_until
from slurm.cluster import Cluster, OnSlurm
from slurm.test_broken_runs import gapdesign

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.xdist_group("slurm")]


def study(folder: Path, name: str) -> OnSlurm:
    workflow = OnSlurm(folder, configfile=f"{name}.yaml")
    workflow.configure(SMALL | {"study": name})
    return workflow


@pytest.fixture
def one(tmp_path: Path) -> OnSlurm:
    """A study, not yet run."""
    return study(tmp_path, "one")


@pytest.fixture
def other(tmp_path: Path, slurm: Cluster) -> Iterator[tuple[OnSlurm, subprocess.Popen[str], set[str]]]:
    """A second one in the same folder, which is in the middle of its descriptors: what runs it, and its jobs."""
    workflow = study(tmp_path, "other")
    workflow.hold("descriptors", having="results/other/")
    process = workflow.start("descriptors")
    wait_until(lambda: len(workflow.held("descriptors")) == 4, "the other study waits", process)
    yield workflow, process, set(workflow.held("descriptors"))
    process.kill()
    process.communicate()


def running(slurm: Cluster) -> set[str]:
    return {job["id"] for job in slurm.jobs("running")}


def assert_finishes(workflow: OnSlurm, process: subprocess.Popen[str]) -> None:
    workflow.release("descriptors")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "Error in" not in output
    assert len(list((workflow.folder / "results/other/descriptors").rglob("*.npz"))) == 4


def test_the_end_of_a_run_leaves_the_jobs_of_the_other(slurm: Cluster, one: OnSlurm, other):
    workflow, process, jobs = other
    one.run("candidates")
    assert jobs <= running(slurm)
    assert gapdesign(one.folder, "cancel").splitlines()[0] == "no jobs to cancel"
    assert "4 jobs of the run of other (process" in gapdesign(one.folder, "cancel")
    one.run("candidates", "--forceall")  # a start beside it: its locks stay, and its jobs are no orphans
    assert "Directory cannot be locked" in workflow.run("descriptors", status=1)
    assert jobs <= running(slurm)
    assert_finishes(workflow, process)
    assert slurm.unfinished() == []


def test_a_killed_run_beside_a_living_one(slurm: Cluster, one: OnSlurm, other):
    workflow, process, jobs = other
    one.hold("candidates", having="results/one/")
    killed = one.start("candidates")
    wait_until(lambda: len(one.held("candidates")) == 4, "the study waits", killed)
    killed.kill()
    killed.communicate()
    orphans = set(one.held("candidates"))

    refusal = one.run("candidates", status=1)
    (named,) = re.findall(r"of a run that was killed are still alive here \(([\d, ]+)\)", refusal)
    assert set(named.split(", ")) == orphans
    first, second = gapdesign(one.folder, "cancel").splitlines()
    assert set(re.findall(r"\d+", first.split(":")[1])) == orphans
    assert second.startswith("left alone: 4 jobs of the run of other")
    assert {job["id"] for job in slurm.unfinished()} == jobs

    one.release("candidates")
    one.run("candidates")
    assert jobs <= running(slurm)
    assert_finishes(workflow, process)


def test_cancel_all_ends_the_jobs_of_a_living_run(slurm: Cluster, one: OnSlurm, other):
    _, process, jobs = other
    process.send_signal(19)  # it sleeps, and submits nothing anew
    first, second = gapdesign(one.folder, "cancel", "--all").splitlines()
    process.send_signal(18)
    assert set(re.findall(r"\d+", first.split(":")[1])) == jobs
    assert second.startswith("the run of other (process")
    assert jobs & running(slurm) == set()
