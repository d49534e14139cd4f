"""Jobs in a container: with a stand-in for apptainer, which is on few machines that run tests."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from conftest import ROOT, Workflow

STAND_IN = """#!/usr/bin/env bash
# Notes what it is asked for and runs the command outside of any container.
echo "$*" >> "{notes}"
while [[ $# -gt 0 && "$1" != *.sif ]]; do
  [[ "$1" == --version ]] && echo "apptainer version 1.3.6" && exit
  shift
done
shift
exec "$@"
"""


@pytest.fixture
def contained(tmp_path, workflow) -> Workflow:
    """The small study, run by a copy of the project that has an image."""
    copy = tmp_path / "copy"
    for name in ("workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", copy)
    stand_in = tmp_path / "bin" / "apptainer"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN.format(notes=tmp_path / "notes"))
    stand_in.chmod(0o755)
    return Workflow(workflow.folder, copy / "Snakefile")


def run(contained, *arguments, status=0):
    path = f"{contained.folder / 'bin'}:{os.environ['PATH']}"
    return contained.run(*arguments, "--sdm", "apptainer", status=status, PATH=path)


def test_every_job_runs_in_the_image(contained):
    image = contained.snakefile.parent / "envs" / "gapdesign.sif"
    image.touch()
    run(contained, "quality")
    notes = (contained.folder / "notes").read_text()
    for verb in ("candidates", "descriptors", "basis", "compress", "select", "quality"):
        assert re.search(rf"{re.escape(str(image))} bash -c .*gapdesign {verb} ", notes, re.DOTALL)
    # The interpreter is the image's.
    assert "PYTHONSAFEPATH= python -P -m gapdesign" in notes


def test_a_missing_image_is_one_sentence(contained):
    (sentence,) = [line for line in run(contained, "-n", status=1).splitlines() if line.startswith("gapdesign: ")]
    assert "envs/gapdesign.sif" in sentence
    assert "apptainer build" in sentence


def test_the_image_is_made_from_the_lock_with_the_interpreter_of_the_environments():
    definition = (ROOT / "envs/container.def").read_text()
    (python,) = re.findall(r"^From: python:([\d.]+)-", definition, re.MULTILINE)
    assert f"python={python}" in (ROOT / "envs/core.yaml").read_text()
    assert "--require-hashes -r /opt/requirements.lock" in definition
    (lock,) = re.findall(r"^\s+(\S+) /opt/requirements.lock$", definition, re.MULTILINE)
    assert (ROOT / lock).is_file()
