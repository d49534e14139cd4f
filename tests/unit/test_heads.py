"""Heads of runs: who is alive, and whose jobs and locks are whose."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from gapdesign.cluster import heads, places, slurm
from gapdesign.cluster.heads import LOCKS, Head, cancel, settle_locks, sweep
from gapdesign.errors import InputError

PROCESS = """
import sys
from gapdesign.cluster.heads import Head

head = Head.begin(".", sys.argv[1])
print(head.record, flush=True)
sys.stdin.read()
"""
"""A head that lives until it is killed or its input ends."""


class Process:
    """Another head in a folder."""

    def __init__(self, folder: Path, study: str) -> None:
        command = [sys.executable, "-c", PROCESS, study]
        self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.head = Head(Path(self._process.stdout.readline().strip()))

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    started = []

    def begin(study: str) -> Process:
        started.append(Process(tmp_path, study))
        return started[-1]

    yield begin
    for process in started:
        process.kill()


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Jobs that wait or run at a stand-in for Slurm, in one folder: names by their numbers."""
    jobs: dict[str, str] = {}

    def answer(program: str, *words: str) -> str:
        if program == "scancel":
            for number in words:
                del jobs[number]
        return "\n".join(f"{number}|{name}|rule_x_wildcards_a|b|{tmp_path}" for number, name in jobs.items())

    monkeypatch.setattr(slurm, "_ask", answer)
    return jobs


def lock(folder: Path, name: str, *files: str) -> Path:
    """A lock of Snakemake's."""
    path = folder / LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{file}\n" for file in files))
    return path


def locked(folder: Path) -> list[tuple[str, str]]:
    """Locks in place: kinds and texts, whatever the numbers."""
    return sorted((path.name.split(".")[1], path.read_text()) for path in (folder / LOCKS).glob("*"))


def test_a_head_is_alive_until_its_process_is_killed(start, tmp_path):
    one, other = start("one"), start("other")
    assert [head.is_alive() for head in heads.heads(tmp_path)] == [True, True]
    assert "the run of one (process" in str(one.head)
    one.kill()
    assert not one.head.is_alive()
    assert other.head.is_alive()
    assert len(heads.heads(tmp_path)) == 2


def test_a_process_sees_itself_alive_and_is_struck_off_when_it_ends(tmp_path):
    head = Head.begin(tmp_path, "mine")
    assert [each.is_alive() for each in heads.heads(tmp_path)] == [True]
    head.end()
    assert heads.heads(tmp_path) == []
    assert str(head) == "a run that has just ended"


def test_where_files_cannot_be_locked_every_head_is_taken_for_alive(tmp_path, monkeypatch, queue):
    def refuse(*_: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    head = Head.begin(tmp_path, "mine")
    head.jobs = "run-1"
    queue["1"] = "run-1"
    assert sweep(tmp_path) == []
    assert cancel(tmp_path)[0] == "no jobs to cancel"
    assert queue == {"1": "run-1"}
    head.end()


def test_the_name_of_jobs_is_read_from_the_message_of_the_plugin():
    assert slurm.name_of_jobs("SLURM run ID: 1f0b-2c") == "1f0b-2c"
    assert slurm.name_of_jobs("Job 3 has been submitted with SLURM jobid 7") is None


def test_orphans_are_the_jobs_of_dead_heads(start, tmp_path, queue):
    dead, living, without = start("dead"), start("living"), start("without")
    dead.head.jobs, living.head.jobs = "run-1", "run-2"
    queue |= {"11": "run-1", "12": "run-1", "21": "run-2", "31": "unknown"}
    assert sweep(tmp_path) == []
    dead.kill()
    without.kill()
    assert sweep(tmp_path) == ["11", "12"]
    assert not without.head.record.exists()  # it left nothing
    del queue["11"], queue["12"]
    assert sweep(tmp_path) == []
    assert not dead.head.record.exists()
    assert living.head.is_alive()


def test_a_dead_head_is_remembered_while_slurm_does_not_answer(start, tmp_path, queue, monkeypatch):
    dead = start("dead")
    dead.head.jobs = "run-1"
    dead.kill()
    with monkeypatch.context() as silent:
        silent.setattr(slurm, "_ask", lambda *_: None)
        assert sweep(tmp_path) == []
        assert cancel(tmp_path) == ["no jobs to cancel"]
    queue["11"] = "run-1"
    assert sweep(tmp_path) == ["11"]


def test_cancel_leaves_living_runs_alone_and_says_so(start, tmp_path, queue):
    dead, living = start("dead"), start("living")
    dead.head.jobs, living.head.jobs = "run-1", "run-2"
    dead.kill()
    queue |= {"11": "run-1", "21": "run-2", "22": "run-2", "31": "unknown"}
    first, *rest = cancel(tmp_path)
    assert first == "cancelled 1 jobs: 11"
    assert queue == {"21": "run-2", "22": "run-2", "31": "unknown"}
    assert [line.split(" of ")[0] for line in rest] == ["left alone: 2 jobs", "left alone: 1 jobs"]
    assert "of the run of living (process" in rest[0]
    assert "Ctrl-C" in rest[0]
    assert "not known here" in rest[1]
    assert cancel(tmp_path)[0] == "no jobs to cancel"


def test_cancel_all_cancels_everything_and_warns_of_living_runs(start, tmp_path, queue):
    living = start("living")
    living.head.jobs = "run-2"
    queue |= {"21": "run-2", "31": "unknown"}
    first, *rest = cancel(tmp_path, everything=True)
    assert first == "cancelled 2 jobs: 21, 31"
    assert queue == {}
    (warning,) = rest
    assert warning.startswith("the run of living (process")
    assert "may submit its 1 jobs again" in warning


def test_a_run_cancels_its_own_jobs_only(tmp_path, queue):
    head = Head.begin(tmp_path, "mine")
    head.cancel_jobs()  # of a run that has none
    head.jobs = "run-1"
    queue |= {"11": "run-1", "21": "run-2"}
    head.cancel_jobs()
    assert queue == {"21": "run-2"}
    head.end()


def test_locks_of_dead_heads_go_and_those_of_living_ones_stay(start, tmp_path):
    dead, living = start("dead"), start("living")
    dead.head.claim([lock(tmp_path, "0.output.lock", "a"), lock(tmp_path, "0.input.lock", "shared")])
    living.head.claim([lock(tmp_path, "1.output.lock", "b"), lock(tmp_path, "1.input.lock", "shared")])
    settle_locks(tmp_path)
    assert locked(tmp_path) == [("input", "shared\n"), ("input", "shared\n"), ("output", "a\n"), ("output", "b\n")]
    dead.kill()
    settle_locks(tmp_path)
    assert set(locked(tmp_path)) == {("input", "shared\n"), ("output", "b\n")}


def test_locks_that_another_run_took_with_it_are_put_back(start, tmp_path):
    living = start("living")
    living.head.claim([lock(tmp_path, "0.output.lock", "b"), lock(tmp_path, "0.input.lock", "c")])
    for path in (tmp_path / LOCKS).iterdir():
        path.unlink()
    (tmp_path / LOCKS).rmdir()
    lock(tmp_path, "0.output.lock", "d")  # of a run that has just started
    mine = Head.begin(tmp_path, "mine")
    start("starting")
    settle_locks(tmp_path, mine)
    assert locked(tmp_path) == [("input", "c\n"), ("output", "b\n"), ("output", "d\n")]
    mine.end()
    assert locked(tmp_path) == [("input", "c\n"), ("output", "b\n"), ("output", "d\n")]


def test_a_lock_that_nobody_claims_is_stale_unless_a_run_is_starting(start, tmp_path):
    mine = Head.begin(tmp_path, "mine")
    lock(tmp_path, "0.output.lock", "a")
    starting = start("starting")
    settle_locks(tmp_path, mine)
    assert locked(tmp_path) == [("output", "a\n")]
    starting.head.claim([])
    settle_locks(tmp_path, mine)
    assert locked(tmp_path) == []
    mine.end()


def test_a_folder_that_cannot_be_written_is_named_with_its_owner(tmp_path, monkeypatch):
    (tmp_path / ".snakemake").write_text("not a folder")
    message = rf"^{tmp_path}/.snakemake: [\w ]+ \(owner \w+\), and Snakemake keeps its records there, those of a dry"
    with pytest.raises(InputError, match=message):
        heads.Head.begin(tmp_path, "study")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(
        InputError, match=rf"^{tmp_path / 'new'}: Permission denied \(unknown owner\), and Snakemake keeps"
    ):
        heads.Head.begin(tmp_path / "new", "study")


def test_temporary_files_need_room(tmp_path, monkeypatch):
    places.check_temporary()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(
        InputError, match=r"none: the folder of temporary files, by the variable TMPDIR, does not exist"
    ):
        places.check_temporary()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    places.check_temporary()
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20 - 1))
    with pytest.raises(InputError, match=r"by the variable TMPDIR, is full; make room there, or set TMPDIR to another"):
        places.check_temporary()
