"""`gapdesign new` from a wheel, in an empty folder: what it writes is a study that runs, without a clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import read, write

from conftest import ROOT
from gapdesign.config import study as config
from gapdesign.errors import InputError
from gapdesign.sets.new import files

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


def run(installed: Path, folder: Path, *command: str, status: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GAPDESIGN")}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(installed)},
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
    plan = run(installed, study, "snakemake", "-n", "--cores", "1")
    assert "design_select" in plan and "design_page" in plan and "labels" not in plan
    assert "would have been" not in plan
    run(installed, study, "snakemake", "--cores", "2", "results/mine/designs/OPT.extxyz")
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
