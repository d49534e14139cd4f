"""Studies of files without prototypes: sizes, elements and files that the files themselves say, and filters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write

from gapdesign.config import study as config
from gapdesign.errors import InputError
from gapdesign.inputs import survey
from gapdesign.inputs.filters import FilterOptions
from gapdesign.samplers import sample
from gapdesign.samplers.shared import frames


def crystals(element: str, count: int, kind: str) -> list[Atoms]:
    found = []
    for k in range(count):
        atoms = bulk(element, "bcc", a=3.1 + 0.01 * k, cubic=k % 2 == 0)
        atoms.info |= {"config_type": kind, "temperature": 100 * k}
        found.append(atoms)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    alone = Atoms("Mo", cell=[20, 20, 20], pbc=True, info={"config_type": "isolated_atom"})
    write("mo.xyz", [*crystals("Mo", 6, "bulk"), alone], format="extxyz")
    write("runs/w1.extxyz", crystals("W", 4, "111"))
    write("runs/w2.traj", crystals("W", 3, "slab"))
    return tmp_path


def study(path, size="all", **more) -> config.Study:
    mine = config.parse(
        {
            "study": "mine",
            "pools": {"names": ["A"], "size": size, "sampler": "file", "file": {"path": path, **more}},
            "budget": 1,
            "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        }
    )
    config.check(mine)
    return mine


def test_size_files_and_elements_are_those_of_the_files(folder):
    mine = study(["mo.xyz", "runs/*"])
    assert mine.pools.file.path == ("mo.xyz", "runs/w1.extxyz", "runs/w2.traj")
    assert mine.pools.size == 6 + 4 + 3
    assert mine.symbols() == ["Mo", "W"]
    assert mine.properties.compute == ()
    assert study("mo.xyz").symbols() == ["Mo"]


def test_a_study_that_is_written_out_reads_no_file_again(folder):
    mine = study(["mo.xyz", "runs/*"])
    text = mine.model_dump_json()
    for path in ("mo.xyz", "runs/w1.extxyz", "runs/w2.traj"):
        Path(path).unlink()
    assert config.parse(json.loads(text)) == mine


def test_pools_of_all_frames_each_have_their_own_size(folder):
    given = {"names": ["A", "B", "C"], "size": "all", "sampler": "file", "file": {"path": "mo.xyz"}}
    given["overrides"] = {"B": {"file": {"path": "runs/*"}}, "C": {"size": 2}}
    mine = config.parse({"pools": given, "designs": {"OPT": {"pool": "A", "method": "random"}}, "budget": 2})
    assert [mine.pools.of(name).size for name in "ABC"] == [6, 7, 2]


def test_elements_of_existing_structures_count(folder):
    given = {"pools": {"names": ["A"], "size": "all", "sampler": "file", "file": {"path": "mo.xyz"}}}
    mine = config.parse(given | {"designs": {"OPT": {"pool": "A", "method": "maxmin", "existing": "runs/w2.traj"}}})
    assert mine.symbols() == ["Mo", "W"]


@pytest.mark.parametrize(
    "conditions, count",
    [
        ({"keep": {"config_type": "bulk"}}, 6),
        ({"keep": {"config_type": ["bulk", "slab"]}}, 9),
        ({"keep": {"config_type": "111"}}, 4),  # extended XYZ reads it as a number
        ({"drop": {"config_type": "bulk"}}, 7),
        ({"keep": {"temperature": {"min": 100, "max": 300}}}, 3 + 3 + 2),
        ({"keep": {"temperature": 200, "config_type": "slab"}}, 1),
        ({"atoms": [2, 2]}, 3 + 2 + 2),
        ({"elements": ["W", "Ta"]}, 7),
        ({"elements": ["W"], "drop": {"temperature": {"min": 200}}}, 4),
    ],
)
def test_filters_pass_the_same_frames_to_survey_index_and_candidates(folder, conditions, count):
    paths = ("mo.xyz", "runs/w1.extxyz", "runs/w2.traj")
    mine = study(list(paths), shuffle=False, **conditions)
    assert mine.pools.size == count
    frames.convert(paths[2:], "converted.extxyz")
    assert len(frames.index_all(paths, "converted.extxyz", FilterOptions(**conditions))) == count
    batch = sample(mine.pools.sampling, [], seed=1, pool="A", start=0, stop=count)
    for k in range(count):
        atoms = batch.annotated(k)
        given = read(atoms.info["source_file"], atoms.info["source_frame"])
        np.testing.assert_array_equal(atoms.positions, given.positions)
        assert str(given.info["config_type"]) == str(atoms.info["source_config_type"])


def test_frames_of_several_files_follow_one_another(folder):
    mine = study(["runs/w2.traj", "mo.xyz"], shuffle=False)
    batch = sample(mine.pools.sampling, [], seed=1, pool="A", start=0, stop=9)
    origins = [(batch.annotated(k).info["source_file"], batch.annotated(k).info["source_frame"]) for k in range(9)]
    assert origins == [("runs/w2.traj", k) for k in range(3)] + [("mo.xyz", k) for k in range(6)]


def test_a_large_file_is_counted_once(folder, monkeypatch):
    monkeypatch.setattr(survey, "QUICK", 10)
    survey._survey.cache_clear()
    first = survey.survey(("mo.xyz",), FilterOptions(), "key")
    assert first == (6, {"Mo"})
    survey._survey.cache_clear()
    monkeypatch.setattr(survey, "_read", None)
    assert survey.survey(("mo.xyz",), FilterOptions(), "key") == first


@pytest.mark.parametrize(
    "path, more, sentence",
    [
        ("no.xyz", {}, r"pools\.file\.path: no file 'no\.xyz' for pool A; paths start where"),
        ("no*.xyz", {}, r"pools\.file\.path: no file 'no\*\.xyz' for pool A"),
        ("mo.xyz", {"keep": {"config_type": "x"}}, r"pools\.file\.path: 'mo\.xyz' has no frame that keep.*loosen"),
        ("mo.xyz", {"atoms": [3, 1]}, r"pools\.file: `atoms` needs the fewest and the most"),
        ("mo.xyz", {"elements": ["Zq"]}, r"pools\.file\.elements: 'Zq' is not a chemical element"),
    ],
)
def test_a_mistake_is_one_sentence(folder, path, more, sentence):
    with pytest.raises(InputError, match=sentence):
        study(path, **more)


def test_all_needs_files_and_crystals_need_prototypes(folder):
    with pytest.raises(InputError, match=r"pools\.size: `all` counts the frames of files, and pool A has .*`strain`"):
        config.parse({"pools": {"size": "all"}, "prototypes": {"a": {"element": "Cu", "lattice": "fcc", "a": 3.6}}})
    given = {"pools": {"names": ["A"], "size": "all", "sampler": "file", "file": {"path": "mo.xyz"}}}
    with pytest.raises(InputError, match=r"properties\.compute: elastic is a property of crystals"):
        config.parse(given | {"properties": {"compute": ["elastic"]}})


def test_elements_that_are_given_must_be_all(folder):
    from gapdesign import cli

    text = "{study: mine, elements: [W], pools: {names: [A], size: all, sampler: file, file: {path: mo.xyz}}"
    Path("study.yaml").write_text(text + ", budget: 1, designs: {OPT: {pool: A, method: maxmin}}}")
    given = ["--config", "study.yaml"]
    cli.main(["candidates", *given, "--pool", "A", "--start", "0", "--stop", "6", "--output", "a.npz"])
    job = ["descriptors", *given, "--candidates", "a.npz", "--output", "a.npy", "--output-sum", "s.npy"]
    assert cli.main(job) == 2
