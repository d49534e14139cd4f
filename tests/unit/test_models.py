"""The family of models: kinds in the configuration and beside one another in the plan and on the page."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from gapdesign import cli
from gapdesign.config.part import At
from gapdesign.config.study import check, parse
from gapdesign.errors import InputError
from gapdesign.models import MODELS
from gapdesign.models.base import Load
from gapdesign.models.gap.options import GapOptions
from gapdesign.planning import plan
from gapdesign.planning.table import table
from gapdesign.report.kinds_table import Other, section
from gapdesign.report.training_figure import training_figure
from planned import all_jobs


def test_every_kind_is_complete():
    assert {"ace", "gap", "mace", "nep"} <= set(MODELS)
    for name, member in MODELS.items():
        assert not member.__abstractmethods__
        assert member.title and member.determined and member.files, name
        assert member.training is None or member.training in member.files


def test_the_keys_of_gap_are_those_of_the_block_itself(configuration):
    study = parse(configuration | {"model": {"sigma": {"force": 0.2}, "ace": {"degree": 8}}})
    assert list(study.kinds) == ["gap"]
    assert study.kinds["gap"].options == GapOptions(sigma={"force": 0.2})
    other = parse(configuration | {"model": {"kind": "ace", "sigma": {"force": 0.2}, "ace": {"degree": 8}}})
    assert list(other.kinds) == ["ace"] and other.kinds["ace"].options.degree == 8
    assert other.replayed.options == other.kinds["ace"].options
    gap = parse(other.model_dump(mode="json", exclude_none=True) | {"replay": {"kind": "gap"}})
    assert gap.replayed.options.sigma.force == 0.2


def test_a_replay_needs_a_linear_model(configuration):
    study = parse(configuration | {"model": {"kind": "mace"}})
    with pytest.raises(InputError, match=r"^replay\.kind: .* \(mace\); set it to ace or gap\.$"):
        study.replayed  # noqa: B018
    both = parse(configuration | {"models": {"mace": {}, "ace": {"degree": 8}, "gap": {}}})
    assert both.replayed.kind == "ace" and both.replayed.options.degree == 8


def test_several_kinds_keep_their_order_on_every_way(configuration):
    for names in (["mace", "gap"], ["gap", "mace"]):
        study = parse(configuration | {"models": {name: {} for name in names}})
        again = parse(json.loads(study.model_dump_json(exclude_none=True)))
        assert list(study.kinds) == list(again.kinds) == names
        assert At(study).model.kind == names[0]
        assert At(study, kind="gap").model.options == GapOptions()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": {"kind": "gpa"}}, "model.kind: there is no 'gpa'; did you mean 'gap'?"),
        ({"models": {"gpa": {}}}, "models.gpa: unknown key; did you mean 'gap'?"),
        ({"models": {"ace": {"degre": 8}}}, "models.ace.degre: unknown key; did you mean 'degree'?"),
        ({"models": {}}, "models: it is empty; name ace or gap or mace or nep, such as `models: {gap: {}}`."),
        ({"models": {"gap": None}}, "models: it is empty"),
        ({"models": {"ace": {}}, "model": {"kind": "ace"}}, "model: `models` is given beside it"),
        (
            {"models": {"ace": {"r_cut": 3.0}}},
            "models.ace.r_cut: 3.0 does not reach the nearest",
        ),
        ({"model": {"kind": "mace", "mace": {"r_cut": 2.0}}}, "model.mace.r_cut: 2.0 does not reach the nearest"),
        ({"models": ["gap", "ace"]}, "models: .* is not valid; give a block of keys and values"),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(configuration, given, sentence):
    with pytest.raises(InputError, match=sentence.replace("{", r"\{").replace("?", r"\?")):
        check(parse(configuration | given))


def test_a_verb_by_hand_names_a_kind_of_the_study(configuration):
    study = parse(configuration | {"models": {"gap": {}, "ace": {"degree": 8}}})
    fit = cli.jobs()["fit"]
    assert json.loads(fit.part(At(study, "OPT", kind="ace")))["model"]["options"]["degree"] == 8
    shared = {kind: json.loads(fit.part(At(study, "OPT", kind=kind)))["kernel"] for kind in study.kinds}
    assert shared["ace"] is None and shared["gap"]["covariance"]["pair"]["r_cut"] == 5.0
    with pytest.raises(InputError, match=r"--kind mace: the study has no such model; choose from gap, ace\."):
        fit.part(At(study, "OPT", kind="mace"))


def test_the_number_of_files_is_checked_before_a_fit(configuration, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("labels.extxyz", "isolated.extxyz", "hyperparameters.json"):
        (tmp_path / name).touch()
    (tmp_path / "config.yaml").write_text(json.dumps(configuration))
    given = ["--config", "config.yaml", "--labels", "labels.extxyz", "--isolated", "isolated.extxyz"]
    assert cli.main(["fit", *given, "--hyperparameters", "hyperparameters.json", "--output", "a", "b"]) == 2
    assert "a model of the kind 'gap' has 1 files, gp.xml" in capsys.readouterr().err


def test_the_plan_has_the_jobs_and_the_cost_of_every_kind(configuration, tmp_path):
    study = parse(configuration | {"models": {"gap": {}, "ace": {"degree": 8}}})
    jobs = all_jobs(study)
    fits = [(entry.rule, entry.kind, entry.count) for entry in jobs if entry.stage == "models"]
    assert fits == [("models_fit", None, 2), ("models_fit", "ace", 2)]
    planned = plan(study, jobs, tmp_path)
    load = Load(structures=10, atoms=1.5, density=0.0434, environments=1.0, species=1)
    for kind in study.kinds:
        expected = MODELS[kind].seconds(At(study, kind=kind), load)
        np.testing.assert_allclose(planned.models[kind], expected, rtol=0.05)
    text = table(planned)
    assert "Models of the kind gap, on one core: " in text and "Models of the kind ace, on one core: " in text


def test_another_kind_of_model_changes_no_dimer(configuration):
    study = parse(configuration | {"models": {"gap": {}, "ace": {"r_cut": 6.5}}})
    measure = cli.jobs()["measure"]
    assert {json.loads(measure.part(At(study, "OPT", kind=kind)))["farthest"] for kind in study.kinds} == {5.0}


def errors_of(worst: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"model": model, "test_set": tested, "q99_mev": value if model != tested else 0.1, "q99_force_mev_a": 2 * value}
        for model, value in worst.items()
        for tested in worst
    ]
    made = pd.DataFrame(rows).assign(n_forces=10, n_forces_zero=0)
    return made.assign(worst_twentieth_mev=made["q99_mev"] / 2)


def test_kinds_are_compared_by_geometric_means_over_the_designs_of_a_method():
    methods = {"O1": "maxmin", "O2": "maxmin", "R1": "random", "R2": "random"}
    own = errors_of({"O1": 1.0, "O2": 4.0, "R1": 10.0, "R2": 40.0})
    other = errors_of({"O1": 3.0, "O2": 3.0, "R1": 5.0, "R2": 20.0})
    made = section("gap", own, {"ace": Other("ace/report.html", other)}, methods)
    assert made["methods"] == ["max-min", "random"]
    first, second = made["rows"]
    assert (first["kind"], first["page"], second["kind"], second["page"]) == ("gap", None, "ace", "ace/report.html")
    np.testing.assert_allclose(first["energies"] + second["energies"], [2.0, 20.0, 3.0, 10.0])
    np.testing.assert_allclose(first["twentieths"] + second["twentieths"], [1.0, 10.0, 1.5, 5.0])
    np.testing.assert_allclose(first["forces"] + second["forces"], [4.0, 40.0, 6.0, 20.0])
    assert section("gap", own, {}, methods)["rows"] == []


def test_the_training_is_drawn_with_the_epoch_that_was_kept():
    table = pd.DataFrame(
        {"epoch": [0, 1, 2], "energy_mev": [9.0, 3.0, 4.0], "forces_mev": [0.0] * 3, "kept": [0, 1, 0]}
    )
    energies, forces = training_figure({"OPT": table}, {"OPT": "maxmin", "RND": "random"}).axes
    line, dot = energies.lines
    assert line.get_xydata().tolist() == [[0, 9], [1, 3], [2, 4]] and dot.get_xydata().tolist() == [[1, 3]]
    assert all(len(line.get_xdata()) == 0 for line in forces.lines)  # held at zero by symmetry
