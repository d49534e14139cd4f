"""Samplers in a whole run: a mixture in one pool, the user's own structures in another."""

import pandas as pd
import pytest
from ase.build import bulk
from ase.io import read, write

pytestmark = pytest.mark.slow


def test_designs_are_chosen_from_a_mixture_and_from_a_file(workflow, configuration):
    frames = [bulk("Zr", "bcc", a=3.3 + 0.02 * k) for k in range(40)]
    write(workflow.folder / "mine.traj", frames)
    configuration["pools"] |= {
        "size": 40,
        "shard_size": 20,
        "sampler": "mixture",
        "mixture": {"strain": 2, "rattle": 1, "random": 1, "surface": 1},
        "random": {"atoms": [2, 4]},
        "overrides": {"B": {"sampler": "file", "file": {"path": "mine.traj", "shuffle": False}}},
        "constraints": {"min_distance": 0.7, "density": [2.5, 9.0]},
    }
    workflow.configure(configuration)
    workflow.run("design", "candidates", "pools")
    results = workflow.folder / "results/small"
    chosen = read(results / "designs/RND.extxyz", ":")
    for atoms in chosen:
        assert atoms.cell.array == pytest.approx(frames[atoms.info["candidate"]].cell.array, abs=1e-6)
    optimal = read(results / "designs/OPT.extxyz", ":")
    assert len(optimal) == configuration["budget"]
    assert any("deformation" in atoms.info for atoms in optimal)
    assert any("prototype" not in atoms.info for atoms in optimal)
    table = pd.read_csv(results / "candidates.csv")
    assert table["pool"].tolist() == ["A", "B"]
    assert table["candidates"].tolist() == [40, 40]
    refused = table[["distance", "strain", "density", "shape"]].sum(axis=1)
    assert (table["draws"] == 40 + refused).all()
    assert table["distance"][0] > 0
    compared = pd.read_csv(results / "pools.csv")
    assert list(zip(compared["train"], compared["test"], strict=True)) == [
        ("A", "A"),
        ("A", "B"),
        ("B", "A"),
        ("B", "B"),
    ]
    assert (results / "figures/pools.svg").is_file()
