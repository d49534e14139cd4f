"""The study `transfer`: what its Snakefile plans, the studies that it writes, and the statistics of its comparison."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import ttest_ind

from conftest import ROOT, Workflow
from gapdesign.config.study import check, parse

FOLDER = ROOT / "config/studies/transfer"


@pytest.fixture(scope="module")
def steps():
    spec = importlib.util.spec_from_file_location("transfer", FOLDER / "transfer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_kind_is_tested_on_every_design_and_budget(tmp_path):
    (tmp_path / "config").symlink_to(ROOT / "config")
    study = Workflow(tmp_path, FOLDER / "Snakefile")
    words = [*study.command()[:5], "--cores", "2", "--nocolor"]
    study.command = lambda *arguments: [*words, *arguments]
    plan = study.plan("--config", "sets=[zirconium,silicon]", "kinds=[gap,ace]", "features=[soap,nep89]", "--")
    assert plan["model"] == 2 * 2 * 3 * (2 * 5 + 5)
    assert plan["choose"] == 4 and plan["test_set"] == 2 and plan["configure"] == 6
    assert "--config kinds: there is no gpa; choose from gap, ace, mace." in study.run(
        "-n", "--config", "kinds=[gpa]", "--", status=1
    )


@pytest.mark.parametrize("part", ["soap", "ace", "test"])
def test_the_studies_that_it_writes_are_valid(steps, tmp_path, part):
    changes = {"ace": {"descriptor": {"backend": "ace", "ace": {"degree": 6}}, "kernel": {"pair": {"scale": 0}}}}
    path = tmp_path / "study.yaml"
    steps.configure(FOLDER / "zirconium.yaml", part, "50", json.dumps(changes.get(part, {})), path)
    study = parse(yaml.safe_load(path.read_text()))
    check(study)
    assert study.study == f"transfer-zirconium-{part}" and study.budget == 50
    assert study.descriptor.backend == ("ace" if part == "ace" else "dscribe")
    names = ["TEST"] if part == "test" else [f"{what}{k}" for what in ("OPT", "RND") for k in range(1, 6)]
    assert list(study.designs) == names
    assert list(study.pools.names) == sorted({design.pool for design in study.designs.values()})


def test_gains_are_ratios_of_geometric_means_with_welchs_intervals(steps):
    rng = np.random.default_rng(3)
    errors = {"random": np.exp(rng.normal(1.0, 0.4, 5)), "soap": np.exp(rng.normal(0.5, 0.1, 5))}
    rows = [
        {"set": "a", "kind": "gap", "features": name, "budget": 25, "rmse_mev": value, "max_mev": 5 * value}
        | {"rmse_force_mev_a": 3 * value}
        for name, values in errors.items()
        for value in values
    ]
    energies, worst, forces = steps.gains_of(pd.DataFrame(rows)).to_dict("records")
    logs = [np.log(errors[name]) for name in ("random", "soap")]
    known = ttest_ind(*logs, equal_var=False).confidence_interval(0.95)
    assert energies["gain"] == pytest.approx(np.exp(logs[0].mean() - logs[1].mean()))
    assert (energies["low"], energies["high"]) == pytest.approx((np.exp(known.low), np.exp(known.high)))
    assert (forces["measure"], forces["gain"]) == ("forces", pytest.approx(energies["gain"]))
    assert forces["random_error"] == pytest.approx(3 * energies["random_error"])
    assert worst["error"] == pytest.approx(5 * energies["error"])
    figure = steps.drawn(pd.DataFrame([energies, worst, forces]))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "a: energies",
        "a: worst energies",
        "a: forces",
    ]
