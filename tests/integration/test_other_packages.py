"""A study by the sampler and the descriptor of another package, which nothing here knows by name."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from conftest import Workflow
from gapdesign.files import read_array
from other_package import install


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    """The path of a Python that has the package."""
    folder = install(tmp_path_factory.mktemp("site"))
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def gapdesign(*arguments: str, path: str, status: int = 0) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "gapdesign", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        text=True,
        capture_output=True,
    )
    assert run.returncode == status, run.stderr
    return run.stdout + run.stderr


def test_designs_are_chosen_and_measured(workflow: Workflow, configuration, path):
    configuration["pools"] |= {"sampler": "shear", "shear": {"max": 0.3}}
    configuration["descriptor"] |= {"backend": "radial", "radial": {"bins": 5}}
    workflow.configure(configuration)
    # What a candidate costs is known from the package, what an environment does is not.
    plan = workflow.run("plan", "--quiet", "all", PYTHONPATH=path)
    assert "Core-hours of descriptors: unknown" in plan
    assert "Core-hours of candidates, design" in plan
    workflow.run("design", PYTHONPATH=path)
    study = workflow.folder / "results/small"
    with np.load(study / "candidates/A/0-30.npz") as shard:
        shears = shard["deformations"][:, 0, 1]
    assert 0 < shears.min() < 0.03 < 0.27 < shears.max() < 0.3
    features = read_array(study / "descriptors/A/0-30.npy")
    np.testing.assert_allclose(np.linalg.norm(features[:, :5], axis=1), 1, rtol=1e-6)
    quality = pd.read_csv(study / "quality.csv").set_index("design")
    assert list(quality.index) == ["OPT", "RND"]
    page = (study / "design.html").read_text(encoding="utf-8")
    assert "radial" in page


def test_the_configuration_knows_them_while_they_are_installed(workflow: Workflow, configuration, path, tmp_path):
    configuration["pools"] |= {"sampler": "shear"}
    workflow.configure(configuration)
    given = ("check", "--config", str(tmp_path / "config.yaml"))
    gapdesign(*given, path=path)
    refused = gapdesign(*given, path=os.environ.get("PYTHONPATH", ""), status=2)
    assert "pools.sampler: there is no 'shear'" in refused
    configuration["pools"]["shear"] = {"mx": 1}
    workflow.configure(configuration)
    assert "pools.shear.mx: unknown key; did you mean 'max'?" in gapdesign(*given, path=path, status=2)


def test_an_installed_package_that_is_not_asked_for_changes_no_job(configuration, path, workflow):
    script = (
        "from gapdesign import cli; from gapdesign.config import study; from gapdesign.config.part import At;"
        "at, jobs = At(study.load('config.yaml'), 'OPT'), cli.jobs();"
        "print([jobs[verb].part(at) for verb in ('candidates', 'descriptors', 'basis', 'select', 'quality')])"
    )
    parts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONPATH": where},
            cwd=workflow.folder,
            check=True,
            text=True,
            capture_output=True,
        ).stdout
        for where in (path, os.environ.get("PYTHONPATH", ""))
    }
    assert len(parts) == 1


@pytest.mark.parametrize("name", ["size", "names", "members", "of"])
def test_a_package_cannot_take_a_key_of_the_configuration(tmp_path, name):
    site = install(tmp_path, {"gapdesign.samplers": {name: "Shear"}})
    module = site / "their_module.py"
    module.write_text(module.read_text().replace('name = "shear"', f'name = "{name}"'))
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    told = gapdesign("check", path=path, status=2)
    assert told.startswith(f"gapdesign: the package their-package offers '{name}' as one of gapdesign.samplers, but ")
    assert told.endswith(f"`pools.{name}` has another meaning; rename it.\n")
