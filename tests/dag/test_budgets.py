"""Studies within core-hours: what a dry run plans, and what a change redoes."""

from __future__ import annotations

from conftest import Workflow


def within(configuration, core_hours: float = 1e-6, at_most: int = 20) -> dict:
    configuration["designs"]["OPT"]["budget"] = {"core_hours": core_hours, "at_most": at_most}
    return configuration


def test_only_pools_of_such_designs_have_costs_and_batches_are_laid_out_for_the_most(workflow, configuration):
    workflow.configure(within(configuration))
    plan = workflow.plan()
    assert plan["design_costs"] == 2  # the shards of pool A alone
    assert plan["design_raise"] == 1
    assert plan["design_regrow"] == 1  # the other design
    assert plan["labels_batch"] == 4 + 2  # 20 and 10 structures, six a batch
    assert {"crossval_errors", "report"} <= set(plan)


def test_a_study_of_numbers_has_none(workflow):
    assert not {"design_costs", "design_raise"} & set(workflow.plan())


def test_a_budget_for_all_designs_is_one_for_each(workflow, configuration):
    del configuration["designs"]["RND"]
    configuration["budget"] = {"core_hours": 1e-6}
    workflow.configure(configuration)
    assert workflow.plan()["labels_batch"] == 10  # at most as many as the pool has


def test_more_core_hours_cost_no_estimate_again(workflow: Workflow, configuration):
    workflow.configure(within(configuration))
    workflow.run("results/small/designs/OPT.extxyz")
    workflow.configure(within(configuration, core_hours=1.2e-6))
    assert workflow.plan("results/small/designs/OPT.extxyz") == {"design_select": 1}
    workflow.configure(within(configuration, core_hours=1e-6))
    assert workflow.plan("results/small/designs/OPT.extxyz") == {}
    configuration["labels"]["engine"] = "gpaw"
    workflow.configure(configuration)
    assert workflow.plan("results/small/designs/OPT.extxyz") == {"design_costs": 2, "design_select": 1}


def test_mistakes_are_one_sentence_before_any_job(workflow, configuration):
    within(configuration)["designs"]["OPT"]["method"] = "k_medoids"
    workflow.configure(configuration)
    output = workflow.run(status=1)
    assert "gapdesign: designs.OPT.method: 'k_medoids' chooses a design as a whole, so no budget" in output
