"""Rounds from candidates to their table: what they choose, when they end, and what a change runs again."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import costly_copper
from conftest import SMALL, Workflow
from gapdesign import cli
from gapdesign.files import read_array, read_csv, read_frames, read_json, write_frames

CONFIGURATION = copy.deepcopy(SMALL) | {
    "study": "rounds",
    "pools": SMALL["pools"] | {"names": ["A"], "shard_size": 60},
    "budget": 12,
    "designs": {
        "ONCE": {"pool": "A", "method": "maxmin"},
        "SAME": {"pool": "A", "method": "maxmin", "rounds": {"count": 3, "rescaled": False}},
        # Hardly any structures are worth 99 %.
        "ENDED": {"pool": "A", "method": "maxmin", "rounds": {"count": 4, "stop": 0.99}},
    },
    "labels": SMALL["labels"] | {"reserve": 2},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Workflow:
    workflow = Workflow(tmp_path_factory.mktemp("rounds"))
    workflow.configure(CONFIGURATION)
    workflow.run("rounds")
    return workflow


def frames(ran: Workflow, path: str):
    return read_frames(ran.folder / f"results/rounds/{path}.extxyz")


def chosen(ran: Workflow, design: str) -> list[int]:
    return [int(atoms.info["candidate"]) for atoms in frames(ran, f"designs/{design}")]


def test_nothing_is_labelled_for_the_designs_before_labels(tmp_path):
    workflow = Workflow(tmp_path)
    workflow.configure(CONFIGURATION)
    jobs = workflow.plan("design")
    assert jobs["design_select"] == 3
    assert not [rule for rule in jobs if rule.startswith(("labels", "models", "rounds", "hyperparameters"))]


def test_rounds_that_learn_nothing_choose_what_one_choice_does(ran):
    """The max-min order does not depend on where it is cut."""
    assert chosen(ran, "SAME_3") == chosen(ran, "ONCE")
    assert chosen(ran, "SAME_2") == chosen(ran, "ONCE")[:8]
    once, rounds = frames(ran, "designs/ONCE"), frames(ran, "designs/SAME_3")
    assert [atoms.info["rank"] for atoms in rounds] == [atoms.info["rank"] for atoms in once]
    # Positions in the file of what is continued have eight decimals.
    for key in ("distance", "outside"):
        assert [atoms.info[key] for atoms in rounds] == pytest.approx([atoms.info[key] for atoms in once], rel=1e-6)
    features = [read_array(ran.folder / f"results/rounds/designs/{name}.npy") for name in ("SAME_3", "ONCE")]
    assert np.array_equal(*features)


def test_a_design_has_no_labels_and_its_labelled_frames_have_all(ran):
    assert not any("REF_energy" in atoms.info for atoms in frames(ran, "designs/SAME_3"))
    labelled = frames(ran, "labels/SAME_3")
    assert len(labelled) == 12 and {atoms.info["config_type"] for atoms in labelled} == {"SAME_3"}
    before = {atoms.info["candidate"]: atoms.info["REF_energy"] for atoms in frames(ran, "labels/SAME_2")}
    assert all(
        before[atoms.info["candidate"]] == atoms.info["REF_energy"]
        for atoms in labelled
        if atoms.info["candidate"] in before
    )


def test_nothing_is_labelled_twice(ran):
    batches = (ran.folder / "results/rounds/labels/batches").rglob("*.extxyz")
    computed = [int(atoms.info["candidate"]) for path in batches if path.stat().st_size for atoms in read_frames(path)]
    assert len(computed) == len(set(computed))


def test_a_chain_ends_where_it_was_asked_to(ran):
    assert chosen(ran, "ENDED_4") == chosen(ran, "ENDED_3")
    assert read_json(ran.folder / "results/rounds/rounds/ENDED_4/expected.json")["stopped"] is True
    table = read_csv(ran.folder / "results/rounds/rounds.csv").set_index("design")
    assert list(table.index) == ["SAME_2", "ENDED_2", "SAME_3", "ENDED_3", "ENDED_4"]
    assert table.loc["ENDED_4", "added"] == 0 and table.loc["ENDED_3", "added"] == 3
    assert np.isnan(table.loc["ENDED_2", "seen_energy_gain"]) and np.isfinite(table.loc["ENDED_3", "seen_energy_gain"])


def test_the_error_of_a_round_is_that_of_the_model_before_on_what_is_new(ran):
    from gapdesign.models import MODELS

    table = read_csv(ran.folder / "results/rounds/rounds.csv").set_index("design")
    evaluate = MODELS["gap"].evaluator(ran.folder / "results/rounds/models/SAME_2/gp.xml")
    new = frames(ran, "labels/SAME_3")[8:]
    off = [1000 * (evaluate(atoms).energy - atoms.info["REF_energy"]) / len(atoms) for atoms in new]
    assert table.loc["SAME_3", "energy_rmse_mev"] == pytest.approx(np.sqrt(np.mean(np.square(off))))


@pytest.mark.parametrize("design", ["SAME_3", "ENDED_2", "ENDED_4"])
def test_a_round_is_proved_by_the_kernel_that_it_was_chosen_by(ran, design, monkeypatch, capsys):
    monkeypatch.chdir(ran.folder)
    assert cli.main(["verify", "--config", "config.yaml", f"results/rounds/designs/{design}.extxyz"]) == 0
    told = capsys.readouterr().out
    assert "exact; " in told or "nothing to verify" in told


def test_a_verb_for_the_wrong_round_says_which_to_use(ran, monkeypatch, capsys):
    monkeypatch.chdir(ran.folder)
    top = "results/rounds/"
    files = {"--features": f"{top}descriptors/A/0-60.npy", "--candidates": f"{top}candidates/A/0-60.npz"}
    files |= {"--sums": f"{top}descriptors/A/sums/0-60.npy", "--output": "out.extxyz", "--output-features": "out.npy"}
    given = ["--config", "config.yaml", *(word for pair in files.items() for word in pair)]
    assert cli.main(["select", "--design", "SAME_2", *given]) == 2
    assert (
        "it continues SAME_1 by what the labels of that say; use `gapdesign round-choose`." in capsys.readouterr().err
    )
    more = {"--learnt": f"{top}rounds/SAME_2/learnt.json", "--labelled": f"{top}labels/SAME_1.extxyz"}
    more |= {"--output-reserve": "r.extxyz", "--output-reserve-features": "r.npy", "--output-expected": "e.json"}
    given += [
        "--earlier-features",
        f"{top}designs/reserve/SAME_1.npy",
        *(word for pair in more.items() for word in pair),
    ]
    assert cli.main(["round-choose", "--design", "ONCE", *given]) == 2
    assert "it continues no design; use `gapdesign select`." in capsys.readouterr().err
    assert cli.main(["round-choose", "--design", "SAME_2", *given]) == 2
    assert "--earlier-features: 2 structures, and " in capsys.readouterr().err
    assert not (ran.folder / "out.extxyz").exists()


def test_a_change_runs_later_rounds_again_and_no_earlier_ones(ran, tmp_path):
    import subprocess

    subprocess.run(["cp", "-a", str(ran.folder), str(tmp_path / "copy")], check=True)
    workflow, changed = Workflow(tmp_path / "copy"), copy.deepcopy(CONFIGURATION)
    assert workflow.plan("rounds") == {}
    changed["designs"]["ENDED"]["rounds"]["stop"] = 0.9
    workflow.configure(changed)
    jobs = workflow.plan("rounds")
    assert jobs["rounds_learn"] == jobs["rounds_choose"] == jobs["rounds_judge"] == 1
    assert "models_fit" not in jobs and "design_select" not in jobs


@pytest.mark.whole
def test_the_report_compares_the_last_rounds_and_tells_of_the_others(ran):
    workflow, changed = Workflow(ran.folder), copy.deepcopy(CONFIGURATION)
    workflow.configure(changed | {"properties": {"compute": []}, "quality": {"subpools": 0}})
    workflow.run("report")
    page = (ran.folder / "results/rounds/report.html").read_text()
    assert "<h2>Rounds</h2>" in page and "ended: more was not worth it" in page
    errors = read_csv(ran.folder / "results/rounds/crossval/errors.csv")
    assert set(errors["model"]) == {"ONCE", "SAME_3", "ENDED_4"} == set(errors["test_set"])
    quality = read_csv(ran.folder / "results/rounds/quality.csv")
    assert list(quality["design"]) == ["ONCE", "SAME_1", "ENDED_1"]


def test_core_hours_go_by_the_clock_and_what_failed_is_not_tried_again(tmp_path):
    workflow = Workflow(tmp_path)
    write_frames(tmp_path / "frames.extxyz", costly_copper.frames(40))
    designs = {"OPT": {"pool": "A", "method": "maxmin", "rounds": 2}}
    workflow.configure(costly_copper.configuration(budget=120.0, at_most=30, designs=designs))
    workflow.run("results/hours/labels/OPT_2.extxyz")
    results = tmp_path / "results/hours"
    learnt = read_json(results / "rounds/OPT_2/learnt.json")
    measured = read_csv(results / "labels/costs/OPT_1.csv")
    first, second = (read_frames(results / f"designs/OPT_{n}.extxyz") for n in (1, 2))
    labelled = read_frames(results / "labels/OPT_1.extxyz")
    # The clock of EMT says that labels cost next to nothing, so that the number of structures ends the design.
    assert list(measured["rank"]) == [atoms.info["rank"] for atoms in labelled]
    assert learnt["costs"]["structures"] == len(labelled) and learnt["spent"] == pytest.approx(
        measured["core_hours"].sum()
    )
    assert 0 < learnt["spent"] < 1 and sum(atoms.info["core_hours"] for atoms in first) > 40
    assert len(second) == 30
    failed = {atoms.info["candidate"] for atoms in first if len(atoms) == 4}
    assert failed and {candidate for _, candidate in learnt["without_label"]} >= failed
    assert not failed & {atoms.info["candidate"] for atoms in second}
    assert [atoms.info["candidate"] for atoms in second[: len(labelled)]] == [
        atoms.info["candidate"] for atoms in labelled
    ]
