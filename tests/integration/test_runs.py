"""Whole runs: reproduced, interrupted and continued; the same files every time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from conftest import Workflow, assert_same_files


def wait_for(path: Path, process) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def stop(process) -> None:
    process.wait(timeout=120)
    process.stdout.close()


def jobs_below(pid: int) -> list[int]:
    """Processes of `gapdesign` verbs that a Snakemake process started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                session = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3])
            except (OSError, IndexError):
                continue
            if session == pid and b"gapdesign" in command:
                found.append(int(entry.name))
    return found


def test_two_runs_give_identical_files(finished, workflow):
    workflow.run(OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2", PYTHONHASHSEED="12")
    assert_same_files(finished, workflow)


@pytest.mark.parametrize(
    ("blow", "stage"),
    [
        (signal.SIGINT, "descriptors/A/0-30.npy"),
        (signal.SIGKILL, "designs/OPT.extxyz"),
        (signal.SIGINT, "labels/batches/OPT/0-6.extxyz"),
        (signal.SIGKILL, "models/OPT/hyperparameters.json"),
    ],
)
def test_a_killed_head_and_its_rerun(finished, workflow, blow, stage):
    process = workflow.start()
    wait_for(workflow.folder / "results/small" / stage, process)
    process.send_signal(blow)
    stop(process)
    workflow.run()
    assert_same_files(finished, workflow)
    assert list((workflow.folder / "results").rglob(".*")) == []


def test_a_killed_job_and_its_rerun(finished, workflow):
    process = workflow.start()
    wait_for(workflow.folder / "results/small/candidates/A/0-30.npz", process)
    deadline = time.monotonic() + 60
    while not (jobs := jobs_below(process.pid)):
        assert time.monotonic() < deadline
    os.kill(jobs[0], signal.SIGKILL)
    stop(process)
    assert process.returncode != 0
    workflow.run()
    assert_same_files(finished, workflow)


@pytest.mark.parametrize("changes", [{"budget": 14}, {"budget": 6}, {"pools": {"size": 90}, "budget": 14}])
def test_designs_that_go_on_are_those_made_at_once(rerun, workflow, configuration, changes):
    for key, value in changes.items():
        configuration[key] = configuration[key] | value if isinstance(value, dict) else value
    rerun.configure(configuration)
    workflow.configure(configuration)
    rerun.run("design")
    workflow.run("design")
    going_on, at_once = (
        {name: path.read_bytes() for name, path in run.results().items() if "/designs/OPT" in name}
        for run in (rerun, workflow)
    )
    assert going_on == at_once
    if "pools" not in changes:  # more candidates have another mean, and so perhaps another start
        log = "results/small/logs/design/select/OPT.log"
        assert "of an earlier selection are still right" in (rerun.folder / log).read_text()
        assert "earlier" not in (workflow.folder / log).read_text()


def test_what_a_run_leaves(finished: Workflow):
    folder = finished.folder / "results/small"
    page = (folder / "report.html").read_text()
    sentence = (folder / "headline.txt").read_text().strip()
    assert "off-sample" in sentence
    assert sentence in page
    for name in (
        "designs/OPT.extxyz",
        "quality.csv",
        "labels/OPT.extxyz",
        "labels/failed.csv",
        "models/OPT/gp.xml",
    ):
        assert (folder / name).stat().st_size > 0
    for name in ("crossval/errors.csv", "crossval/predictions.csv", "provenance.json"):
        assert (folder / name).stat().st_size > 0


def test_every_log_says_what_its_job_did(finished: Workflow):
    logs = list((finished.folder / "results/small/logs").rglob("*.log"))
    assert len(logs) > 25
    for log in logs:
        text = log.read_text()
        assert "wrote results/small/" in text, log
        assert len(text.splitlines()) < 100, log


def test_the_snakemake_report_has_its_captions(rerun: Workflow):
    rerun.run("--report", "snakemake.html")
    text = (rerun.folder / "snakemake.html").read_text()
    for name in ("quality.csv", "errors.csv", "parity.svg", "report.html"):
        assert name in text
