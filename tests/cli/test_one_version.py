"""A run uses one version of its engine from its first label to its last, or stops."""

import json
import shutil
from pathlib import Path

import pytest
from ase.build import bulk

from gapdesign import cli
from gapdesign.engines.eam import EamEngine, EamOptions
from gapdesign.errors import InputError
from gapdesign.files import read_frames, write_frames
from gapdesign.labels.labeller import Labeller
from gapdesign.labels.store import LabelStore
from gapdesign.labels.version import MARK


def shipped(potential: str) -> Path:
    return EamEngine(EamOptions(potential=potential)).path


@pytest.fixture
def study(tmp_path):
    """A design of four structures, two batches of which are to be labelled by a potential of the user's."""
    shutil.copy(shipped("Zr_mm.eam.fs"), tmp_path / "my.eam.fs")
    frames = [bulk("Zr", "hcp", a=3.2 + 0.01 * rank) for rank in range(4)]
    for rank, atoms in enumerate(frames):
        atoms.info.update(pool="A", candidate=rank, rank=rank)
    write_frames(tmp_path / "OPT.extxyz", frames)
    config = {
        "labels": {"engine": "eam", "eam": {"potential": str(tmp_path / "my.eam.fs")}},
        "prototypes": {"hcp": {"element": "Zr", "lattice": "hcp", "a": 3.23, "c": 5.15}},
        "designs": {"OPT": {"pool": "A", "method": "random"}},
    }
    (tmp_path / "study.yaml").write_text(json.dumps(config))
    assert call(tmp_path, "engine", "--output", tmp_path / "labels/engine.json") == 0
    return tmp_path


def call(folder, verb, *arguments) -> int:
    return cli.main([verb, "--config", str(folder / "study.yaml"), *map(str, arguments)])


def batch(folder, first, *more) -> int:
    ranks = ["--design", "OPT", "--first", first, "--last", first + 2]
    files = ["--store", folder / "store", "--designs", folder / "OPT.extxyz"]
    outputs = ["--output", folder / f"{first}.extxyz", "--output-failed", folder / f"{first}.csv"]
    return call(folder, "label", *files, *ranks, *outputs, *more)


def edit(folder):
    """Make the potential another one: as many numbers, with every energy of embedding a hundredth larger."""
    path = folder / "my.eam.fs"
    head, rest = path.read_text().splitlines(keepends=True)[:6], path.read_text().splitlines(keepends=True)[6:]
    scaled = (" ".join(f"{1.01 * float(word):.12e}" for word in line.split()) + "\n" for line in rest[:100])
    path.write_text("".join([*head, *scaled, *rest[100:]]))


def test_a_batch_after_the_potential_was_edited_stops(study, capsys):
    record = ["--engine", study / "labels/engine.json"]
    assert batch(study, 0, *record) == 0
    edit(study)
    assert batch(study, 2, *record) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gapdesign label")]
    assert "labels.engine: eam is not what it was when this run began: version 'matscipy" in line
    assert f"restore what it was, or delete the folder {study / 'labels'}" in line
    assert not (study / "2.extxyz").exists()
    isolated = ["--store", study / "store", "--output", study / "isolated.extxyz"]
    assert call(study, "isolated", *isolated, *record) == 2


def test_labels_of_two_versions_do_not_come_together(study, capsys):
    assert batch(study, 0) == 0
    collect = ["--store", study / "store", "--design", "OPT", "--designs", study / "OPT.extxyz"]
    collect += ["--labelled", study / "0.extxyz", study / "2.extxyz", "--failed", study / "0.csv", study / "2.csv"]
    collect += ["--output", study / "all.extxyz", "--output-failed", study / "all.csv"]
    edit(study)
    assert batch(study, 2) == 0
    assert call(study, "labels", *collect) == 2
    assert "OPT: 2 labels in its batches come from another version or other settings of eam" in capsys.readouterr().err
    assert not (study / "all.extxyz").exists()
    assert batch(study, 0) == 0
    assert call(study, "labels", *collect) == 0
    assert all(MARK not in atoms.info for atoms in read_frames(study / "all.extxyz"))


def test_a_label_made_while_the_potential_is_replaced_is_not_kept(study):
    """The engine has said its version, under which the label would be stored, and reads the file after that."""
    engine = EamEngine(EamOptions(potential=str(study / "my.eam.fs")))
    assert "sha256" in engine.version
    edit(study)
    store = LabelStore(study / "store")
    with pytest.raises(InputError, match=r"labels\.engine: eam changed while labels were made: version 'matscipy"):
        Labeller(engine=engine, store=store, min_fraction=0.6).label(read_frames(study / "OPT.extxyz")[0], "OPT/0")
    assert not store.folder.exists()
