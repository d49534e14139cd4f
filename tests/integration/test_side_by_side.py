"""Studies that run side by side in one folder: each has locks and an end of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import SMALL
from holding import HeldWorkflow, wait_until

pytestmark = pytest.mark.slow


class Beside(HeldWorkflow):
    """A study of its own in a folder that it shares; what it started ends with the test."""

    def __init__(self, folder: Path, study: str) -> None:
        super().__init__(folder, configfile=f"{study}.yaml")
        self.configure(SMALL | {"study": study})
        self.started = []

    def start(self, *arguments: str, **environment: str):
        self.started.append(super().start(*arguments, **environment))
        return self.started[-1]

    def is_refused(self, *arguments: str) -> bool:
        output, _ = self.start(*arguments).communicate(timeout=120)
        return "Directory cannot be locked" in output

    def stop(self) -> None:
        (self.folder / "hold-candidates").unlink(missing_ok=True)  # jobs of a killed head end by themselves
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Beside]:
    """A study."""
    yield (study := Beside(tmp_path, "one"))
    study.stop()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Beside]:
    """A second one in the same folder."""
    yield (study := Beside(tmp_path, "other"))
    study.stop()


def waiting(workflow: Beside, study: str) -> bool:
    logs = (workflow.folder / "results" / study / "logs" / "candidates").rglob("*.log")
    return bool(workflow.held("candidates")) and any(logs)


def made(workflow: Beside, study: str) -> list[Path]:
    return sorted((workflow.folder / "results" / study / "candidates").rglob("*.npz"))


def test_the_end_of_one_leaves_the_other_its_locks(one, other):
    other.hold("candidates", having="results/other/")
    process = other.start("candidates")
    wait_until(lambda: waiting(other, "other"), "the other waits", process)
    one.run("candidates")
    assert len(made(one, "one")) == 4
    assert other.is_refused("candidates")
    one.run("candidates", "--forceall")
    assert other.is_refused("candidates")
    other.release("candidates")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert len(made(other, "other")) == 4
    assert list((one.folder / ".snakemake/locks").glob("*")) == []


@pytest.mark.parametrize("first", ["the killed one", "the living one"])
def test_one_is_killed_and_runs_again_beside_the_other(one, other, first):
    processes = {}
    for workflow, study in [(one, "one"), (other, "other")][:: 1 if first == "the killed one" else -1]:
        workflow.hold("candidates")
        processes[study] = workflow.start("candidates")
        wait_until(lambda w=workflow, s=study: waiting(w, s), f"{study} waits", processes[study])
    processes["one"].kill()
    processes["one"].wait()
    one.run("-n", "candidates")
    assert other.is_refused("candidates")
    one.release("candidates")
    one.run("candidates")
    assert len(made(one, "one")) == 4
    output, _ = processes["other"].communicate(timeout=300)
    assert processes["other"].returncode == 0, output
    assert len(made(other, "other")) == 4
