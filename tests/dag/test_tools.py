"""Snakemake's own tools work on the workflow: report, graphs, summary, lint, triggers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT


def only_output(workflow, *arguments):
    """Output meant for other programs, without messages."""
    process = subprocess.run(
        workflow.command(*arguments), cwd=workflow.folder, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_lint_finds_nothing(workflow):
    output = workflow.run("--lint")
    assert "Congratulations, your workflow is in a good condition!" in output


@pytest.mark.parametrize("kind", ["--dag", "--rulegraph", "--filegraph"])
def test_graphs_are_drawn_of_the_whole_study(workflow, kind):
    graph = only_output(workflow, kind)
    assert graph.startswith("digraph")
    assert graph.count("{") == graph.count("}")
    for rule in ("candidates_shard", "design_select", "models_fit", "report"):
        assert rule in graph


def test_the_summary_has_a_row_for_every_file(finished):
    rows = [line.split("\t") for line in only_output(finished, "--summary").splitlines()]
    head, files = rows[0], {row[0]: dict(zip(rows[0], row, strict=False)) for row in rows[1:]}
    assert head[0] == "output_file"
    assert {"results/small/designs/OPT.extxyz", "results/small/models/RND/gp.xml"} <= set(files)
    assert {entry["plan"] for entry in files.values()} == {"no update"}


def test_the_detailed_summary_names_rule_input_and_command(finished):
    text = only_output(finished, "--detailed-summary")
    (row,) = [line for line in text.splitlines() if line.startswith("results/small/models/OPT/gp.xml\t")]
    assert "models_fit" in row
    assert "results/small/labels/OPT.extxyz" in row
    assert "gapdesign fit" in row


def test_the_report_is_one_page_with_figures_tables_and_captions(rerun):
    rerun.run("--report", "snakemake.html")
    page = (rerun.folder / "snakemake.html").read_text()
    for name in ("worst.svg", "parity.svg", "errors.csv", "quality.csv", "report.html"):
        assert name in page
    assert "results/small" in page
    # Everything is in the page: nothing is fetched from elsewhere when it is opened.
    assert re.findall(r"<(?:script|link)[^>]+(?:src|href)=\"https?://", page) == []


def test_the_report_keeps_its_captions_as_a_folder_too(rerun):
    rerun.run("--report", "snakemake.zip")
    assert (rerun.folder / "snakemake.zip").stat().st_size > 0


@pytest.mark.parametrize("triggers", ["mtime", "params", "input", "software-env", "code"])
def test_nothing_reruns_for_any_trigger_alone(rerun, triggers):
    assert rerun.plan("--rerun-triggers", triggers) == {}


def test_a_touched_file_reruns_what_follows_only_if_times_count(rerun):
    design = rerun.folder / "results/small/designs/OPT.extxyz"
    text = design.read_text()
    design.write_text(text)
    os.utime(design, (design.stat().st_atime + 60, design.stat().st_mtime + 60))
    assert rerun.plan("--rerun-triggers", "params") == {}


def test_a_changed_value_reruns_only_if_params_count(rerun, configuration):
    configuration["kernel"]["soap"] = {"scale": 0.4}
    rerun.configure(configuration)
    assert rerun.plan("--rerun-triggers", "mtime") == {}
    assert "design_select" in rerun.plan("--rerun-triggers", "params")


def test_the_command_of_a_job_can_be_pasted_into_a_shell(workflow, tmp_path):
    output = workflow.run("-n", "-p", "candidates")
    command = re.search("gapdesign candidates .*", output).group()
    assert json.loads(re.search(r"--config '(\{.*?\})' --pool", command).group(1))["revision"]
    run = command.replace("gapdesign", f"{sys.executable} -m gapdesign", 1).split(" > ")[0]
    subprocess.run(
        ["bash", "-c", run],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "workflow" / "src")},
    )
    assert list(tmp_path.rglob("*.npz"))
