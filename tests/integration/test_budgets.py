"""A study within core-hours from candidates to labels, with an engine that refuses some of what it was to compute."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import Workflow
from costly_copper import configuration, frames
from gapdesign import cli
from gapdesign.files import read_array, read_csv, read_frames, write_frames

BUDGET, AT_MOST, FRAMES = 150.0, 50, 60


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Workflow:
    """Frames of one to four atoms, whose costs grow with the square; the largest get no label."""
    workflow = Workflow(tmp_path_factory.mktemp("hours"))
    write_frames(workflow.folder / "frames.extxyz", frames(FRAMES))
    designs = {"OPT": {"pool": "A", "method": "maxmin"}, "RND": {"pool": "A", "method": "random"}}
    workflow.configure(configuration(budget=BUDGET, at_most=AT_MOST, designs=designs))
    workflow.run("design", "labels")
    return workflow


def frames_of(ran: Workflow, path: str):
    return read_frames(ran.folder / f"results/hours/{path}.extxyz")


def cost(frames) -> float:
    return sum(atoms.info["core_hours"] for atoms in frames)


def test_costs_are_those_of_the_frames(ran):
    found = [read_array(ran.folder / f"results/hours/designs/costs/A/{name}.npy") for name in ("0-40", "40-60")]
    assert np.concatenate(found).tolist() == [float((k % 4 + 1) ** 2) for k in range(FRAMES)]


@pytest.mark.parametrize("design", ["OPT", "RND"])
def test_a_design_spends_its_core_hours_and_says_so(ran, design):
    frames = frames_of(ran, f"designs/{design}")
    assert len(frames) < AT_MOST
    left = BUDGET - np.cumsum([atoms.info["core_hours"] for atoms in frames])
    assert [atoms.info["core_hours_left"] for atoms in frames] == left.tolist()
    cheapest = min((k % 4 + 1) ** 2 for k in range(FRAMES) if k not in {atoms.info["candidate"] for atoms in frames})
    assert 0 <= left[-1] < cheapest
    log = (ran.folder / f"results/hours/logs/design/select/{design}.log").read_text()
    assert f"labels of {len(frames)} structures cost {cost(frames):.4g} of 150 core-hours; " in log
    assert "random designs within 150 core-hours have " in log


def test_the_order_is_proved(ran, monkeypatch, capsys):
    monkeypatch.chdir(ran.folder)
    assert cli.main(["verify", "--config", "config.yaml", "results/hours/designs/OPT.extxyz"]) == 0
    assert "exact" in capsys.readouterr().out


@pytest.mark.parametrize("design", ["OPT", "RND"])
def test_replacements_keep_to_the_budget(ran, design):
    chosen, reserve = frames_of(ran, f"designs/{design}"), frames_of(ran, f"designs/reserve/{design}")
    labelled = frames_of(ran, f"labels/{design}")
    failed = {rank for rank, atoms in enumerate(chosen) if len(atoms) == 4}
    assert failed
    kept = [atoms.info["rank"] for atoms in labelled if atoms.info["rank"] < len(chosen)]
    assert kept == [rank for rank in range(len(chosen)) if rank not in failed]
    assert cost(labelled) <= BUDGET
    taken = [atoms for atoms in labelled if atoms.info["rank"] >= len(chosen)]
    assert 0 < len(taken) <= len(failed)
    assert {atoms.info["rank"] for atoms in taken} <= {atoms.info["rank"] for atoms in reserve}
    table = read_csv(ran.folder / "results/hours/labels/failed.csv")
    assert failed <= set(table[table["design"] == design]["rank"])


def test_batches_beyond_the_end_of_a_design_are_empty(ran):
    size = len(frames_of(ran, "designs/OPT"))
    assert size <= 25
    for first in range(0, AT_MOST, 25):
        batch = frames_of(ran, f"labels/batches/OPT/{first}-{first + 25}")
        assert (len(batch) == 0) == (first >= size)


def test_the_page_says_what_is_spent_and_what_more_buys(ran):
    table = read_csv(ran.folder / "results/hours/quality/raised.csv")
    mine = table[table["design"] == "OPT"]
    assert mine["raised_percent"].tolist() == [0, 5, 10, 20]
    assert mine["core_hours"].tolist() == pytest.approx([150, 157.5, 165, 180])
    assert (mine["spent"] <= mine["core_hours"]).all() and mine["spent"].is_monotonic_increasing
    quality = read_csv(ran.folder / "results/hours/quality.csv").set_index("design")
    first = mine.iloc[0]
    assert (first["size"], first["spent"]) == (quality["size"]["OPT"], quality["label_core_hours"]["OPT"])
    assert first["covering_radius"] == pytest.approx(quality["covering_radius"]["OPT"])
    page = (ran.folder / "results/hours/design.html").read_text()
    assert "What more core-hours buy" in page and "of 150 core-hours" in page
    assert "150 core-hours, at most 50 structures per design" in page


def test_nothing_is_left_to_do_and_the_plan_knows_the_bound(ran, monkeypatch, capsys):
    assert ran.plan("design", "labels") == {}
    monkeypatch.chdir(ran.folder)
    assert cli.main(["plan", "--config", "config.yaml", "--results", "none"]) == 0
    told = capsys.readouterr().out
    assert "2 designs of at most 50 structures" in told
    assert "OPT: labels of 150 core-hours at most." in told
    (labels,) = [line for line in told.splitlines() if line.startswith("labels ")]
    assert float(labels.split()[3]) == pytest.approx(300, abs=1)
