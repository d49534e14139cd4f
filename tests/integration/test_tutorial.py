"""The tutorial, followed to the letter in an empty folder beside the workflow."""

from __future__ import annotations

import runpy

import pandas as pd
import pytest

from conftest import ROOT

run = runpy.run_path(str(ROOT / "docs" / "run_page.py"))["run"]


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path):
    for name in ("Snakefile", "workflow", "profiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "config").mkdir()
    run(ROOT / "docs" / "tutorial.md", tmp_path)
    results = tmp_path / "results" / "copper"
    assert (results / "report.html").is_file() and (results / "design.html").is_file()
    errors = pd.read_csv(results / "crossval" / "errors.csv")
    assert len(errors) == 16
