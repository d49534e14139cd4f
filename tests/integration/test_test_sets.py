"""A study with a test set that no model is fitted to, run whole."""

from __future__ import annotations

from conftest import Workflow
from gapdesign.files import read_csv
from gapdesign.report.crate.run import Run


def test_models_are_tested_on_a_set_that_none_is_fitted_to(rerun: Workflow, configuration):
    results = rerun.folder / "results/small"
    models = {path: path.read_bytes() for path in (results / "models").rglob("gp.xml")}
    configuration["designs"]["TEST"] = {"pool": "A", "method": "random", "budget": 7, "fit": False}
    rerun.configure(configuration)
    rerun.run()
    assert {path: path.read_bytes() for path in (results / "models").rglob("gp.xml")} == models
    assert sorted(path.name for path in (results / "models").iterdir()) == ["OPT", "RND"]
    errors = read_csv(results / "crossval/errors.csv")
    assert errors[["model", "test_set", "n"]].values.tolist() == [
        [model, test, size] for model in ("OPT", "RND") for test, size in (("OPT", 10), ("RND", 10), ("TEST", 7))
    ]
    assert errors.columns[-2:].tolist() == ["worst_twentieth_mev", "worst_twentieth_force_mev_a"]
    # Of ten or fewer errors the worst twentieth is the largest.
    assert errors["worst_twentieth_mev"].tolist() == errors["max_mev"].tolist()
    page = (results / "report.html").read_text()
    assert "<small>RND and TEST</small>" in page[: page.index("<nav>")]
    assert "<li>2 designs</li>\n<li>1 test set</li>" in page and "TEST: random from pool A, a test set only" in page
    assert "TEST</th><td>random, a test set only" in (results / "design.html").read_text()
    assert Run(results, None).missing == []
    assert rerun.plan() == {}
