"""The plan of a replay, and the mistakes it refuses before any job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conftest import Workflow
from gapdesign.config.study import parse
from labelled_copper import configuration as copper
from planned import all_jobs


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Any]:
    return copper(tmp_path)


def plan(folder: Path, study: dict[str, Any]) -> dict[str, int]:
    workflow = Workflow(folder)
    workflow.configure(study)
    return workflow.plan("replay")


def test_a_job_for_each_design_and_shard(tmp_path: Path, study: dict[str, Any]) -> None:
    assert plan(tmp_path, study) == {
        "candidates_frames": 2,
        "candidates_shard": 3,
        "descriptors_shard": 2,
        "labels_engine": 1,
        "replay_points": 1,
        "replay_rows": 3,
        "replay_labels": 2,
        "replay_start": 1,
        "replay_choose": 3,
        "replay_fit": 3,
        "replay_bounds": 1,
        "replay_surfaces": 4,
        "replay": 1,
    }


def test_the_first_linear_kind_of_model_is_replayed(tmp_path: Path, study: dict[str, Any]) -> None:
    workflow = Workflow(tmp_path)
    workflow.configure(study | {"models": {"mace": {}, "ace": {"degree": 8}}, "model": {}})
    output = workflow.run("-n", "-p", "results/copper/replay/fits/FPS.csv")
    assert "--start results/copper/replay/start.npz" in output
    assert "--output-potential results/copper/replay/start-ace.npz" in output
    workflow.configure(study | {"model": {"kind": "mace"}})
    output = workflow.run("-n", "replay", status=1)
    assert "gapdesign: replay.kind: a replay needs a model that is linear in its coefficients" in output
    workflow.run("-n", "design")


def test_without_core_and_surfaces(tmp_path: Path, study: dict[str, Any]) -> None:
    study["replay"] |= {"core": None, "surfaces": {}}
    study["pools"]["names"] = ["rest"]
    del study["pools"]["overrides"]["core"]
    jobs = plan(tmp_path, study)
    assert "replay_surfaces" not in jobs
    assert (jobs["replay_rows"], jobs["replay_labels"], jobs["replay_start"]) == (2, 1, 1)


@pytest.mark.parametrize("surfaces", [True, False])
def test_a_report_waits_for_it_where_it_is_asked_to(tmp_path: Path, study: dict[str, Any], surfaces: bool) -> None:
    if not surfaces:
        study["replay"]["surfaces"] = {}
    for asked in (False, True):
        study["replay"]["report"] = asked
        workflow = Workflow(tmp_path)
        workflow.configure(study)
        planned = workflow.plan("report")
        assert ("replay" in planned, "replay_surfaces" in planned) == (asked, asked and surfaces)
        assert {entry.rule: entry.count for entry in all_jobs(parse(study)) if entry.count} == planned


def test_mistakes_stop_it_before_any_job(tmp_path: Path, study: dict[str, Any]) -> None:
    study["labels"]["engine"] = "eam"
    workflow = Workflow(tmp_path)
    workflow.configure(study)
    output = workflow.run("-n", "replay", status=1)
    assert "gapdesign: labels.engine: 'eam' computes labels" in output
    workflow.run("-n", "design")
