"""The study of tungsten, reduced: KP's comparison from the first cycle to the last figure."""

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import write
from snakemake.utils import update_config

from conftest import ROOT
from gapdesign.files import read_csv

pytestmark = pytest.mark.slow

SHORT = {"shuffle": 10, "steps": 60, "relaxation": 10, "scale_frames": 5}
REDUCED = {
    "pools": {"size": 4, "shard_size": 4, "entropy": SHORT},
    "descriptor": {"soap": {"n_max": 3, "l_max": 2}},
    "budget": 3,
    "comparison": {"learnt": [80], "splits": 3},
}


def test_a_reduced_study_compares_what_bias_gives_with_a_hot_gas_and_a_set_made_by_hand(workflow):
    study = yaml.safe_load((ROOT / "config/studies/w-entropy.yaml").read_text())
    update_config(study, yaml.safe_load((ROOT / "config/studies/w-entropy/hand-crafted.yaml").read_text()))
    update_config(study, REDUCED)
    for override in study["pools"]["overrides"].values():
        override["size"] = 4
        if "entropy" in override:
            override["entropy"] |= SHORT | {"relaxation": min(10, override["entropy"].get("relaxation", 0))}
    crystal = bulk("W", "bcc", a=3.165, cubic=True).repeat(3)
    rattled = [crystal.copy() for _ in range(8)]
    for k, atoms in enumerate(rattled):
        atoms.rattle(0.1, seed=k)
    write(workflow.folder / "w14.xyz", rattled, format="extxyz")
    workflow.configure(study)
    workflow.run("pools", "environments")
    results = workflow.folder / "results/w-entropy"
    table = read_csv(results / "pools.csv").set_index(["train", "test"])
    assert set(table.index.get_level_values("train")) == set(study["pools"]["names"])
    assert (table["learnt"] == 80).all()
    # A crystal is told nothing new by a crystal, and knows nothing of disorder (KP table II).
    assert table.loc[("crafted", "crafted"), "mean"] < 0.5 * table.loc[("crafted", "biased"), "mean"]
    assert table.loc[("biased", "biased"), "entropy"] > table.loc[("unbiased", "unbiased"), "entropy"]
    designs = read_csv(results / "environments/designs.csv")
    assert set(designs["design"]) == {*study["designs"], *study["comparison"]["unions"]}
    assert set(designs["pool"]) == set(study["pools"]["names"])
    assert designs["covered"].between(0, 1).all()
    entropies = read_csv(results / "environments/entropies.csv")
    assert np.isfinite(entropies["entropy"]).all()
    correlations = read_csv(results / "environments/correlations.csv")
    assert set(correlations["component"]) == {7, 8}
    assert correlations["correlation"].between(0, 1).all()
    for figure in ("pools", "entropies", "histograms", "radial"):
        assert (results / f"figures/{figure}.svg").stat().st_size > 1000
