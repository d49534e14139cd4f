"""`gapdesign new` from a wheel, in an empty folder: what it writes is a study that runs, without a clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import read, write

import stand_in_conda
from conftest import ROOT, SMALL
from gapdesign.config import study as config
from gapdesign.errors import InputError
from gapdesign.sets.new import files

HIDE = """
import sys


class Hides:
    def find_spec(self, name, path=None, target=None):
        if name == "gapdesign":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hides())
"""

SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE", "workflow", "envs", "profiles")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder in which the wheel is installed, built from a copy of the sources."""
    copy, target = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("installed")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copyfile(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", copy, copy], check=True)
    (wheel,) = copy.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", target, wheel], check=True)
    return target


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(12):
        atoms = bulk("Cu", "fcc", a=rng.uniform(3.5, 3.8))
        found.append(atoms)
    write(tmp_path / "md.xyz", found, format="extxyz")
    return tmp_path / "md.xyz"


def run(installed: Path, folder: Path, *command: str, status: int = 0, **more: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GAPDESIGN")}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(installed)} | more,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def test_a_study_of_frames_runs_from_the_wheel_in_an_empty_folder(installed, frames):
    run(installed, frames.parent, "gapdesign", "new", "mine", "--frames", "md.xyz")
    study = frames.parent / "mine"
    assert sorted(path.name for path in study.iterdir()) == ["README.md", "Snakefile", "config.yaml"]
    plan = run(installed, study, "snakemake", "-n", "--cores", "1", "design")
    assert "design_select" in plan and "design_page" in plan and "labels" not in plan
    assert "would have been" not in plan
    run(installed, study, "snakemake", "--cores", "2", "results/mine/design-map.html")
    assert "Chemiscope" in (study / "results/mine/design-map.html").read_text(encoding="utf-8")
    design = read(study / "results/mine/designs/OPT.extxyz", ":")
    assert len(design) == 6
    assert {Path(atoms.info["source_file"]) for atoms in design} == {frames}
    (library,) = (study / ".snakemake/gapdesign-library").glob("*/gapdesign")
    assert library.resolve() == (installed / "gapdesign").resolve()
    assert "already and not empty" in run(installed, frames.parent, "gapdesign", "new", "mine", status=2)


def test_a_study_of_crystals_is_planned_to_its_report(installed, tmp_path):
    run(installed, tmp_path, "gapdesign", "new", "mine")
    plan = run(installed, tmp_path / "mine", "snakemake", "-n", "--cores", "1", "report")
    assert "models_fit" in plan
    assert "Plan of mine" in run(installed, tmp_path / "mine", "gapdesign", "plan", "--config", "config.yaml")


def test_without_a_target_the_study_is_planned_to_its_report(installed, tmp_path):
    run(installed, tmp_path, "gapdesign", "new", "mine")
    plan = run(installed, tmp_path / "mine", "snakemake", "-n", "--cores", "1")
    assert re.search(r"^report +1$", plan, re.MULTILINE)
    (tmp_path / "mine/Snakefile").write_text(
        (tmp_path / "mine/Snakefile")
        .read_text()
        .replace("\nmodule", '\nrule all:\n    input:\n        "x"\n\n\nmodule')
    )
    assert "MissingInputException in rule all" in run(
        installed, tmp_path / "mine", "snakemake", "-n", "--cores", "1", status=1
    )


def test_jobs_in_conda_environments_have_the_files_and_the_library_of_the_wheel(installed, frames):
    run(installed, frames.parent, "gapdesign", "new", "mine", "--frames", "md.xyz")
    study, base = frames.parent / "mine", stand_in_conda.install(frames.parent)
    words = ("snakemake", "--cores", "2", "results/mine/designs/OPT.extxyz", "--sdm", "conda")
    run(installed, study, *words, PATH=stand_in_conda.path(base))
    assert len(read(study / "results/mine/designs/OPT.extxyz", ":")) == 6
    texts = [path.read_text() for path in (study / ".snakemake/conda").glob("*.yaml")]
    assert (installed / "gapdesign/shipped/envs/core.yaml").read_text() in texts


SNAKEDEPLOY = """
configfile: "config/config.yaml"


module gapdesign:
    snakefile:
        github("someone/gapdesign", path="workflow/Snakefile", branch="main")
    config:
        config


use rule * from gapdesign
"""
"""What snakedeploy 0.17 writes, as for every workflow of the catalogue; Snakemake fetches the rules one by one."""


@pytest.fixture
def deployed(tmp_path: Path) -> dict[str, str]:
    """The workflow in a repository that git takes for one of GitHub, a folder for it, and what git has to know."""
    repository, folder = tmp_path / "repository", tmp_path / "mine"
    shutil.copytree(
        ROOT / "workflow", repository / "workflow", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
    )
    git = ["git", "-C", repository, "-c", "user.name=me", "-c", "user.email=me@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow/Snakefile").write_text(SNAKEDEPLOY)
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(SMALL))
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/someone/gapdesign",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_deployed_workflow_runs_with_the_installed_library(installed, deployed, tmp_path):
    plan = run(installed, tmp_path / "mine", "snakemake", "-n", "--cores", "1", **deployed)
    assert re.search(r"^report +1$", plan, re.MULTILINE)
    run(installed, tmp_path / "mine", "snakemake", "--cores", "2", "results/small/designs/RND.extxyz", **deployed)
    assert len(read(tmp_path / "mine/results/small/designs/RND.extxyz", ":")) == 10
    # Here the library is an editable installation, which a name that cannot be imported hides.
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/sitecustomize.py").write_text(HIDE)
    told = run(tmp_path / "hidden", tmp_path / "mine", "snakemake", "-n", "--cores", "1", status=1, **deployed)
    assert "gapdesign: the package gapdesign is not installed beside snakemake" in told


def test_the_workflow_catalogue_finds_what_its_standard_usage_needs():
    """As adding_workflows.md and scripts/generate-catalog.py of snakemake-workflow-catalog have it."""
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) <= {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["report"] is True
    deployment = usage["software-stack-deployment"]
    assert set(deployment) <= {"conda", "apptainer", "apptainer+conda"}
    assert deployment["conda"] is True
    for name in ("workflow/Snakefile", "config/README.md", "config/config.yaml"):
        assert (ROOT / name).is_file()


@pytest.mark.parametrize("case", [(), ("frames",), ("existing",), ("frames", "existing")])
def test_every_configuration_is_valid(case, frames):
    given = {name: frames for name in case}
    study = config.parse(yaml.safe_load(files("mine", **given)["config.yaml"]))
    config.check(study)
    assert study.symbols() == (["Cu"] if case else ["Zr"])
    assert study.designs[next(iter(study.designs))].existing == (str(frames) if "existing" in case else None)


def test_a_name_that_is_none_is_refused():
    with pytest.raises(InputError, match="'a b': no name of a study"):
        files("a b")
