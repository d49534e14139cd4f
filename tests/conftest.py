"""Fixtures shared by tests of the whole workflow: a small study, and how to run it."""

from __future__ import annotations

import copy
import fcntl
import filecmp
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]

# Shells start programs in the background so that these and all that they start ignore interrupts; tests send some.
signal.signal(signal.SIGINT, signal.default_int_handler)

SMALL: dict[str, Any] = {
    "study": "small",
    "seed": 7,
    "prototypes": {
        "hcp": {"element": "Zr", "lattice": "hcp", "a": 3.232, "c": 5.147},
        "bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574},
    },
    "pools": {"names": ["A", "B"], "size": 60, "shard_size": 30, "strain": {"max": 0.1}},
    "descriptor": {"soap": {"r_cut": 5.0, "n_max": 4, "l_max": 4, "sigma": 0.5}},
    "kernel": {"pair": {"r_cut": 5.0}},
    "budget": 10,
    "designs": {"OPT": {"pool": "A", "method": "maxmin"}, "RND": {"pool": "B", "method": "random"}},
    "labels": {"engine": "eam", "chunk": 6},
}


@dataclass
class Workflow:
    """A folder in which a study runs."""

    folder: Path
    snakefile: Path = ROOT / "Snakefile"
    configfile: str = "config.yaml"

    def configure(self, configuration: dict[str, Any]) -> None:
        (self.folder / self.configfile).write_text(yaml.safe_dump(configuration, sort_keys=False))

    def command(self, *arguments: str) -> list[str]:
        profile = self.snakefile.parent / "profiles" / "default"
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(self.snakefile)),
            *("--workflow-profile", str(profile), "--configfile", self.configfile, "--cores", "2", "--nocolor"),
            *arguments,
        ]

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=os.environ | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=540)
        assert process.returncode == status, output
        return output

    def plan(self, *arguments: str) -> dict[str, int]:
        """Jobs that a dry run announces, by rule."""
        output = self.run("-n", *arguments)
        if "Nothing to be done" in output:
            return {}
        table = output.rsplit("Job stats:", 1)[1].split("\n\n", 1)[0]
        jobs = dict(re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE))
        return {rule: int(count) for rule, count in jobs.items() if rule != "total"}

    def results(self) -> dict[str, Path]:
        """Every file that a run made, but for logs, timings and where selections ended."""
        top = self.folder / "results"
        files = {str(path.relative_to(top)): path for path in sorted(top.rglob("*")) if path.is_file()}
        return {
            name: path
            for name, path in files.items()
            if not re.search(r"/(logs|benchmarks|designs/state)/", f"/{name}")
        }


def assert_same_files(one: Workflow, other: Workflow, *, ignore: str = "$^") -> None:
    first = {name: path for name, path in one.results().items() if not re.search(ignore, name)}
    second = {name: path for name, path in other.results().items() if not re.search(ignore, name)}
    assert list(first) == list(second)
    different = [name for name in first if not filecmp.cmp(first[name], second[name], shallow=False)]
    assert different == []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give one worker all that uses Slurm, and each file whose tests share a fixture: some of these cost minutes.

    The marks `xdist_group` of pytest-xdist 3.8 have no effect under pytest 9.2. Large scopes come first.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFixtures(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            if path.startswith("tests/slurm/"):
                return "tests/slurm"
            shares = 'scope="module"' in (ROOT / path).read_text(encoding="utf-8")
            return path if shares else nodeid

    return ByFixtures(config, log)


@pytest.fixture
def configuration() -> dict[str, Any]:
    return copy.deepcopy(SMALL)


@pytest.fixture
def workflow(tmp_path: Path, configuration: dict[str, Any]) -> Workflow:
    """The small study, not yet run."""
    workflow = Workflow(tmp_path)
    workflow.configure(configuration)
    return workflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The small study, run to the report, once for all workers; do not change it."""
    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent
    workflow = Workflow(top / "finished")
    with (top / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (workflow.folder / "results/small/report.html").exists():
            workflow.folder.mkdir(exist_ok=True)
            workflow.configure(SMALL)
            workflow.run()
    return workflow


@pytest.fixture
def rerun(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished study, to be changed."""
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(finished.folder), str(folder)], check=True)
    return Workflow(folder)
