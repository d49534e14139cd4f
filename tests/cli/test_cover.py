"""Two sets compared by one line: distances by brute force, what is written, and mistakes."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write

import gapdesign
from gapdesign import cli
from gapdesign.sets.held import FrameSet


def copper(number: int, *, strain: float) -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.6 * (1 + strain), cubic=True)
    atoms.rattle(0.02, seed=number)
    atoms.info = {"config_type": "strained" if strain else "thermal", "dft_energy": -float(number)}
    return atoms


@pytest.fixture(autouse=True)
def sets(tmp_path, monkeypatch) -> tuple[list[Atoms], list[Atoms]]:
    """Copper near its lattice constant, one frame twice, and frames of which some are strained and two are mine."""
    monkeypatch.chdir(tmp_path)
    mine = [copper(number, strain=0.0) for number in range(12)]
    mine.append(mine[4].copy())
    theirs = [mine[3], *(copper(20 + number, strain=0.02 * number) for number in range(1, 6)), mine[8]]
    write("mine.xyz", mine)
    write("theirs.xyz", [Atoms("Cu", cell=[20, 20, 20], pbc=True), *theirs])
    return mine, theirs


def run(*arguments: str) -> int:
    return cli.main(["cover", *arguments])


def test_distances_are_those_of_all_pairs(sets, capsys):
    mine, theirs = sets
    assert run("mine.xyz", "theirs.xyz") == 0
    description = FrameSet.of("mine.xyz", "mine.xyz", "MINE").description("dscribe")
    pairs = gapdesign.distances(theirs, mine, **description)
    within = gapdesign.distances(mine, **description)
    within[within < 1e-5] = np.inf
    spacing = np.median(within.min(axis=1))
    table = pd.read_csv("cover.csv")
    np.testing.assert_allclose(table["distance"], pairs.min(axis=1), atol=1e-6)
    assert table["frame"].tolist() == list(range(1, 8))  # the isolated atom is frame 0
    assert table["nearest"][[0, 6]].tolist() == [3, 8]
    far = table["distance"] > spacing
    assert table["uncovered"].tolist() == far.astype(int).tolist()
    assert 3 <= far.sum() <= 5
    said = capsys.readouterr().out
    assert f"spacing of mine.xyz: {spacing:.3g}," in said
    assert f"{far.sum()} of 7 frames of theirs.xyz are farther than the spacing" in said
    assert f"strained {far.sum()} of 5 (farthest {table['distance'].max():.3g})" in said


def test_uncovered_frames_are_written_as_they_were_read_the_farthest_first():
    assert run("mine.xyz", "theirs.xyz") == 0
    found, given = read("uncovered.extxyz", ":"), read("theirs.xyz", ":")
    distances = [atoms.info["cover_distance"] for atoms in found]
    assert distances == sorted(distances, reverse=True)
    assert found[0].info["cover_frame"] == 6  # of the largest strain
    for atoms in found:
        source = given[atoms.info["cover_frame"]]
        np.testing.assert_array_equal(atoms.positions, source.positions)
        assert atoms.info["dft_energy"] == source.info["dft_energy"]
    page = Path("cover.html").read_text()
    assert "strained" in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_set_covers_itself_and_an_old_answer_is_taken_away(capsys):
    assert run("mine.xyz", "theirs.xyz") == 0
    assert run("mine.xyz", "mine.xyz") == 0
    assert not Path("uncovered.extxyz").exists()
    assert pd.read_csv("cover.csv")["distance"].max() < 1e-5
    assert "nothing of mine.xyz needs a label" in capsys.readouterr().out


def test_elements_that_mine_does_not_have_are_named(capsys):
    write("theirs.xyz", [bulk("CuZr", "cesiumchloride", a=3.26), copper(1, strain=0.0)])
    assert run("mine.xyz", "theirs.xyz") == 0
    assert "1 of 2 frames of theirs.xyz hold Zr, which mine.xyz does not" in capsys.readouterr().out
    assert [atoms.info["cover_frame"] for atoms in read("uncovered.extxyz", ":")] == [0]


def test_files_are_the_same_every_time_and_from_standard_input(monkeypatch):
    names = ("uncovered.extxyz", "cover.csv", "cover.html")
    assert run("mine.xyz", "theirs.xyz") == 0
    first = {name: Path(name).read_bytes() for name in names}
    assert run("mine.xyz", "theirs.xyz") == 0
    assert {name: Path(name).read_bytes() for name in names} == first
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(Path("theirs.xyz").read_bytes())))
    assert run("mine.xyz", "-") == 0
    assert Path("uncovered.extxyz").read_bytes() == first["uncovered.extxyz"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.xyz", "theirs.xyz"], "MINE: no file 'missing.xyz'"),
        (["mine.xyz", "missing.xyz"], "THEIRS: no file 'missing.xyz'"),
        (["one.xyz", "theirs.xyz"], "has one structure only"),
        (["lone.xyz", "theirs.xyz"], "holds no structure"),
        (["-", "theirs.xyz"], "only THEIRS comes from standard input"),
        (["mine.xyz", "theirs.xyz", "--output", "theirs.xyz"], "this file is read"),
        (["mine.xyz", "theirs.xyz", "--output-table", "mine.xyz"], "--output-table mine.xyz: this file is read"),
        (["mine.xyz", "theirs.xyz", "--descriptor", "array"], "take"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(sets, arguments, words, capsys):
    write("one.xyz", [sets[0][0]] * 2)
    write("lone.xyz", Atoms("Cu", cell=[20, 20, 20], pbc=True))
    assert run(*arguments) == 2
    assert words in capsys.readouterr().err
    assert not any(Path(name).exists() for name in ("uncovered.extxyz", "cover.csv", "cover.html"))
