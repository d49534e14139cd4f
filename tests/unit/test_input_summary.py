"""The summary of what a study is given: every prototype, and some frames of every file."""

import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.io import write

from gapdesign.config.study import parse
from gapdesign.errors import InputError
from gapdesign.inputs.summary import lines


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    slab = fcc111("Cu", (1, 1, 3), vacuum=5.0)
    slab.info = {}
    crystals = [bulk("Cu", "fcc", a=3.6 + 0.1 * k, cubic=True) for k in range(4)]
    write("mine.extxyz", [Atoms("Cu"), *crystals, slab])
    write("there.traj", crystals[:2])
    return {
        "prototypes": {"fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6}},
        "pools": {"names": ["A"], "size": 5, "sampler": "file", "file": {"path": "mine.extxyz"}},
        "budget": 2,
        "designs": {"OPT": {"pool": "A", "method": "maxmin", "existing": "there.traj"}},
    }


def test_prototypes_and_frames_are_described(given):
    assert list(lines(parse(given))) == [
        "  prototype fcc: Cu, 1 atom in 11.66 cubic angstrom, nearest 2.546 angstrom apart",
        "  pool A: 5 structures in 'mine.extxyz' (1 isolated atom besides)",
        "    frame 1: Cu4, 4 atoms in 46.66 cubic angstrom, nearest 2.546 angstrom apart",
        "    frame 3: Cu4, 4 atoms in 54.87 cubic angstrom, nearest 2.687 angstrom apart",
        "    frame 5: Cu3, 3 atoms in 79.95 cubic angstrom, nearest 2.553 angstrom apart, pbc T T F",
        "  existing of OPT: 2 structures in 'there.traj'",
        "    frame 0: Cu4, 4 atoms in 46.66 cubic angstrom, nearest 2.546 angstrom apart",
        "    frame 1: Cu4, 4 atoms in 50.65 cubic angstrom, nearest 2.616 angstrom apart",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"size": 6}, r"pools\.size: a pool of 6 cannot be drawn from the 5 frames of 'mine\.extxyz'"),
        ({"size": 3, "file": {"path": "there.traj"}}, r"pools\.size: a pool of 3 cannot be drawn from the 2 frames"),
        ({"size": 2, "file": {"path": "other.db"}}, r"pools\.file\.path: frame 1 of 'other\.db' holds Zr, which"),
        ({"file": {"path": "bad.xyz"}}, r"pools\.file\.path: frame 0 of 'bad\.xyz': it ends after 0 of 4 atoms"),
    ],
)
def test_files_that_cannot_be_used_are_refused_before_any_job(given, change, sentence):
    write("other.db", [bulk("Cu"), bulk("Zr")])
    with open("bad.xyz", "w") as stream:
        stream.write("4\n\n")
    given["pools"] |= change
    with pytest.raises(InputError, match=f"^{sentence}"):
        list(lines(parse(given)))
