"""Whole runs: reproduced, interrupted and continued; the same files every time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from conftest import Workflow, assert_same_files
from gapdesign.files import read_csv, read_frames


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


def test_a_run_that_is_killed_again_and_again_gives_identical_files(finished, workflow):
    """The head in four stages, then a job; with other threads and hashes than those of the run that no one killed."""
    other = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "12"}
    results = workflow.folder / "results/small"
    for blow, stage in [
        (signal.SIGINT, "descriptors/A/0-30.npy"),
        (signal.SIGKILL, "designs/OPT.extxyz"),
        (signal.SIGINT, "labels/batches/OPT/0-6.extxyz"),
        (signal.SIGKILL, "models/OPT/hyperparameters.json"),
    ]:
        assert not (results / stage).exists()
        process = workflow.start(**other)
        wait_for(results / stage, process)
        process.send_signal(blow)
        stop(process)
    process = workflow.start(**other)
    wait_for(results / "models/OPT/gp.xml", process)
    deadline = time.monotonic() + 60
    while not (jobs := jobs_below(process.pid)):
        assert time.monotonic() < deadline
    os.kill(jobs[0], signal.SIGKILL)
    stop(process)
    assert process.returncode != 0
    workflow.run(**other)
    assert_same_files(finished, workflow)
    assert [path for path in results.rglob(".*") if path.is_file()] == []


@pytest.mark.parametrize("changes", [{"budget": 14}, {"budget": 6}, {"pools": {"size": 90}, "budget": 14}])
def test_designs_that_go_on_are_those_made_at_once(rerun, workflow, configuration, changes):
    for key, value in changes.items():
        configuration[key] = configuration[key] | value if isinstance(value, dict) else value
    rerun.configure(configuration)
    workflow.configure(configuration)
    files = [f"results/small/designs/OPT.{ending}" for ending in ("extxyz", "npy")]
    going_on, at_once = (
        run.run(*files) and [(run.folder / file).read_bytes() for file in files] for run in (rerun, workflow)
    )
    assert going_on == at_once
    if "pools" not in changes:  # more candidates have another mean, and so perhaps another start
        log = "results/small/logs/design/select/OPT.log"
        assert "of an earlier selection are still right" in (rerun.folder / log).read_text()
        assert "earlier" not in (workflow.folder / log).read_text()


def test_what_a_run_leaves(finished: Workflow):
    folder = finished.folder / "results/small"
    page = (folder / "report.html").read_text()
    *doubts, sentence = (folder / "headline.txt").read_text().splitlines()
    assert "off-sample" in sentence
    assert sentence in page
    # Ten structures are too few for either model.
    assert [doubt.split(": ")[0] for doubt in doubts] == ["Doubtful model"] * 2
    head = page[: page.index("<nav>")]
    assert all(doubt.split(": ", 1)[1] in head for doubt in doubts)
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
        if log.name != "fit.log":  # gap_fit's own output is in it
            assert len(text.splitlines()) < 100, log


def test_the_snakemake_report_has_its_captions(rerun: Workflow):
    rerun.run("--report", "snakemake.html")
    text = (rerun.folder / "snakemake.html").read_text()
    for name in ("quality.csv", "errors.csv", "parity.svg", "report.html"):
        assert name in text


FEWER = {"limits": {"min_angle": 53.4}, "reserve": 6}
"""Refuses two structures of OPT and three of RND."""


def test_structures_without_a_label_are_replaced_and_designs_keep_their_budget(finished, rerun, configuration):
    configuration["labels"] |= FEWER | {"max_failed": 0.5}
    rerun.configure(configuration)
    before = stored(rerun)
    rerun.run()
    results, same = rerun.folder / "results/small", finished.folder / "results/small"
    failed = read_csv(results / "labels/failed.csv")
    assert failed[["design", "rank"]].values.tolist() == [["OPT", 1], ["OPT", 4], ["RND", 1], ["RND", 2], ["RND", 8]]
    assert failed["reason"].str.contains("degrees to the plane").all() and (failed["attempts"] == 0).all()
    assert [atoms.info["rank"] for atoms in read_frames(results / "labels/failed.extxyz")] == failed["rank"].tolist()
    for design, ranks in (("OPT", [0, 2, 3, *range(5, 12)]), ("RND", [0, *range(3, 8), *range(9, 13)])):
        for name in (f"{design}.extxyz", f"{design}.npy", f"reserve/{design}.extxyz"):
            assert (results / "designs" / name).read_bytes() == (same / "designs" / name).read_bytes()
        frames = read_frames(results / f"labels/{design}.extxyz")
        assert [atoms.info["rank"] for atoms in frames] == ranks
        reserve = read_frames(results / f"designs/reserve/{design}.extxyz")
        assert frames[-1].info["candidate"] == reserve[ranks[-1] - 10].info["candidate"]
    page = (results / "report.html").read_text()
    assert "OPT lost ranks 1 and 4; ranks 10 and 11 of its reserve filled in." in page
    predictions = read_csv(results / "crossval/predictions.csv")
    assert set(predictions.loc[predictions["test_set"] == "RND", "rank"]) == {0, *range(3, 8), *range(9, 13)}
    assert predictions.loc[predictions["model"] == predictions["test_set"], "duplicate"].all()
    # Two labels more for OPT, three for RND; none again.
    assert len(stored(rerun)) == len(before) + 5 and before.items() <= stored(rerun).items()
    assert rerun.plan() == {}
    first = rerun.results()
    kept = {name: path.read_bytes() for name, path in first.items() if "/labels/" in f"/{name}"}
    for name in kept:
        first[name].unlink()
    rerun.run("labels")
    assert {name: path.read_bytes() for name, path in rerun.results().items() if name in kept} == kept


def test_a_study_in_which_too_much_fails_stops_in_one_sentence(rerun, configuration):
    configuration["labels"] |= FEWER | {"max_failed": 0.2}
    rerun.configure(configuration)
    output = rerun.run("labels", status=1)
    sentences = {line for line in output.splitlines() if "labels.max_failed" in line}
    (sentence,) = sentences
    assert "3 structures of RND, which has 10, got no label, more than the allowed share of 0.2" in sentence
    assert "3 of 3 (100%) because “A cell vector is at" in sentence
    assert "they are 3 bcc (the design has 6)" in sentence


def stored(workflow: Workflow) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workflow.folder / "labels-store").rglob("*.json")}
