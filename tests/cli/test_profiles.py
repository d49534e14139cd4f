"""`gapdesign profiles install` and the site's profiles: found as typed, read by Snakemake, never in anybody's way."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from conftest import ROOT, Workflow

PROFILES = {
    "slurm": "snakemake_executor_plugin_slurm",
    "lsf": "snakemake_executor_plugin_lsf",
    "htcondor": "snakemake_executor_plugin_htcondor",
    "generic": "snakemake_executor_plugin_cluster_generic",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's Snakemake folder, not yet there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "snakemake"


def install() -> dict[str, str]:
    """Install the profiles, and return the message about each."""
    command = [sys.executable, "-m", "gapdesign", "profiles", "install"]
    output = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    lines = [line.split(": ", 1) for line in output.splitlines()]
    return {Path(link).name: what for link, what in lines}


def test_every_profile_is_linked_once(home: Path):
    assert set(install()) == set(PROFILES)
    assert {link.name: link.resolve() for link in home.iterdir()} == {
        name: ROOT / "profiles" / name for name in PROFILES
    }
    assert set(install().values()) == {"was there already"}


def test_what_is_somebody_elses_stays(home: Path, tmp_path: Path):
    (home / "slurm").mkdir(parents=True)
    (home / "slurm/config.yaml").write_text("jobs: 1\n")
    (tmp_path / "elsewhere").mkdir()
    (home / "lsf").symlink_to(tmp_path / "elsewhere")
    (home / "generic").symlink_to(tmp_path / "gone/other")
    said = install()
    for name in ("slurm", "lsf", "generic"):
        assert said[name].startswith("left alone")
        assert str(ROOT / "profiles" / name) in said[name]
    assert (home / "slurm/config.yaml").read_text() == "jobs: 1\n"
    assert (home / "lsf").readlink() == tmp_path / "elsewhere"
    assert (home / "generic").readlink() == tmp_path / "gone/other"
    assert (home / "htcondor").resolve() == ROOT / "profiles/htcondor"


def test_a_link_to_a_copy_that_is_gone_is_made_anew(home: Path, tmp_path: Path):
    home.mkdir(parents=True)
    (home / "slurm").symlink_to(tmp_path / "gone/profiles/slurm")
    assert install()["slurm"].startswith("linked to")
    assert (home / "slurm").resolve() == ROOT / "profiles/slurm"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_plans_the_study_by_its_name(home: Path, workflow: Workflow, profile: str):
    if find_spec(PROFILES[profile]) is None:
        pytest.skip(f"{PROFILES[profile].replace('_', '-')} is not installed")
    install()
    plan = workflow.plan("--profile", profile)
    assert plan["candidates_shard"] == 4
    output = workflow.run("-n", "--profile", profile)
    assert f"Using profiles {profile} and workflow specific profile" in output


def test_cores_of_the_machine_that_submits_bound_no_job_of_a_cluster(home: Path, workflow: Workflow):
    install()
    commands = ("--printshellcmds", "--set-threads", "design_select=999")
    assert "--threads 999" in workflow.run("-n", "--profile", "slurm", *commands)
    assert "--threads 999" not in workflow.run("-n", *commands)
