"""The page of toy studies: its code runs, prints what the page says and draws its figures."""

import re
import runpy

import numpy as np
import pytest

from conftest import ROOT

PAGE = ROOT / "docs" / "toy-studies.md"
run = runpy.run_path(str(ROOT / "docs" / "run_page.py"))["run"]


@pytest.mark.slow
def test_the_page_says_what_its_code_does(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "svg")
    names = run(PAGE, tmp_path)
    figures = re.findall(r"\(images/(toy-[\w-]+\.svg)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(figures)
    # What BR's captions claim: more entropy than any random set, and a smallest distance above that of every draw.
    assert names["entropy"](names["optimal"]) > names["random_entropies"].max()
    assert (np.diff(names["changes"]) > 0).mean() > 0.8
    assert (names["best"] > names["blind"].max(axis=0)).all()


def test_a_page_that_says_something_else_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n")
    run(page, tmp_path)
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    with pytest.raises(ValueError, match="the page says otherwise:\n2"):
        run(page, tmp_path)
