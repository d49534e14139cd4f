"""Properties on the page: the table, what is missing, and figures of whatever there is."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from gapdesign.properties import CURVES, VALUES
from gapdesign.properties.compare import COLUMNS, compare, together
from gapdesign.report import properties_figures
from gapdesign.report.properties_table import CAPTIONS, TITLES, section
from gapdesign.report.style import svg_text

METHODS = {"OPT": "maxmin", "RND": "random"}


def values(a: float, reason: str = "") -> pd.DataFrame:
    rows = [("hcp", "a", a, "Å", ""), ("hcp", "c/a", 1.6, "", "")]
    rows += [("bcc", "elastic", None, "", reason)] if reason else []
    return pd.DataFrame(rows, columns=VALUES)


def curves(shift: float) -> pd.DataFrame:
    rows = [("hcp", name, band, x, x * shift + band, label) for name in properties_figures.FIGURES for band in (0, 1)
            for x, label in ((0.0, "G"), (1.0, "A"), (1.0, "L"), (2.0, "H"))]  # fmt: skip
    return pd.DataFrame(rows, columns=CURVES)


@pytest.fixture
def tables():
    every = {"OPT": values(3.3, "It melted."), "RND": values(3.1), "reference": values(3.2)}
    drawn = {"OPT": curves(1.0), "RND": curves(-1.0), "reference": curves(0.5)}
    return compare(every, drawn, {"hcp": {"a": 3.25}}), together(drawn)


def test_a_row_holds_published_reference_and_every_model_with_its_error(tables):
    found = section(tables[0], {"properties": {"published": {"source": "CRC"}}})
    row = found["rows"][0]
    assert (row["prototype"], row["label"], row["unit"]) == ("hcp", "a", "Å")
    assert (row["published"], row["reference"]) == (3.25, 3.2)
    assert row["cells"] == [(3.3, "+0.10"), (3.1, "−0.10")]
    assert found["rows"][1]["unit"] == ""
    assert (found["models"], found["source"]) == (["OPT", "RND"], "CRC")
    assert found["missing"] == ["OPT, elastic of bcc: It melted."]


def test_without_a_reference_errors_are_against_what_is_published(tables):
    alone = tables[0][tables[0]["model"] != "reference"].assign(reference=float("nan"), error=float("nan"))
    found = section(alone, {})
    assert not found["reference"]
    assert found["rows"][0]["cells"][0] == (3.3, "+0.050")


def test_a_study_without_properties_has_no_section():
    assert section(None, {})["rows"] == section(pd.DataFrame(columns=COLUMNS), {})["rows"] == []


def test_figures_are_the_same_every_time_and_name_every_model(tables):
    def texts() -> dict[str, str]:
        return {name: svg_text(figure) for name, figure in properties_figures.draw(*tables, methods=METHODS).items()}

    figures = texts()
    assert set(figures) == set(CAPTIONS) == set(TITLES)
    assert figures == texts()
    for figure in figures.values():
        assert "OPT (max-min)" in figure
    assert re.search(r">A\|L<", figures["phonons"])


def test_figures_of_nothing_are_empty_and_no_error():
    nothing = {name: pd.DataFrame([("hcp", "lattice", None, "", "It melted.")], columns=VALUES) for name in METHODS}
    no_curves = {name: pd.DataFrame(columns=CURVES) for name in METHODS}
    figures = properties_figures.draw(compare(nothing, no_curves, {}), together(no_curves), methods=METHODS)
    assert all("<svg" in svg_text(figure) for figure in figures.values())


def test_figures_are_those_of_what_is_computed():
    assert properties_figures.names(("dimer",)) == ["dimer"]
    assert properties_figures.names(("nve", "elastic")) == ["constants", "nve"]
    assert properties_figures.names(()) == []
