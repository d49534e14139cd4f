"""Polished designs in a whole study: what runs, what runs again, what their files say, and what `verify` finds."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest

from conftest import SMALL, Workflow, assert_same_files
from gapdesign import cli
from gapdesign.config import study as config
from gapdesign.config.part import At
from gapdesign.files import read_array, read_csv, read_frames, read_json, write_array, write_frames, write_json

POLISH = {"sweeps": 2, "values": 5, "refinements": 1}
DESIGNS = {
    "OPT": {"pool": "A", "method": "maxmin"},
    "POL": {"pool": "A", "method": "maxmin", "polish": POLISH},
    "QUO": {"pool": "A", "method": "maxmin", "quotas": {"bcc": 7}, "polish": POLISH},
    "DET": {"pool": "B", "method": "d_optimal", "polish": POLISH},
}
MOVED = ("POL", "QUO", "DET")


def study_of(**changes) -> dict:
    whole = {"pools": SMALL["pools"] | {"shard_size": 60}, "labels": SMALL["labels"] | {"chunk": 10}}
    return copy.deepcopy(SMALL) | copy.deepcopy(whole) | {"designs": copy.deepcopy(DESIGNS)} | changes


@pytest.fixture(scope="module")
def polished(tmp_path_factory) -> Workflow:
    workflow = Workflow(tmp_path_factory.mktemp("polished"))
    workflow.configure(study_of())
    workflow.run("design", "labels", "environments")
    return workflow


@pytest.fixture
def again(polished, tmp_path) -> Workflow:
    """A copy of the study, to be changed."""
    shutil.copytree(polished.folder, tmp_path / "copy", symlinks=True)
    return Workflow(tmp_path / "copy")


def test_only_designs_with_the_key_are_polished(workflow):
    assert "design_polish" not in workflow.plan("design")
    workflow.configure(study_of())
    plan = workflow.plan("design")
    assert (plan["design_select"], plan["design_polish"]) == (4, 3)
    assert plan["design_regrow"] == 1  # a polished design is not one of a smaller pool


def test_a_rerun_does_nothing_and_other_options_polish_the_same_choice_again(again):
    assert again.plan("design", "labels", "environments") == {}
    design = study_of()
    design["designs"]["POL"]["polish"] = POLISH | {"values": 7}
    again.configure(design)
    plan = again.plan("design")
    assert "design_select" not in plan
    assert (plan["design_polish"], plan["design_quality"]) == (1, 4)
    # Designs that are not polished do not know the key.
    design["designs"] = {"OPT": DESIGNS["OPT"] | {"polish": False}, **{name: DESIGNS[name] for name in MOVED}}
    again.configure(design)
    assert again.plan("design", "labels") == {}


def test_the_bits_do_not_depend_on_shards_or_cores(polished, tmp_path):
    other = Workflow(tmp_path)
    other.configure(study_of(pools=SMALL["pools"] | {"shard_size": 35}))
    other.run("design", "--cores", "1")
    cut = r"candidates/|descriptors/|compressed/|\.made/|design\.html"
    assert_same_files(polished, other, ignore=rf"{cut}|labels/|environments|figures/|bundles/")


@pytest.mark.parametrize("design", MOVED)
def test_what_is_labelled_is_polished_and_says_where_it_began(polished, design):
    top = polished.folder / "results/small"
    frames, before = (read_frames(top / f"designs/{folder}{design}.extxyz") for folder in ("", "chosen/"))
    labelled = read_frames(top / f"labels/{design}.extxyz")
    assert len(frames) == len(before) == 10
    for rank, (atoms, chosen, label) in enumerate(zip(frames, before, labelled, strict=True)):
        assert atoms.info["rank"] == chosen.info["rank"] == rank
        assert (atoms.info["candidate"], atoms.info["pool"]) == (chosen.info["candidate"], chosen.info["pool"])
        assert atoms.info["prototype"] == chosen.info["prototype"]
        assert "outside" not in atoms.info
        assert bool(atoms.info["polished"]) == (not np.allclose(atoms.cell[:], chosen.cell[:], atol=1e-7))
        np.testing.assert_allclose(label.positions, atoms.positions)
        assert {"REF_energy", "REF_forces", "REF_virial"} <= {*label.info, *label.arrays}
    assert any(atoms.info["polished"] for atoms in frames)
    study = config.load(str(polished.folder / "config.yaml"))
    features, covariance = read_array(top / f"designs/{design}.npy"), study.covariance()
    for rank in range(1, 10):
        nearest = np.sqrt(covariance.distance2(np.asarray(features[:rank]), features[rank]).min())
        assert frames[rank].info["distance"] == pytest.approx(nearest, abs=1e-9)
    reserve = read_frames(top / f"designs/reserve/{design}.extxyz")
    behind = read_array(top / f"designs/reserve/{design}.npy")
    kept = read_frames(top / f"designs/reserve/chosen/{design}.extxyz")
    assert [atoms.info["candidate"] for atoms in reserve] == [atoms.info["candidate"] for atoms in kept]
    nearest = np.sqrt(covariance.distance2(np.asarray(features), behind[0]).min())
    assert reserve[0].info["distance"] == pytest.approx(nearest, abs=1e-9)


def test_quotas_still_hold(polished):
    groups = read_csv(polished.folder / "results/small/quality/groups.csv").set_index(["design", "group"])
    assert groups.loc[("QUO", "bcc"), "structures"] >= 7
    frames = read_frames(polished.folder / "results/small/designs/QUO.extxyz")
    assert [atoms.info["prototype"] for atoms in frames[:7]] == ["bcc"] * 7


@pytest.mark.parametrize("design", MOVED)
def test_measures_are_those_of_the_polished_design(polished, design):
    top = polished.folder / "results/small"
    told, study = read_json(top / f"designs/polished/{design}.json"), config.load(str(polished.folder / "config.yaml"))
    features, covariance = np.asarray(read_array(top / f"designs/{design}.npy")), study.covariance()
    squared = np.array([covariance.distance2(features, row) for row in features])
    np.fill_diagonal(squared, np.inf)
    row = read_csv(top / "quality.csv").set_index("design").loc[design]
    assert row["nearest_min"] == pytest.approx(np.sqrt(squared.min()), abs=1e-8)
    if design != "DET":
        assert told["criterion"] == "smallest distance"
        assert told["after"] == pytest.approx(row["nearest_min"], abs=1e-8)
    assert told["after"] > told["before"]
    curves = read_csv(top / "quality/curves.csv").query("design == @design").set_index("size").loc[10]
    for name in ("nearest_min", "covering_radius", "log_det"):
        assert curves[name] == pytest.approx(row[name], rel=1e-6)
    members = read_csv(top / "quality/members.csv").query("design == @design")
    frames = read_frames(top / f"designs/{design}.extxyz")
    assert members["candidate"].tolist() == [atoms.info["candidate"] for atoms in frames]
    np.testing.assert_allclose(members["nearest"], np.sqrt(squared.min(axis=1)), atol=1e-8)
    strains = [np.linalg.svd(atoms.info["deformation"].reshape(3, 3), compute_uv=False) - 1 for atoms in frames]
    np.testing.assert_allclose(members["strain"], [np.sqrt((np.square(strain)).sum()) for strain in strains], atol=2e-2)


def verify(folder, design: str, capsys) -> tuple[int, str]:
    status = cli.main(
        ["verify", "--config", str(folder / "config.yaml"), str(folder / f"results/small/designs/{design}.extxyz")]
    )
    said = capsys.readouterr()
    return status, said.out if status == 0 else said.err.splitlines()[-1]


@pytest.mark.parametrize("design", MOVED)
def test_verify_proves_the_quality_and_the_choice_before(polished, design, capsys):
    status, said = verify(polished.folder, design, capsys)
    assert status == 0
    told = read_json(polished.folder / f"results/small/designs/polished/{design}.json")
    changed = f"{told['criterion']} {told['after']:.6g}, {told['before']:.6g} as chosen"
    assert f"designs/{design}.extxyz: {told['moved']} of 10 structures moved, {changed}" in said
    assert "no certificate" in said
    assert (f"designs/chosen/{design}.extxyz: exact" in said) == (design != "DET")
    assert f"designs/{design}.extxyz: exact" not in said


def _frames(top, change) -> None:
    path = top / "designs/POL.extxyz"
    frames = read_frames(path)
    change(frames)
    write_frames(path, frames)


def _summary(top, **changes) -> None:
    path = top / "designs/polished/POL.json"
    write_json(path, json.loads(path.read_text()) | changes)


def _features(top) -> None:
    path = top / "designs/POL.npy"
    write_array(path, np.asarray(read_array(path))[::-1].copy())


def _chosen(top) -> None:
    path = top / "designs/chosen/POL.extxyz"
    frames, moved = read_frames(path), read_frames(top / "designs/POL.extxyz")
    for both in (frames, moved):
        both[2].info["candidate"] = next(k for k in range(60) if k not in [a.info["candidate"] for a in frames])
    write_frames(path, frames)


def _at(rank: int, key: str, value):
    return lambda frames: frames[rank].info.__setitem__(key, value)


TAMPERED = {
    "an atom": (
        lambda top: _frames(top, lambda f: f[1].positions.__iadd__(1e-3)),
        "rank 1: it is not the structure at",
    ),
    "parameters": (lambda top: _frames(top, _at(3, "parameters", np.full(6, 0.4))), "rank 3: it is not the structure"),
    "bounds": (lambda top: _frames(top, _at(3, "parameters", np.full(6, 1.4))), "rank 3: its parameters are not 6 num"),
    "a place": (lambda top: _frames(top, _at(4, "candidate", 59)), "rank 4: candidate is 59, and "),
    "a distance": (lambda top: _frames(top, _at(5, "distance", 0.9)), "rank 5: its distance is 0"),
    "a flag": (lambda top: _frames(top, _at(6, "polished", "maybe")), "rank 6: polished is maybe"),
    "a rank": (lambda top: _frames(top, lambda f: f.pop()), "it has 9 structures, and the design as chosen 10"),
    "features": (_features, "its features are not those of its structures"),
    "after": (lambda top: _summary(top, after=1.0), "smallest distance, after: "),
    "before": (lambda top: _summary(top, before=0.0), "smallest distance, before: "),
    "moved": (lambda top: _summary(top, moved=3), "smallest distance, moved: "),
    "the choice": (_chosen, "rank 2: candidate is "),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_verify_names_what_was_touched(again, what, capsys):
    tamper, message = TAMPERED[what]
    tamper(again.folder / "results/small")
    status, said = verify(again.folder, "POL", capsys)
    assert status == 1, said
    assert "designs/POL.extxyz: not what it says; " in said
    assert message in said


def test_a_design_that_is_not_to_be_polished_is_not(polished, tmp_path, capsys):
    top, study = polished.folder / "results/small", config.load(str(polished.folder / "config.yaml"))
    part = cli.jobs()["polish"].part(At(study, "OPT"))
    words = ["polish", "--config", part, "--design", "OPT", "--chosen", str(top / "designs/OPT.extxyz")]
    words += ["--chosen-reserve", str(top / "designs/reserve/OPT.extxyz")]
    words += ["--chosen-reserve-features", str(top / "designs/reserve/OPT.npy")]
    for name, pattern in (("candidates", "candidates/A/{}.npz"), ("features", "descriptors/A/{}.npy")):
        words += [f"--{name}", str(top / pattern.format("0-60"))]
    words += ["--sums", str(top / "descriptors/A/sums/0-60.npy")]
    for name in ("output", "output-features", "output-reserve", "output-reserve-features", "output-summary"):
        words += [f"--{name}", str(tmp_path / name)]
    assert cli.main(words) == 2
    assert "polish: --design OPT: the configuration does not say `polish` of it." in capsys.readouterr().err
