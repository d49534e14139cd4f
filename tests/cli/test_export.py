"""The verb `export`, where it writes files to train on; tests/unit/test_formats.py reads them back."""

from __future__ import annotations

import pytest
from ase import Atoms

from gapdesign.cli import main
from gapdesign.files import read_frames, write_frames
from strained_copper import strained


@pytest.fixture
def labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, frames in (("A", strained()[:6]), ("B", strained()[6:])):
        for atoms in frames:
            atoms.info["config_type"] = name
        write_frames(f"{name}.extxyz", frames)
    atom = Atoms("Cu", cell=[20] * 3, pbc=True, info={"REF_energy": 1.5, "config_type": "isolated_atom"})
    write_frames("isolated.extxyz", [atom])


def test_a_design_to_train_on_and_another_to_validate_with(labels, capsys):
    arguments = ["export", "--format", "ace", "--valid-config-type", "B", "--output", "ace", "A.extxyz", "B.extxyz"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "aj fit --train train.xyz --test valid.xyz" in out and "Eref = [:Cu => 1.5]" in out
    assert "ace/train.xyz: 6 structures to train on" in err and "ace/valid.xyz: 2 structures to validate" in err
    assert [atoms.info["config_type"] for atoms in read_frames("ace/train.xyz")] == ["IsolatedAtom", *"AAAAAA"]
    assert main(arguments) == 2
    assert "ace: it exists already; remove it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ace", "--valid", "1"], "--valid 1: it must be a share between 0 and 1."),
        (["ace", "--valid", "0.5", "--valid-config-type", "A"], "--valid-config-type: it comes instead of --valid"),
        (["ace", "--energy-key", "dft"], "--energy-key: no frame of 'A.extxyz' has 'dft'"),
        (["xyz", "--valid", "0.1"], "--valid: xyz is input of calculations, which have no labels"),
        (["xyz", "B.extxyz"], "xyz takes one design at a time; export it by itself."),
    ],
)
def test_mistakes_get_a_sentence(labels, capsys, arguments, message):
    form, *rest = arguments
    assert main(["export", "--format", form, "--output", "new", "A.extxyz", *rest]) == 2
    assert message in capsys.readouterr().err
