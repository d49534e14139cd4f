"""What part of a set is worth by one line: a truth that the model can learn, verdicts, and mistakes."""

import io
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.morse import MorsePotential
from ase.io import read, write

from gapdesign import cli
from gapdesign.sets import worth
from gapdesign.sets.worth import Worth, in_words


@cache
def copper(number: int) -> Atoms:
    """A cell with the labels of a pair potential, which is linear in the functions of the model."""
    rng = np.random.default_rng(number)
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.05 * rng.uniform(-1, 1, (3, 3))), scale_atoms=True)
    atoms.rattle(0.1, seed=number)
    atoms.calc = MorsePotential(epsilon=0.4, r0=2.6, rho0=4.0, rcut1=4.0, rcut2=4.9)
    atoms.info = {"REF_energy": atoms.get_potential_energy() - 7 * len(atoms)}
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.calc = None
    return atoms


@pytest.fixture(autouse=True)
def frames(tmp_path, monkeypatch) -> list[Atoms]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worth, "DRAWS", 3)
    made = [copper(number).copy() for number in range(30)]
    write("set.xyz", [Atoms("Cu", cell=[20, 20, 20], pbc=True, info={"REF_energy": -7.0}), *made])
    return made


def run(*arguments: str) -> int:
    return cli.main(["worth", *arguments])


def test_a_truth_that_the_model_can_learn_is_learnt(frames, capsys):
    assert run("set.xyz") == 0
    first = {name: Path(name).read_bytes() for name in ("worth.csv", "worth.html")}
    said = capsys.readouterr().out
    assert "30 frames are used: 24 to train on, 6 for the test" in said
    table = pd.read_csv("worth.csv").query("test_set == 'test' and group.isna()")
    errors = table.groupby(["design", "budget"])[["energy_rmse_mev", "force_rmse_mev"]].mean()
    spread = 1000 * np.std([atoms.info["REF_energy"] / len(atoms) for atoms in frames])
    for design in (worth.CHOSEN.upper(), "RANDOM"):
        mine = errors.loc[design]
        assert (mine.iloc[-1] < 0.3 * mine.iloc[0]).all()
        assert mine["energy_rmse_mev"].iloc[-1] < 0.1 * spread
    # All candidates are the same ones in any order.
    np.testing.assert_allclose(errors.loc[worth.CHOSEN.upper()].iloc[-1], errors.loc["RANDOM"].iloc[-1], rtol=1e-4)
    page = first["worth.html"].decode()
    assert "Learning curve" in page
    assert "<svg" in page
    assert run("set.xyz") == 0
    assert {name: Path(name).read_bytes() for name in first} == first


def test_a_large_set_is_sampled_and_energies_alone_are_enough(frames, capsys, monkeypatch):
    monkeypatch.setattr(worth, "MOST", 4 * 25)
    for atoms in frames:
        del atoms.arrays["REF_forces"]
    lines = io.BytesIO()
    write("energies.xyz", frames)
    lines.write(Path("energies.xyz").read_bytes())
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(lines.getvalue())))
    assert run("-") == 0
    said = capsys.readouterr().out
    assert "25 frames are used, a random sample of 30: 20 to train on, 5 for the test" in said
    assert "forces:" not in said
    assert pd.read_csv("worth.csv")["force_rmse_mev"].isna().all()


def found(chosen: list[float], drawn: list[list[float]]) -> Worth:
    """Errors of energies for budgets of 10, 20 and 40, as a table that needs no fit."""
    from gapdesign.replay.equivalents import equivalents

    rows = [
        {"design": method.upper(), "method": method, "budget": budget, "draw": draw, "test_set": "test", "group": "",
         "energy_rmse_mev": error, "energy_q99_mev": error, "force_rmse_mev": np.nan}
        for method, curves in ((worth.CHOSEN, [chosen]), ("random", drawn))
        for draw, curve in enumerate(curves)
        for budget, error in zip((10, 20, 40), curve, strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return Worth(
        errors=table,
        equivalents=equivalents(table, core=None),
        budgets=[10, 20, 40],
        tested=10,
        given=50,
        functions=9,
    )


def test_the_verdict_is_that_of_the_draws():
    better = in_words(found([4.0, 2.1, 2.0], [[8.0, 4.0, 2.0], [8.0, 4.0, 2.0]]))
    assert better == [
        "energy: 20 of 40 frames by greedy-medoids are as good as all (within a tenth of their error); 40 at random",
        "energy: greedy-medoids errs less than 100 % of random draws of its size;"
        " with 10 frames it is as good as random with 20",
    ]
    as_good = in_words(found([4.0, 2.1, 2.0], [[3.0, 2.0, 2.0], [5.0, 2.5, 2.0]]))
    assert "random draws are as good here: greedy-medoids errs less than 50 %" in as_good[1]
    worse = in_words(found([9.0, 5.0, 2.0], [[3.0, 2.0, 2.0], [5.0, 2.5, 2.0]]))
    assert "random draws do better here: greedy-medoids errs less than 0 %" in worse[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.xyz"], "FILE: no file 'missing.xyz'"),
        (["bare.xyz"], "--energy-key: no frame of 'bare.xyz' has 'REF_energy"),
        (["few.xyz"], "has 5 structures with an energy and a cell; 20 are the fewest"),
        (["set.xyz", "--forces-key", "f"], "--forces-key: no frame of 'set.xyz' has 'f'"),
        (["set.xyz", "--output-page", "set.xyz"], "this file is read"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(frames, arguments, words, capsys):
    write("few.xyz", frames[:5])
    write("bare.xyz", [Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True) for atoms in frames])
    before = read("set.xyz", ":")
    assert run(*arguments) == 2
    assert words in capsys.readouterr().err
    assert read("set.xyz", ":") == before
    assert not Path("worth.html").exists()
