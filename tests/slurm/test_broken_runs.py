"""The small study on a real Slurm: the files of a local run, whatever breaks on the way."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import SMALL, Workflow, assert_same_files
from holding import wait_until
from slurm.cluster import Cluster, OnSlurm, cluster

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def attempts(jobs: list[dict[str, str]], rule: str) -> list[dict[str, str]]:
    return [job for job in jobs if job["comment"].startswith(f"rule_{rule}")]


def gapdesign(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "gapdesign", *arguments]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=True).stdout


@dataclass
class Battered:
    """A run in which everything went wrong, and what Slurm remembers of it."""

    workflow: OnSlurm
    output: str
    jobs: list[dict[str, str]]
    on_dead_node: list[str]
    cancelled: str

    def job(self, number: str) -> dict[str, str]:
        return next(job for job in self.jobs if job["id"] == number)


@pytest.fixture(scope="module")
def battered(tmp_path_factory: pytest.TempPathFactory) -> Battered:
    study = OnSlurm(tmp_path_factory.mktemp("battered"))
    study.configure(SMALL)
    study.hold("descriptors")
    study.hold("isolated")
    with cluster() as slurm:
        process = study.start(
            "--set-resources",
            "design_select:mem_mb=150*16**(attempt-1)",  # Snakemake alone takes more than the first
            "labels_isolated:runtime=30**(attempt-1)",  # minutes; it waits for as long as it is held
        )
        # Memory lets two such jobs on each node.
        wait_until(lambda: len(study.held("descriptors")) == 4, "the descriptors are being computed", process)
        where = {job["id"]: job["node"] for job in slurm.jobs("running")}
        first, *others = study.held("descriptors")
        dead = [job for job in study.held("descriptors") if where[job] == where[first]]
        cancelled = next(job for job in others if where[job] != where[first])
        slurm.kill_node(where[first])
        slurm.ask("scancel", cancelled)
        study.release("descriptors")
        wait_until(lambda: any(job["state"] == "TIMEOUT" for job in slurm.jobs()), "a job ran out of time", process)
        study.release("isolated")
        output, _ = process.communicate(timeout=540)
        jobs = slurm.jobs()
    return Battered(study, output, jobs, dead, cancelled)


def test_a_battered_run_ends_with_the_files_of_a_local_run(battered: Battered, finished: Workflow):
    assert "100%" in battered.output, battered.output
    assert_same_files(finished, battered.workflow)
    assert [path for path in (battered.workflow.folder / "results").rglob(".*") if path.is_file()] == []


def test_a_job_beyond_its_memory_comes_back_with_more(battered: Battered):
    selections = attempts(battered.jobs, "design_select_wildcards__OPT")
    assert [job["memory"] for job in selections] == ["150M", "2400M"]
    assert selections[0]["state"] != "COMPLETED"
    assert selections[1]["state"] == "COMPLETED"


def test_a_job_beyond_its_time_comes_back_with_more(battered: Battered):
    isolated = attempts(battered.jobs, "labels_isolated")
    assert [job["state"] for job in isolated] == ["TIMEOUT", "COMPLETED"]
    assert [job["limit"] for job in isolated] == ["1:00", "30:00"]


def test_jobs_of_a_dead_node_run_elsewhere(battered: Battered):
    dead = {battered.job(number)["node"] for number in battered.on_dead_node}
    assert len(dead) == 1
    assert all(battered.job(number)["state"] != "COMPLETED" for number in battered.on_dead_node)
    later = [job for job in battered.jobs if int(job["id"]) > max(map(int, battered.on_dead_node))]
    assert later
    assert not [job for job in later if job["node"] in dead and job["state"] == "COMPLETED"]


def test_a_cancelled_job_comes_back_with_twice_the_memory_and_time(battered: Battered):
    assert battered.job(battered.cancelled)["state"] == "CANCELLED"
    shards = attempts(battered.jobs, "shard")
    lost = len(battered.on_dead_node) + 1
    assert sorted(job["state"] == "COMPLETED" for job in shards) == [False] * lost + [True] * 4
    assert sorted(job["memory"] for job in shards) == sorted(["2000M"] * 4 + ["4000M"] * lost)
    assert {job["limit"] for job in shards} == {"1:30:00", "3:00:00"}


def test_a_shard_is_one_job_and_small_stages_none(battered: Battered):
    completed = [job["comment"] for job in battered.jobs if job["state"] == "COMPLETED"]
    rules = sorted(re.sub(r"^rule_|_wildcards.*", "", comment) for comment in completed)
    assert rules == sorted(
        [
            *["shard_candidates_shard_descriptors_shard"] * 4,
            *["design_basis", *["compression_design_compress"] * 2],
            *["design_select", "design_quality", "design_regrow", "design_curves"] * 2,
            *["labels_engine", "labels_isolated", *["labels_batch"] * 4, *["labels_design"] * 2],
            *["hyperparameters", "models_fit", "crossval_predict", "properties_model"] * 2,
            "properties_reference",
        ]
    )


def test_a_log_names_node_and_job(battered: Battered):
    log = battered.workflow.folder / "results/small/logs/design/select/OPT.log"
    last = attempts(battered.jobs, "design_select_wildcards__OPT")[-1]
    assert log.read_text().startswith(f"gapdesign select on {last['node']}, Slurm job {last['id']}\n")


def test_a_killed_head_its_orphans_and_the_rerun(slurm: Cluster, study: OnSlurm, finished: Workflow):
    study.hold("label", having="--design RND")
    process = study.start("labels")
    made = study.folder / "results/small/labels/batches/OPT/0-6.extxyz"
    # Nothing else may run, or a label of another job would be half written where the files are looked at.
    wait_until(
        lambda: made.exists() and len(study.held("label")) == len(slurm.unfinished()) == 2,
        "labels are being computed",
        process,
    )
    process.kill()
    process.communicate()
    orphans = set(study.held("label"))
    assert orphans <= {job["id"] for job in slurm.unfinished()}
    before = times(study, "labels-store", "results/small/candidates", "results/small/designs")

    refusal = study.run("labels", status=1)
    assert "type `gapdesign cancel`, then the same command again" in refusal
    assert orphans <= {job["id"] for job in slurm.unfinished()}

    assert orphans <= set(re.findall(r"\d+", gapdesign(study.folder, "cancel").split(":")[1]))
    assert slurm.unfinished() == []
    assert gapdesign(study.folder, "cancel") == "no jobs to cancel\n"

    study.release("label")
    study.run("labels")
    after = times(study, "labels-store", "results/small/candidates", "results/small/designs")
    assert {path: after[path] for path in before} == before
    labels = [path for path in after if path.startswith("labels-store")]
    assert len(labels) == 2 * SMALL["budget"] + 1
    for name, path in study.results().items():
        assert path.read_bytes() == finished.results()[name].read_bytes(), name


def times(study: OnSlurm, *folders: str) -> dict[str, int]:
    files = [path for folder in folders for path in (study.folder / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(study.folder)): path.stat().st_mtime_ns for path in files}


def test_an_interrupted_run_leaves_no_job(slurm: Cluster, study: OnSlurm):
    study.hold("candidates")
    process = study.start("candidates")
    wait_until(lambda: len(study.held("candidates")) > 1, "several jobs run", process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert slurm.unfinished() == []


def test_an_edited_configuration_is_noticed_and_a_failed_job_named(slurm: Cluster, study: OnSlurm, configuration):
    study.hold("descriptors")
    designs = [f"results/small/designs/{name}.extxyz" for name in ("OPT", "RND")]
    process = study.start(*designs, "--retries", "0")
    wait_until(lambda: len(study.held("descriptors")) == 4, "the descriptors are being computed", process)
    configuration["budget"] = 8
    study.configure(configuration)
    study.release("descriptors")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert not list(study.folder.glob("results/small/designs/*.extxyz"))

    final = output[output.index("gapdesign: Failed:") :]
    assert "gapdesign: Failed: design_basis pool=A\n" in final
    number, state, node = re.search(r"job (\d+) of the scheduler: (\w+) on (\w+)", final).groups()
    job = next(job for job in slurm.jobs() if job["id"] == number)
    assert (job["state"], job["node"]) == (state, node)
    log = Path(re.search(r"its own log: (.*)", final).group(1))
    assert "config.yaml was edited after this run began" in log.read_text()
    assert "gapdesign: config.yaml was edited after this run began" in final
    study.run(*designs)
    assert len(study.plan(*designs)) == 0
