"""Jobs in conda environments: with a stand-in for conda, whose environments have programs that nobody else has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import stand_in_conda
from conftest import Workflow

GPAW = """
__version__ = "99.1"
setup_paths = [{folder!r}]
"""

MPI = """
class world:
    rank = 0
"""


class WithConda(Workflow):
    """A folder in which a study runs with ``--sdm conda``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.base = stand_in_conda.install(folder)

    def start(self, *arguments: str, **environment: str):
        return super().start(*arguments, "--sdm", "conda", PATH=stand_in_conda.path(self.base), **environment)

    def install_gpaw(self) -> None:
        """Put a GPAW with a data set for zirconium where its kind of environment finds it."""
        package = self.base / "packages/gpaw/gpaw"
        package.mkdir()
        (package / "__init__.py").write_text(GPAW.format(folder=str(package)))
        (package / "mpi.py").write_text(MPI)
        (package / "Zr.PBE.gz").touch()

    def install_espresso(self) -> None:
        stand_in_conda.script(self.base / "kinds/espresso/bin/pw.x", "#!/bin/sh\n")


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
