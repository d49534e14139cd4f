"""Suspicious labels: units, signs and isolated atoms that do not fit, on crystals whose labels are right."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from gapdesign.cli import jobs, main
from gapdesign.config.part import At
from gapdesign.config.study import parse
from gapdesign.errors import InputError
from gapdesign.files import read_csv, write_csv, write_frames
from gapdesign.labels.contradictions import FEWEST
from gapdesign.labels.failures import COLUMNS
from gapdesign.labels.pairmodel import PairModel
from gapdesign.labels.suspicions import judge, of_models, suspicions, table
from gapdesign.voigt import VOIGT

ISOLATED = {"Cu": 3.51, "Pd": 3.9}


def crystals(count: int, *, repeat=(1, 1, 1), rattle=0.05, alloy=False) -> list[Atoms]:
    """Strained and rattled crystals with energy, forces and virial."""
    frames, rng = [], np.random.default_rng(5)
    for _ in range(count):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(repeat)
        if alloy:
            atoms.numbers[rng.random(len(atoms)) < 0.5] = 46
        atoms.set_cell(atoms.cell @ (np.eye(3) + rng.uniform(-0.06, 0.06, (3, 3))), scale_atoms=True)
        atoms.positions += rattle * rng.standard_normal(atoms.positions.shape)
        atoms.calc = EMT()
        atoms.info = {"REF_energy": atoms.get_potential_energy()}
        atoms.info["REF_virial"] = (-atoms.get_stress(voigt=False) * atoms.get_volume()).ravel()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module")
def right() -> list[Atoms]:
    return crystals(24)


def changed(frames: list[Atoms], energy=1.0, forces=1.0, virial=1.0, shift=0.0) -> list[Atoms]:
    copies = [atoms.copy() for atoms in frames]
    for atoms in copies:
        atoms.info["REF_energy"] = energy * atoms.info["REF_energy"] + shift * len(atoms)
        atoms.info["REF_virial"] = virial * atoms.info["REF_virial"]
        atoms.arrays["REF_forces"] = forces * atoms.arrays["REF_forces"]
    return copies


def test_rows_are_derivatives_of_the_energy():
    atoms = crystals(1, alloy=True)[0]
    model = PairModel([29, 46])
    rows, step = model.rows(atoms), 1e-5
    moved = []
    for sign in (1, -1):
        copy = atoms.copy()
        copy.positions[1, 2] += sign * step
        moved.append(model.rows(copy)["energy"][0])
    np.testing.assert_allclose(rows["forces"][5], -(moved[0] - moved[1]) / (2 * step), atol=1e-6)
    for place, (a, b) in enumerate(VOIGT):
        strained = []
        for sign in (1, -1):
            strain, copy = np.eye(3), atoms.copy()
            strain[a, b] += 0.5 * sign * step
            strain[b, a] += 0.5 * sign * step
            copy.set_cell(copy.cell @ strain, scale_atoms=True)
            strained.append(model.rows(copy)["energy"][0])
        slope = (strained[0] - strained[1]) / (2 * step)
        np.testing.assert_allclose(rows["virial"][place], -slope, atol=1e-5)


@pytest.mark.parametrize("kind", [{}, {"rattle": 0.0}, {"alloy": True}, {"repeat": (2, 1, 1)}])
def test_nothing_is_said_of_labels_that_are_right(kind):
    assert suspicions(crystals(24, **kind), ISOLATED) == []


@pytest.mark.parametrize(
    ("mistake", "quantity", "words"),
    [
        ({"virial": -1}, "virial", "the virial is of the opposite sign"),
        ({"virial": 1602.18}, "virial", "is it in kilobar?"),
        ({"virial": -1602.18}, "virial", "of the opposite sign"),
        ({"virial": 160.218}, "virial", "is it in gigapascal?"),
        ({"energy": 1 / 27.2114}, "energy", "is it in hartree"),
        ({"energy": 23.06}, "energy", "is it in kcal/mol?"),
        ({"forces": 1 / 51.4221}, "forces", "are they in hartree/bohr"),
        ({"forces": -1}, "forces", "forces are of the opposite sign"),
    ],
)
def test_a_unit_or_a_sign_is_named(right, mistake, quantity, words):
    (found,) = suspicions(changed(right, **mistake), {})
    assert found.quantity == quantity
    assert words in found.sentence


def test_without_forces_energies_and_virials_are_compared():
    frames = crystals(24, rattle=0.0)
    for atoms in frames:
        del atoms.arrays["REF_forces"]
    assert suspicions(frames, ISOLATED) == []
    (found,) = suspicions(changed_without_forces(frames), {})
    assert {found.quantity, found.against} == {"virial", "energy"}


def changed_without_forces(frames: list[Atoms]) -> list[Atoms]:
    copies = [atoms.copy() for atoms in frames]
    for atoms in copies:
        atoms.info["REF_virial"] = -atoms.info["REF_virial"]
    return copies


@pytest.mark.parametrize(("shift", "side"), [(-1300.0, "below"), (90.0, "above")])
def test_isolated_atoms_of_another_code_are_suspicious(right, shift, side):
    (found,) = suspicions(changed(right, shift=shift), ISOLATED)
    assert found.quantity == "isolated"
    assert f"eV per atom {side} its isolated atoms" in found.sentence


def test_what_is_suspicious_is_said_and_written(right, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    part = jobs()["failed"].part(At(parse({"labels": {"engine": "eam"}})))
    write_csv("none.csv", pd.DataFrame(columns=COLUMNS))
    write_frames("design.extxyz", [])
    files = [
        "--tables",
        "none.csv",
        "--designs",
        "design.extxyz",
        "--output",
        "x.csv",
        "--output-structures",
        "x.extxyz",
    ]
    for name, frames in (("right", right), ("wrong", changed(right, virial=-1))):
        write_frames(f"{name}.extxyz", frames)
        given = ["--labelled", f"{name}.extxyz", "--output-suspicions", f"{name}.csv"]
        assert main(["failed", "--config", part, *files, *given]) == 0
    assert read_csv("right.csv").empty
    (sentence,) = read_csv("wrong.csv")["sentence"]
    assert "suspicious labels: the virial is of the opposite sign" in capsys.readouterr().err
    assert "opposite sign" in sentence


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"forces": 1 / 51.4221}, r"are they in hartree/bohr .*\? Correct the labels"),
        ({"shift": -1300.0}, r"in another unit\? Correct the labels"),
        ({"virial": -1602.18}, r"of the opposite sign to what .* say, and 1\.\d+e\+03 times as large; .*\? Correct"),
    ],
)
def test_labels_of_no_use_stop_a_study_unless_it_is_told_to_go_on(right, mistake, sentence):
    found, said = suspicions(changed(right, **mistake), ISOLATED), []
    with pytest.raises(InputError, match=rf"^labels\.contradictions: .*{sentence}"):
        judge(found, "stop", said.append)
    judge(found, "warn", said.append)
    assert said == [f"suspicious labels: {suspicion.sentence}" for suspicion in found]


def test_smaller_contradictions_are_a_warning(right):
    said: list[str] = []
    judge(suspicions(changed(right, virial=-1), ISOLATED), "stop", said.append)
    (sentence,) = said
    assert sentence.startswith("suspicious labels: the virial is of the opposite sign")


def test_a_model_that_misses_its_own_structures_is_suspicious(right):
    """Noises of 1 meV and energies that differ by tenths of an eV, in a crystal of two elements too."""
    spread = np.std([atoms.info["REF_energy"] / len(atoms) for atoms in right])
    errors = pd.DataFrame(
        [("A", "A", 500.0), ("A", "B", 1e5), ("B", "A", 1e5), ("B", "B", 5.0), ("C", "C", 9.0)],
        columns=["model", "test_set", "rmse_mev"],
    )
    noises = {"A": 0.001, "B": 0.001, "C": 0.005}
    (found,) = of_models(errors, noises, dict.fromkeys("ABC", right))
    assert (found.quantity, found.ratio) == ("model", pytest.approx(500))
    assert f"noise of 1 and they differ by {1000 * spread:.3g}" in found.sentence
    judge([found], "stop", lambda _: None)  # all is computed by then
    alloys = [atoms.copy() for atoms in right]
    for place, atoms in enumerate(alloys):
        atoms.numbers[: place % 5] = 46
        atoms.info["REF_energy"] += 1000.0 * (atoms.numbers == 46).sum()
    (found,) = of_models(errors, noises, dict.fromkeys("ABC", alloys))
    assert float(re.search(r"they differ by ([\d.]+)", found.sentence)[1]) == pytest.approx(1000 * spread, rel=0.1)


def test_a_model_that_learnt_little_is_named(right):
    """Noises and errors beside energies that differ by a known amount."""
    spread = 1000 * np.std([atoms.info["REF_energy"] / len(atoms) for atoms in right])

    def said(error: float, noise: float, at_bound=()) -> list[str]:
        errors = pd.DataFrame([("A", "A", error * spread)], columns=["model", "test_set", "rmse_mev"])
        return [found.sentence for found in of_models(errors, {"A": noise * spread / 1000}, {"A": right}, at_bound)]

    assert said(0.3, 0.4) == []
    for error, noise in ((0.3, 0.6), (0.6, 0.1)):
        (sentence,) = said(error, noise)
        assert f"takes {noise * spread:.3g} meV per atom for noise, where energies differ by {spread:.3g}" in sentence
        assert f"its own structures by {error * spread:.3g}: it learnt little" in sentence
    (sentence,) = said(0.01, 0.02, ["A"])
    assert "for noise (the upper bound of model.bounds.noise; the optimum may lie beyond it), where" in sentence


def test_too_few_structures_say_nothing(right):
    assert suspicions(changed(right[: FEWEST - 1], virial=-1), ISOLATED) == []
    assert suspicions([], {}) == []
    assert table([]).columns.tolist() == ["quantity", "against", "ratio", "correlation", "sentence"]
