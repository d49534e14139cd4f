"""The design page: words that follow the numbers, figures from tables alone, a page that loads nothing."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from browser import browser, faults, needs_browser
from gapdesign.quality.groups import COLUMNS
from gapdesign.quality.measures import Quality
from gapdesign.report import design_page
from gapdesign.report.advice import advice, outlook
from gapdesign.report.curve_figures import against_budget, against_pool, band, curves_figure, nearest_figure

METHODS = {"OPT": "maxmin", "RND": "random"}
HOSTILE = 'a<b>&"$x$'


def table_of(power=0.5, pool_power=0.0, deviation=1.0, designs=METHODS, size=100, draws=20) -> pd.DataFrame:
    """Curves by power laws: covering radii of designs are n^-power N^-pool_power, and of draws twice that of 25."""
    rows = []

    def add(pool, design, draw, candidates, n, radius):
        row = dict.fromkeys(Quality.__dataclass_fields__, 0.5) | {"size": n, "covering_radius": radius}
        row |= {"posterior_std_max": n**-deviation, "label_core_hours": 0.25 * n if candidates == 1000 else np.nan}
        rows.append({"pool": pool, "design": design, "draw": draw, "candidates": candidates, **row})

    for design in designs:
        for candidates, n in [(250, size), (500, size), *((1000, k) for k in (size // 4, size // 2, size))]:
            add("A", design, None, candidates, n, n**-power * candidates**-pool_power)
    for draw in range(draws):
        for n in (size // 4, size // 2, size):
            add("A", "", draw, 1000, n, (1 + draw / 100) * (size // 4) ** -power * 1000**-pool_power)
    return pd.DataFrame(rows)


def quality_of(overlapping=0.0, orthogonal=0.0) -> pd.DataFrame:
    return pd.DataFrame({"design": list(METHODS), "overlapping_share": overlapping, "orthogonal_share": orthogonal})


def study(designs=METHODS) -> dict:
    members = [
        {"pool": "A", "design": design, "draw": None, "rank": k, "candidate": k, "nearest": 0.1 * k, "strain": 0.01 * k}
        for design in designs
        for k in range(4)
    ]
    members += [row | {"design": "", "draw": draw} for draw in range(3) for row in members[:4]]
    points = [{"pool": "A", "design": "", "rank": None, "candidate": k, "x": k / 9, "y": -k / 9} for k in range(9)]
    points += [
        {"pool": "A", "design": design, "rank": k, "candidate": k, "x": k / 9, "y": 0.0}
        for design in designs
        for k in range(4)
    ]
    return {
        "configuration": {"study": HOSTILE, "budget": 4, "designs": {}},
        "groups": pd.DataFrame(columns=COLUMNS),
        "methods": designs,
        "designs": {name: [Atoms("Zr", info={"pool": "A", "prototype": "hcp"})] * 4 for name in designs},
        "distances": {name: np.linspace(0, 2, 6) for name in designs},
        "curves": table_of(designs=designs),
        "members": pd.DataFrame(members),
        "coverage": pd.DataFrame(points),
        "pools": pd.DataFrame([{"pool": "A", "size": 1000, "sampled": 9, "component_1": 0.5, "component_2": 0.25,
                                "overlapping_share": 0.0, "orthogonal_share": 0.125}]),
        "quality": pd.DataFrame({"design": list(designs), "overlapping_share": 0.0, "orthogonal_share": 0.0}),
    }  # fmt: skip


class TestAdvice:
    def test_an_outlook_is_read_off_the_last_doublings(self):
        found = outlook(table_of(power=0.5, pool_power=0.25, deviation=2), "OPT")
        assert (found.size, found.half, found.candidates, found.half_pool) == (100, 50, 1000, 500)
        assert found.fall == pytest.approx(1 - 2**-0.5)
        assert found.pool_fall == pytest.approx(1 - 2**-0.25)
        assert found.deviation_fall == pytest.approx(3 / 4)
        # Another hundred doubles the design again, and costs as much as the first.
        assert found.more == 100
        assert found.radius_then == pytest.approx(found.radius * 2**-0.5)
        assert found.hours_more == pytest.approx(25)
        # The draws are at the radius of the prefix of 25 or above.
        assert found.as_random == 25

    def test_the_next_hundred_of_a_large_design_are_less_than_a_doubling(self):
        found = outlook(table_of(size=400), "OPT")
        assert found.more == 100
        assert found.radius_then == pytest.approx(found.radius * 1.25**-0.5)
        assert outlook(table_of(size=40), "OPT").more == 40

    def test_no_more_structures_are_promised_than_the_pool_has(self):
        assert outlook(table_of(size=906), "OPT").more == 94
        assert "the next 94 structures would" in advice(table_of(size=906), METHODS, quality_of())
        assert outlook(table_of(size=1000), "OPT").more == 0
        assert "next" not in advice(table_of(size=1000), METHODS, quality_of())

    def test_a_level_curve_is_a_wide_pool(self):
        text = advice(table_of(pool_power=0.0), METHODS, quality_of())
        assert "from 500 to 1000 candidates lowered the covering radius of the max-min design by 0 %" in text
        assert "the pool is wide enough for this budget" in text

    def test_a_falling_curve_is_a_narrow_pool(self):
        text = advice(table_of(pool_power=0.5), METHODS, quality_of())
        assert "lowered the covering radius of the max-min design by 29 %: the pool is not yet wide enough" in text

    def test_a_rising_curve_says_so(self):
        text = advice(table_of(pool_power=-0.5), METHODS, quality_of())
        assert "raised the covering radius of the max-min design by 41 %: the pool is wide enough" in text

    def test_a_budget_that_still_pays(self):
        text = advice(table_of(power=0.5, deviation=2), METHODS, quality_of())
        assert "from 50 to 100 structures lowered the covering radius by 29 % and lowered" in text
        assert "lowered the largest posterior deviation by 75 %" in text
        assert "does not exhaust the pool" in text
        assert "If this trend continues, the next 100 structures would lower the covering radius by 29 %" in text
        assert "to 0.071; their labels cost 25 core-hours." in text

    def test_a_budget_that_is_enough(self):
        text = advice(table_of(power=0.0, deviation=0), METHODS, quality_of())
        assert "this budget is enough for this pool" in text
        assert "the next 100 structures would not lower the covering radius; their labels cost 25 core-hours" in text

    def test_random_draws_are_the_yardstick(self):
        text = advice(table_of(power=0.5), METHODS, quality_of())
        # (1.00 to 1.19) x 0.2 at twenty evenly spaced draws.
        assert "Random draws of this size have a covering radius of 0.22 (0.20 to 0.24 in nine of ten)" in text
        assert "the max-min design reaches it with 25 structures" in text

    def test_what_was_not_measured_is_not_said(self):
        table = table_of()
        text = advice(table[table["candidates"] == 1000], METHODS, quality_of())
        assert "Whether the pool is wide enough was not measured" in text
        one = table[(table["candidates"] == 1000) & (table["size"] == 100) & (table["design"] == "OPT")]
        one = one.assign(size=1, label_core_hours=np.nan)
        text = advice(one, METHODS, quality_of())
        assert "nan" not in text and "–" not in text and "next" not in text

    def test_random_designs_cannot_judge_a_pool(self):
        text = advice(table_of(designs={"RND": 0}), {"RND": "random"}, quality_of())
        assert text.startswith("A random design gains nothing from a wider pool")
        assert "Random draws" not in text

    def test_pairs_are_pointed_out_where_there_are_many(self):
        assert "overlap" not in advice(table_of(), METHODS, quality_of())
        assert "3.00 % of the pairs overlap" in advice(table_of(), METHODS, quality_of(overlapping=0.03))
        text = advice(table_of(), METHODS, quality_of(orthogonal=0.9))
        assert "90.0 % of the pairs of the max-min design are orthogonal" in text and "gapdesign tune" in text


class TestFigures:
    def test_rows_of_budget_and_pool_are_told_apart(self):
        table = table_of()
        assert set(against_budget(table)["candidates"]) == {1000}
        assert set(against_pool(table)["size"]) == {100}
        assert set(against_pool(table)["candidates"]) == {250, 500, 1000}

    def test_the_band_has_the_quantiles_of_the_draws(self):
        found = band(against_budget(table_of(power=0.5)), "size", "covering_radius")
        np.testing.assert_allclose(found.loc[100], 0.2 * (1 + np.array([0.95, 9.5, 18.05]) / 100))

    def test_a_line_a_design_and_a_band_a_measure(self):
        figure = curves_figure(against_budget(table_of()), "size", "structures", METHODS)
        drawn = {axes.get_title(loc="left"): axes for axes in figure.axes}
        assert {"covering radius", "overlapping pairs, %", "log det K", "cost of the labels, core-hours"} <= set(drawn)
        axes = drawn["covering radius"]
        optimal = next(line for line in axes.lines if line.get_color() == "#2b7bba")
        np.testing.assert_allclose(optimal.get_xydata(), [[n, n**-0.5] for n in (25, 50, 100)])
        assert len(axes.collections) == 1

    def test_the_cost_is_no_curve_against_the_pool(self):
        figure = curves_figure(against_pool(table_of()), "candidates", "candidates", METHODS)
        assert "cost of the labels, core-hours" not in {axes.get_title(loc="left") for axes in figure.axes}

    def test_a_design_of_one_structure_has_a_figure_without_curves(self):
        curves = table_of().query("size == 100").assign(size=1)
        curves[[name for name in Quality.__dataclass_fields__ if name != "size"]] = np.nan
        for rows, along in ((against_budget(curves), "size"), (against_pool(curves), "candidates")):
            assert len(curves_figure(rows, along, "structures", METHODS).axes) == 3

    def test_without_deformations_there_is_no_strain(self):
        members = study()["members"].assign(strain=np.nan)
        assert [axes.get_title(loc="left") for axes in nearest_figure(members, METHODS).axes] == [
            "Distance to the nearest other member"
        ]


@pytest.fixture(scope="module")
def page() -> str:
    return design_page.render(**study())


class TestPage:
    def test_it_is_well_formed_and_says_what_the_advice_says(self, page):
        tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
        text = " ".join("".join(tree.itertext()).split())
        assert HOSTILE in text
        parts = study()
        assert advice(parts["curves"], parts["methods"], parts["quality"]) in text
        assert len(list(tree.iter("figure"))) == 5

    def test_it_loads_nothing(self, page):
        links = re.findall(r'(?:href|src)="([^"]*)"', page)
        assert [link for link in links if not link.startswith(("#", "data:", "https://doi.org/"))] == [
            "design-map.html"
        ]
        assert not re.search(r"<script|@import|url\((?!#)", page)

    def test_the_same_tables_give_the_same_page(self, page):
        assert design_page.render(**study()) == page

    def test_captions_tell_of_the_panels_that_are_there(self, page):
        assert "in both panels" in page
        parts = study()
        assert "in both panels" not in design_page.render(**parts | {"members": parts["members"].assign(strain=np.nan)})

    def test_a_single_design_has_a_page(self):
        assert "max-min design" in design_page.render(**study({"OPT": "maxmin"}))

    @needs_browser
    def test_a_browser_shows_it_and_nothing_is_in_the_way(self, page, tmp_path):
        (tmp_path / "design.html").write_text(page, encoding="utf-8")
        with browser() as tab:
            assert faults(tab, tmp_path / "design.html") == []
            assert tab.show(tmp_path / "design.html").evaluate("document.querySelectorAll('figure').length") == 5


def test_groups_of_candidates_are_a_table_and_one_that_is_hardly_there_a_warning():
    rows = [
        ("A", "md", 900, "OPT", 1),
        ("A", "md", 900, "RND", 90),
        ("A", "<b>", 100, "OPT", 99),
        ("A", "<b>", 100, "RND", 10),
    ]
    given = study() | {"groups": pd.DataFrame(rows, columns=COLUMNS)}
    given["configuration"] = given["configuration"] | {"designs": {"OPT": {}, "RND": {}}}
    page = design_page.render(**given)
    assert page.count("Groups:") == 1
    assert "OPT has 1 of the 900 candidates of md (a blind draw about 90)." in page
    assert '<th scope="row">&lt;b&gt;</th><td class="n">100</td><td class="n">10.0 %</td>' in page
    assert "Groups:" not in design_page.render(**study())


def test_a_mere_test_set_is_in_tables_and_on_maps_and_moves_no_band_and_no_curve():
    """Curves and histograms are the bytes that they are without it, though its pool and its size are others."""
    names = {"OPT": "maxmin", "RND": "random", "FAR": "random"}
    given = study(names)
    for name in ("curves", "members", "coverage"):
        own = given[name][given[name]["design"] == "FAR"]
        draws = given[name][given[name]["design"] == ""].copy()
        numbers = draws.select_dtypes("float").columns.drop(["draw", "rank"], errors="ignore")
        draws[numbers] *= 7
        rest = given[name][given[name]["design"] != "FAR"]
        given[name] = pd.concat([rest, own.assign(pool="C"), draws.assign(pool="C")], ignore_index=True)
    given["pools"] = pd.concat([given["pools"], given["pools"].assign(pool="C")], ignore_index=True)
    given["configuration"] = given["configuration"] | {"designs": {"OPT": {}, "RND": {}, "FAR": {"fit": False}}}
    page, alone = design_page.render(**given), design_page.render(**study())

    def figure(text: str, name: str) -> str:
        start = text.index(f'<figure id="figure-{name}">')
        return text[start : text.index("<figcaption>", start)]

    for name in ("nearest", "distances", "budget", "pool"):
        assert figure(page, name) == figure(alone, name), name
    assert "FAR over C" in figure(page, "coverage")
    assert '<th scope="row">FAR</th><td>random, a test set only</td>' in page
    assert page[page.index('id="advice"') : page.index("<ul")] == alone[alone.index('id="advice"') : alone.index("<ul")]
