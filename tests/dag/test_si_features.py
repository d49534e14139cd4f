"""The comparison of features on silicon surfaces: its plan, the study of each features, and its table."""

from __future__ import annotations

import re
import runpy
import shlex
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from conftest import ROOT, Workflow
from gapdesign.config.study import parse

FOLDER = ROOT / "config/studies/si-surfaces"


class Features(Workflow):
    """The workflow that compares features, which names its own configuration."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "-s", str(FOLDER / "Snakefile"), "--cores", "1", *arguments]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of a dry run, with the commands of all jobs."""
    workflow = Features(tmp_path_factory.mktemp("si-features"))
    (workflow.folder / "config").symlink_to(ROOT / "config")
    data = workflow.folder / "data" / "si-surfaces"
    data.mkdir(parents=True)
    for path in (
        *(data / f"{name}.xyz" for name in ("dia", "surfaces", "isolated_atom")),
        workflow.folder / "nep89.txt",
    ):
        path.touch()
    return workflow.run("-n", "-p", "--nocolor")


def test_rows_are_computed_once_and_every_features_chooses(planned: str) -> None:
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", planned, re.MULTILINE)}
    assert {rule: jobs[rule] for rule in ("train", "choose", "replay_choose", "replay_rows", "replay_fit")} == {
        "train": 2,
        "choose": 9,
        "replay_choose": 1,
        "replay_rows": 7,
        "replay_fit": 28,
    }


def test_the_study_of_each_features_is_valid(planned: str) -> None:
    described = {}
    for command in re.findall(r"snakemake (--cores .*?) -- ", planned):
        words = shlex.split(command)
        study = yaml.safe_load((ROOT / words[words.index("--configfile") + 1]).read_text())
        for key, _, value in (word.partition("=") for word in words[words.index("--config") + 1 :]):
            update_config(study, {key: yaml.safe_load(value)})
        read = parse(study)
        assert (read.kernel.soap.zeta, read.kernel.pair.scale) == (1, 0)
        described[read.study] = (read.descriptor.backend, read.descriptor.components)
    assert len(described) == 9
    assert described["si-features-soap"] == ("quippy", "raw")
    assert described["si-features-ace-medium-scaled"] == ("ace", "standardised")
    assert described["si-features-mace-core"] == ("mace", "raw")


def test_the_table_has_a_row_for_each_potential_and_the_figures_its_lines() -> None:
    draw = runpy.run_path(str(FOLDER / "draw.py"))
    places = [
        *({"design": "RANDOM", "budget": budget, "draw": draw} for budget in (5, 10) for draw in (0, 1)),
        *({"design": "ace-small-K-MEDOIDS", "budget": budget, "draw": 0} for budget in (5, 10)),
        *({"design": "ace-small-scaled-FPS", "budget": budget, "draw": 0} for budget in (5, 10)),
        {"design": "", "budget": 0, "draw": 0},
    ]
    numbers = np.arange(1.0, 1 + len(places))
    common = {"energy_rmse_mev": numbers, "force_rmse_mev": 100 * numbers, "test_set": "all", "group": ""}
    errors = pd.DataFrame(places).assign(**common)
    errors = pd.concat([errors, errors.assign(group="dia", energy_rmse_mev=0.0)])
    surfaces = pd.concat(
        pd.DataFrame(places).assign(plane=plane, error=plane / numbers)[lambda rows: rows["draw"] == 0]
        for plane in (100, 111)
    )
    table = draw["compared"](errors, surfaces)
    assert len(table) == len(places) - 1
    scaled = table.query("features == 'ace-small-scaled'")
    assert scaled[["method", "budget", "energy", "force", "100"]].values.tolist() == [
        ["FPS", 5, 7.0, 700.0, pytest.approx(100 / 7)],
        ["FPS", 10, 8.0, 800.0, 12.5],
    ]
    chance = table.query("method == 'RANDOM'")
    assert set(chance["features"]) == {""}
    assert chance["111"].isna().tolist() == [False, True, False, True]
    figure = draw["figure"](table, ["energy", "force"])
    assert [len(axes.lines) for axes in figure.axes] == [2, 1, 2, 2, 1, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ace-small", "ace-small-scaled", "random"]
