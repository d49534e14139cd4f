"""Jobs in conda environments: with a stand-in for conda, whose environments have programs that nobody else has."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import Workflow

CONDA = """#!/usr/bin/env bash
# Answers as conda does; what it makes is a copy of an environment of the same kind.
case "$*" in
  --version) echo "conda 24.11.0" ;;
  "info --json") echo '{{"conda_prefix": "{base}", "platform": "linux-64"}}' ;;
  "config --get channel_priority --json") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  "env create "*)
    file=$(sed 's/.*--file \\([^ ]*\\).*/\\1/' <<< "$*"); prefix=$(sed 's/.*--prefix \\([^ ]*\\).*/\\1/' <<< "$*")
    kind=core
    grep -q "  - gpaw" "$file" && kind=gpaw
    grep -q "  - qe" "$file" && kind=espresso
    cp -r "{base}/kinds/$kind" "$prefix" ;;
  "clean "*) ;;
  *) echo "the stand-in for conda does not know: $*" >&2; exit 1 ;;
esac
"""

PYTHON = """#!/usr/bin/env bash
export PYTHONPATH="{packages}${{PYTHONPATH:+:$PYTHONPATH}}"
exec {python} "$@"
"""

GPAW = """
__version__ = "99.1"
setup_paths = [{folder!r}]
"""

MPI = """
class world:
    rank = 0
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class WithConda(Workflow):
    """A folder in which a study runs with ``--sdm conda``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.base = folder / "conda"
        script(self.base / "bin/conda", CONDA.format(base=self.base))
        script(self.base / "bin/activate", 'export PATH="$1/bin:$PATH"\n')
        for kind in ("core", "gpaw", "espresso"):
            packages = self.base / "packages" / kind
            packages.mkdir(parents=True)
            script(self.base / "kinds" / kind / "bin/python", PYTHON.format(packages=packages, python=sys.executable))

    def start(self, *arguments: str, **environment: str):
        path = os.pathsep.join([str(self.base / "bin"), os.environ["PATH"]])
        return super().start(*arguments, "--sdm", "conda", PATH=path, **environment)

    def install_gpaw(self) -> None:
        """Put a GPAW with a data set for zirconium where its kind of environment finds it."""
        package = self.base / "packages/gpaw/gpaw"
        package.mkdir()
        (package / "__init__.py").write_text(GPAW.format(folder=str(package)))
        (package / "mpi.py").write_text(MPI)
        (package / "Zr.PBE.gz").touch()

    def install_espresso(self) -> None:
        script(self.base / "kinds/espresso/bin/pw.x", "#!/bin/sh\n")


@pytest.fixture
def isolated(tmp_path: Path) -> WithConda:
    return WithConda(tmp_path)


ENGINE = "results/small/labels/engine.json"


def test_an_engine_that_only_its_environment_has_can_run(isolated: WithConda, configuration: dict[str, Any]):
    configuration["labels"] = {"engine": "gpaw"}
    isolated.configure(configuration)
    isolated.install_gpaw()
    assert isolated.plan("labels")["labels_engine"] == 1
    isolated.run(ENGINE)
    said = json.loads((isolated.folder / ENGINE).read_text())
    assert said["engine"] == "gpaw"
    assert said["version"].startswith("gpaw 99.1, data sets sha256 ")
    assert said["settings"]["xc"] == "PBE"


def test_a_program_that_only_its_environment_has_is_found(isolated: WithConda, configuration: dict[str, Any]):
    (isolated.folder / "Zr.upf").write_text('<UPF version="2.0.1">\n<PP_HEADER\n   element="Zr"\n/>\n</UPF>\n')
    configuration["labels"] = {"engine": "espresso", "espresso": {"pseudopotentials": {"symbols": {"Zr": "Zr.upf"}}}}
    isolated.configure(configuration)
    isolated.install_espresso()
    isolated.run(ENGINE)
    assert json.loads((isolated.folder / ENGINE).read_text())["engine"] == "espresso"


def test_an_environment_without_the_engine_is_one_sentence_before_anything_else(
    isolated: WithConda, configuration: dict[str, Any]
):
    configuration["labels"] = {"engine": "espresso", "espresso": {"command": "absent.x"}}
    isolated.configure(configuration)
    output = isolated.run("candidates", ENGINE, status=1)
    assert "gapdesign engine: labels.espresso.command: there is no program 'absent.x' here" in output
    assert output.index("Checking that espresso can run") < output.index("Finished jobid")  # with the first jobs
