"""Costs and learning curves on the page, by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from gapdesign.config.job import STAGES
from gapdesign.config.study import parse
from gapdesign.planning import estimate, plan
from gapdesign.report.cost_table import Estimate, cost
from gapdesign.report.learning_table import section
from gapdesign.report.replay_figures import errors_figure
from gapdesign.report.style import svg_text
from planned import all_jobs
from reported import FOUR, page_of, study

ESTIMATE = Estimate({"labels": (8, 99.0), "models": (4, 0.5), "replay": (0, 0.0), "crossval": (4, None)}, "an abacus")


def costs(hours: float) -> dict:
    parts = study(FOUR)
    quality = parts["quality"].assign(label_core_hours=hours)
    labelled = parts["labelled"] | {"OPT2": range(4)}
    return cost(quality, labelled, parts["errors"], ESTIMATE, {"labels": {"engine": "gpaw"}})


def test_labels_are_summed_and_stand_in_their_stage():
    found = costs(10.0)
    assert found["labels"] == 40.0
    assert found["stages"][0] == {"stage": "labels", "jobs": 8, "hours": 40.0}
    first, second = found["designs"][:2]
    assert (first["labels"], first["hours"], first["each"], first["worst"]) == (5, 10.0, 2.0, 4.0)
    assert second["labels"] == 4
    assert [row["stage"] for row in found["stages"]] == ["labels", "models", "crossval"]
    assert math.isnan(found["stages"][2]["hours"])


def test_labels_without_an_estimate_are_said_to_have_none():
    assert math.isnan(costs(math.nan)["labels"])
    parts = study(FOUR)
    assert "The engine eam does not estimate" in page_of(parts, {})
    parts["configuration"]["labels"]["engine"] = "file"
    assert "The labels were made elsewhere" in page_of(parts, {})
    parts["quality"]["label_core_hours"] = 10.0
    page = page_of(parts, {}, estimate=ESTIMATE)
    assert "<b>40 core-hours</b>" in page and "an abacus" in page


def test_a_study_of_no_design_costs_nothing_that_is_known():
    parts = study(FOUR)
    assert math.isnan(cost(parts["quality"].iloc[:0], {}, parts["errors"].iloc[:0], None, {})["labels"])


def test_the_estimate_is_that_of_a_plan_before_the_first_run(tmp_path):
    asked = parse({"study": "x", "prototypes": {"hcp": {"element": "Zr", "lattice": "hcp", "a": 3.2, "c": 5.1}},
                   "designs": {"OPT": {"pool": "A", "method": "maxmin"}}})  # fmt: skip
    planned = {
        stage.name: (stage.jobs, stage.core_hours) for stage in plan(asked, all_jobs(asked), tmp_path / "none").stages
    }
    assert estimate(asked, all_jobs(asked)) == planned
    assert list(planned) == list(STAGES)


def equivalents() -> pd.DataFrame:
    rows = [
        ("OPT1", 10, "energy_rmse_mev", 5.0, 9.0, 40.0),
        ("OPT1", 10, "force_rmse_mev", math.nan, math.nan, math.nan),
        ("OPT1", 20, "energy_rmse_mev", 3.0, 6.0, math.nan),
    ]
    return pd.DataFrame(rows, columns=["design", "budget", "measure", "error", "random_error", "random_structures"])


def test_learning_curves_are_told_where_there_are_any():
    found = section(equivalents())
    assert found["measures"] == ["energy error, meV/atom"]
    assert [(row["design"], row["budget"]) for row in found["rows"]] == [("OPT1", 10), ("OPT1", 20)]
    first = found["rows"][0]["cells"][0]
    assert (first["error"], first["random_error"], first["needed"]) == (5.0, 9.0, 40.0)
    assert found["unit"] == "structures"
    assert section(None) == section(equivalents().iloc[:0]) == {"unit": "structures", "measures": [], "rows": []}


def test_learning_curves_within_core_hours_count_these():
    found = section(
        equivalents().rename(columns={"random_structures": "random_core_hours"}).assign(budget=[2.5, 2.5, 5.0])
    )
    assert (found["unit"], found["rows"][0]["budget"]) == ("core-hours", 2.5)
    assert found["rows"][0]["cells"][0]["needed"] == 40.0


@pytest.mark.parametrize("asked", [True, False])
def test_the_page_shows_them_or_says_how_to_get_them(asked):
    parts = study(FOUR)
    rows = [{"design": design, "method": method, "budget": budget, "draw": 0, "test_set": "left_out", "group": "",
             "energy_rmse_mev": 90 / budget, "force_rmse_mev": 9 / budget}
            for design, method in FOUR.items() for budget in (10, 20)]  # fmt: skip
    curves = {"learning": svg_text(errors_figure(pd.DataFrame(rows), FOUR, core=None))} if asked else {}
    page = page_of(parts, curves, equivalents=equivalents() if asked else None)
    assert ("How many random structures do as well" in page) == asked
    assert ('id="figure-learning"' in page) == asked
    assert ("config/studies/zr-learning.yaml" in page) != asked
