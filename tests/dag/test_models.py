"""What runs for models of several kinds."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

FITTED = {"hyperparameters", "crossval_predict", "crossval_errors", "properties_model", "properties_table"}


def test_another_kind_is_fitted_to_the_designs_that_are_there(rerun, configuration):
    configuration["models"] = {"gap": {}, "ace": {"degree": 8}}
    rerun.configure(configuration)
    plan = rerun.plan()
    assert set(plan) >= FITTED and "models_fit" not in plan
    assert plan["models_fit_ace"] == plan["hyperparameters"] == plan["crossval_predict"] == 2
    assert plan["crossval_errors"] == plan["properties_table"] == plan["report_figures"] == 1
    assert plan["report"] == plan["report_ace"] == 1  # that of the first kind compares both
    assert not [rule for rule in plan if rule.startswith(("candidates", "descriptors", "labels", "design_select"))]
    # As the first one it would be where the GAPs are, which then have a folder.
    configuration["models"] = {"ace": {"degree": 8}, "gap": {}}
    rerun.configure(configuration)
    plan = rerun.plan("models")
    assert plan["models_fit"] == plan["models_fit_gap"] == 2


def test_kinds_share_everything_before_them_and_the_reference(workflow, configuration):
    configuration["models"] = {"gap": {"sigma": {"force": 0.1}}, "mace": {"epochs": 3}}
    workflow.configure(configuration)
    plan = workflow.plan()
    assert plan["models_fit"] == plan["models_fit_mace"] == 2
    assert plan["crossval_predict"] == plan["properties_model"] == 4
    assert plan["properties_reference"] == plan["labels_isolated"] == plan["design_page"] == 1


@pytest.mark.skipif(find_spec("ace_jax") is not None, reason="ace-jax is installed here")
def test_a_missing_program_ends_a_run_before_its_first_job(workflow, configuration):
    workflow.configure(configuration | {"models": {"gap": {}, "ace": {}}})
    told = workflow.run(status=1)
    assert "gapdesign: models.ace: ace-jax is not installed; run `pip install ace-jax==0.4.1`" in told
    assert not list(workflow.folder.rglob("*.npz"))
    assert workflow.plan("design")  # which needs none
