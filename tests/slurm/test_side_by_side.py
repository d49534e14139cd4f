"""Two studies in one folder on a real Slurm: each run has jobs of its own, whatever becomes of the other."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import SMALL
from holding import wait_until
from slurm.cluster import Cluster, OnSlurm
from slurm.test_broken_runs import gapdesign

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@dataclass
class Halfway(OnSlurm):
    """A study with a name of its own in a folder that it shares, which waits in the middle of a stage."""

    verb: str = ""
    process: subprocess.Popen[str] | None = None
    jobs: set[str] = field(default_factory=set)

    @property
    def study(self) -> str:
        return self.configfile.removesuffix(".yaml")

    def start_and_wait(self) -> None:
        shards = {**SMALL["pools"], "shard_size": SMALL["pools"]["size"]}  # one for each of two pools
        self.configure(SMALL | {"study": self.study, "pools": shards})
        self.hold(self.verb, having=f"results/{self.study}/")
        self.process = self.start(self.verb)
        wait_until(lambda: len(self.held(self.verb)) == 2, f"{self.study} waits", self.process)
        self.jobs = set(self.held(self.verb))

    def finish(self) -> None:
        self.release(self.verb)
        output, _ = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, output
        assert "Error in" not in output
        assert self.plan(self.verb) == {}

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


@pytest.fixture
def one(slurm: Cluster, tmp_path: Path) -> Iterator[Halfway]:
    """A study, not yet run."""
    yield (workflow := Halfway(tmp_path, configfile="one.yaml", verb="candidates"))
    workflow.kill()


@pytest.fixture
def other(slurm: Cluster, tmp_path: Path) -> Iterator[Halfway]:
    """A second one in the same folder."""
    yield (workflow := Halfway(tmp_path, configfile="other.yaml", verb="descriptors"))
    workflow.kill()


def running(slurm: Cluster) -> set[str]:
    return {job["id"] for job in slurm.jobs("running")}


@pytest.mark.whole
def test_the_end_of_a_run_leaves_the_jobs_of_the_other(slurm: Cluster, one: Halfway, other: Halfway):
    one.start_and_wait()
    other.start_and_wait()
    one.finish()
    assert other.jobs <= running(slurm)
    first, second = gapdesign(one.folder, "cancel").splitlines()
    assert first == "no jobs to cancel"
    assert second.startswith("left alone: 2 jobs of the run of other (process")
    one.run("candidates", "--forceall")  # a start beside it: its locks stay, and its jobs are no orphans
    assert "Directory cannot be locked" in other.run("descriptors", status=1)
    assert other.jobs <= running(slurm)
    other.finish()
    assert slurm.unfinished() == []


@pytest.mark.whole
def test_a_killed_run_beside_a_living_one(slurm: Cluster, one: Halfway, other: Halfway):
    other.start_and_wait()
    one.start_and_wait()
    one.kill()

    refusal = one.run("candidates", status=1)
    (named,) = re.findall(r"of a run that was killed are still alive here \(([\d, ]+)\)", refusal)
    assert set(named.split(", ")) == one.jobs
    first, second = gapdesign(one.folder, "cancel").splitlines()
    assert set(re.findall(r"\d+", first.split(":")[1])) == one.jobs
    assert second.startswith("left alone: 2 jobs of the run of other (process")
    assert {job["id"] for job in slurm.unfinished()} == other.jobs

    one.release("candidates")
    one.run("candidates")
    assert other.jobs <= running(slurm)
    other.finish()


def test_cancel_all_ends_the_jobs_of_a_living_run(slurm: Cluster, other: Halfway):
    other.start_and_wait()
    other.process.send_signal(signal.SIGSTOP)  # it submits nothing anew
    first, second = gapdesign(other.folder, "cancel", "--all").splitlines()
    assert set(re.findall(r"\d+", first.split(":")[1])) == other.jobs
    assert second.startswith("the run of other (process")
    assert slurm.unfinished() == []
