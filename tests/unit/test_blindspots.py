"""Descriptors of different kinds side by side: pairs counted by hand, and a descriptor that is made blind."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.build import bulk

from gapdesign.cli import main
from gapdesign.descriptors.blindspots import compare
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.files import read_csv
from gapdesign.structures import pack

SOAP = {"r_cut": 5.0, "n_max": 4, "l_max": 4, "sigma": 0.5}


def crystals():
    return pack([bulk("Zr", "bcc", 3.57), bulk("Zr", "bcc", 3.57), bulk("Zr", "hcp", 3.2, 5.1)])


def test_one_pair_of_three_overlaps_and_none_is_unseen():
    table, radial = compare(crystals(), [40], DescriptorOptions(soap=SOAP), KernelOptions(), ["dscribe", "distances"])
    assert table["backend"].tolist() == ["dscribe", "distances"]
    assert table["numbers"].tolist() == [4 * 5 // 2 * 5, 25]
    np.testing.assert_allclose(table["overlapping_share"], 1 / 3)
    assert (table["unseen_share"] == 0).all()
    assert set(table["unseen_pair"]) <= {"0 2", "1 2"}
    assert (table["seconds_per_atom"] > 0).all()
    for name, variation in zip(table["backend"], table["variation"], strict=True):
        seen = radial[radial["backend"] == name]["visibility"]
        assert variation == pytest.approx(seen.max() / seen.min())


def test_what_a_short_sight_does_not_see_is_found():
    """Carbon in hexagonal and cubic diamond has the same nearest neighbours, and others only farther away."""
    cubic = bulk("C", "diamond", a=3.567)
    hexagonal = bulk("CC", "wurtzite", a=2.522, c=4.119)
    batch = pack([cubic, hexagonal])
    short = DescriptorOptions(soap={"r_cut": 2.5, "n_max": 2, "l_max": 0, "sigma": 0.5})
    table, _ = compare(batch, [6], short, KernelOptions(), ["dscribe", "distances"])
    assert table["unseen_share"].tolist() == [1.0, 0.0]
    assert table["unseen_pair"].tolist() == ["0 1", "0 1"]


def test_a_neighbour_beyond_the_reach_is_not_visible():
    short = DescriptorOptions(soap=SOAP, distances={"reach": 4.0})
    table, radial = compare(crystals(), [40], short, KernelOptions(), ["distances"])
    assert table["variation"].tolist() == [np.inf]
    assert (radial["visibility"][radial["distance"] > 4.01] == 0).all()


def test_components_have_the_scale_of_the_trial_pool():
    options = DescriptorOptions(soap=SOAP, components="standardised")
    table, _ = compare(crystals(), [40], options, KernelOptions(), ["dscribe"])
    np.testing.assert_allclose(table["overlapping_share"], 1 / 3)


def test_the_verb_compares_descriptors_as_they_are_configured(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    study = {
        "prototypes": {"bcc": {"element": "Zr", "lattice": "bcc", "a": 3.57}},
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        "descriptor": {"soap": SOAP},
    }
    (tmp_path / "study.yaml").write_text(json.dumps(study))
    given = ["tune", "--config", "study.yaml", "--count", "4", "--output", "kinds.csv"]
    outputs = ["--output-radial", "radial.csv", "--output-figure", "kinds.svg"]
    assert main([*given, "--backends", "dscribe", "distances", *outputs]) == 0
    assert read_csv("kinds.csv")["backend"].tolist() == ["dscribe", "distances"]
    assert "distances: 25 numbers" in capsys.readouterr().err
    assert "unseen" in (tmp_path / "kinds.svg").read_text()
    for arguments, sentence in (
        (["--backends", "soup"], "--backends soup: there is no such descriptor; choose from"),
        (["--backends", "distances", "--sigma", "0.5"], "--sigma: --backends are compared as they are configured."),
        (["--backends", "nep"], "descriptor.nep.path: no file 'nep89.txt'"),
    ):
        assert main([*given, *arguments]) == 2
        assert sentence in capsys.readouterr().err
