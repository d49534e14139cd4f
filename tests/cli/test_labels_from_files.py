"""Labels made elsewhere, at the verbs that a user meets first."""

import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign import cli
from gapdesign.files import write_frames


@pytest.fixture
def study(tmp_path):
    """A set of four frames, one without a virial, and a study that reads it; calls a verb with other options."""
    frames = [bulk("Zr", "hcp", a=3.2 + 0.01 * rank, c=5.1) for rank in range(4)]
    for rank, atoms in enumerate(frames):
        atoms.info.update(dft_energy=-17.0 - rank, dft_virial=np.arange(9.0))
        atoms.arrays["dft_forces"] = np.full((2, 3), 0.1 * rank)
    del frames[2].info["dft_virial"]
    write_frames(tmp_path / "set.extxyz", frames)

    def call(*verb, labels=MappingProxyType({}), **options) -> int:
        keys = {f"{name}_key": f"dft_{name}" for name in ("energy", "forces", "virial")}
        given = {"paths": [str(tmp_path / "set.extxyz")], **keys, "isolated": {"Zr": -1.5}} | options
        config = {
            "labels": {"engine": "file", "file": given} | labels,
            "prototypes": {"hcp": {"element": "Zr", "lattice": "hcp", "a": 3.23, "c": 5.15}},
            "designs": {"OPT": {"pool": "A", "method": "random"}},
        }
        (tmp_path / "study.yaml").write_text(json.dumps(config))
        return cli.main([verb[0], "--config", str(tmp_path / "study.yaml"), *map(str, verb[1:])])

    call.folder = tmp_path
    return call


COUNTS = (
    "labels.file: 4 frames in 1 file: energy of 4 by 'dft_energy', forces of 4 by 'dft_forces', virial of 3 by"
    " 'dft_virial' (the first without: frame 2 of '{}')"
)


def test_check_counts_labels_by_key(study, capsys):
    assert study("check") == 0
    assert COUNTS.format(study.folder / "set.extxyz") in capsys.readouterr().out.splitlines()


def test_the_log_and_the_record_of_a_run_count_them_too(study, capsys):
    assert study("engine", "--output", study.folder / "engine.json") == 0
    assert COUNTS.format(study.folder / "set.extxyz") in capsys.readouterr().err.splitlines()
    found = json.loads((study.folder / "engine.json").read_text())["found"]
    assert found["by_key"]["virial"] == {"dft_virial": 3}


@pytest.mark.parametrize("verb", [("check",), ("engine", "--output", "engine.json")])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"energy_key": "dft_enrgy"},
            "labels.file.energy_key: no frame of '{}' has 'dft_enrgy', only dft_energy, dft_f",
        ),
        ({"forces_key": "dft_energy"}, "labels.file: energy_key and forces_key are both 'dft_energy'"),
        (
            {"isolated": {"Zr": 900.0}},
            "labels.contradictions: the most stable structure is 910 eV per atom below its isolated atoms: are their",
        ),
        ({"isolated": {}}, "labels.file.isolated: the energy of an isolated atom of Zr is missing: no frame is one"),
        ({"isolated": {}}, "A fit of the set's energies by composition alone gives {{Zr: -9.2500}}"),
    ],
)
def test_what_is_wrong_is_said_before_any_label(verb, options, sentence, study, capsys):
    assert study(*verb, **options) == 2
    assert sentence.format(study.folder / "set.extxyz") in capsys.readouterr().err
    assert not Path("engine.json").exists()


def test_labels_that_contradict_one_another_are_a_warning_where_the_user_wants_it(study, capsys):
    wanted = {"labels": {"contradictions": "warn"}, "isolated": {"Zr": 900.0}}
    assert study("check", **wanted) == 0
    assert "suspicious labels: the most stable structure is 910 eV per atom below" in capsys.readouterr().out
    assert study("engine", "--output", study.folder / "engine.json", **wanted) == 0
    assert "suspicious labels: the most stable structure is 910 eV per atom below" in capsys.readouterr().err


def test_an_isolated_atom_inside_the_set_is_used_as_such(study, capsys):
    lone = Atoms("Zr", cell=[15] * 3, pbc=True, info={"config_type": "isolated_atom", "dft_energy": -2.0})
    write_frames(study.folder / "atom.extxyz", [lone])
    paths = [str(study.folder / name) for name in ("set.extxyz", "atom.extxyz")]
    assert study("check", paths=paths, isolated={}) == 0
    assert "labels.file: 5 frames in 2 files: energy of 5 by 'dft_energy'" in capsys.readouterr().out
