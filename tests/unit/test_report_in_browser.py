"""The report as a reader sees it: in Chromium, at three widths, light and dark, and on paper."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from browser import MOST, Browser, browser, faults, needs_browser
from gapdesign.files import csv_bytes
from gapdesign.report.cost_table import Estimate
from gapdesign.report.downloads import DATA, File
from gapdesign.report.figures import TABLES, draw
from gapdesign.report.style import pdf_bytes, svg_text
from reported import FOUR, page_of, results_of, study

pytestmark = needs_browser

STAGES = Estimate({"candidates": (8, 0.25), "labels": (8, 2.0), "models": (4, 0.01)}, "some processor, one thread")


BAD = """<!DOCTYPE html><meta charset="utf-8"><body><section>
<p>first line</p><p style="margin-top:-2em">second line</p>
<table style="width:3000px"><tr><td>wide</td></tr></table><img src="https://example.org/a.png"/>
<svg id="s" width="90" height="30"><text x="5" y="20">one</text><text x="9" y="22">two</text></svg></section>
<script>console.error("oh")</script></body>"""


@pytest.fixture(scope="module")
def tab():
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def four(tmp_path_factory) -> tuple[Path, dict]:
    """A report of four designs, and what it is made from."""
    parts = study(FOUR, members=200)
    return written(tmp_path_factory.mktemp("four"), parts), parts


def written(folder: Path, parts: dict) -> Path:
    """A report with everything that a study offers."""
    results = results_of(parts)
    tables = {f"figures/{name}.csv": make(results) for name, make in TABLES.items()}
    tables |= {f"crossval/{name}.csv": parts[name] for name in ("errors", "predictions", "forces")}
    files, documents = {}, {}
    for name, figure in draw(results).items():
        documents[name] = svg_text(figure)
        files[name] = [
            File(f"figures/{name}.pdf", pdf_bytes(figure)),
            File(f"figures/{name}.svg", documents[name].encode()),
            File(DATA[name], csv_bytes(tables[DATA[name]])),
        ]
    parts["quality"]["label_core_hours"] = 123.4
    page = folder / "report.html"
    page.write_text(page_of(parts, documents, files=files, estimate=STAGES), encoding="utf-8")
    return page


def test_nothing_is_in_the_way_of_a_reader(tab: Browser, four):
    assert faults(tab, four[0]) == []


@pytest.mark.parametrize(
    ("methods", "members"),
    [
        ({"A": "maxmin"}, 3),
        ({f"D{k}": ("maxmin", "random", "k_medoids")[k % 3] for k in range(12)}, 150),
        ({f"{method}{k}": method for method in ("maxmin", "random") for k in range(10)}, 40),
        ({"a design of many letters": "cur_environments", "another one that is as long": "maximum"}, 20),
    ],
    ids=["one design", "twelve designs", "twenty designs", "long names"],
)
def test_nor_in_studies_of_other_shapes(tab: Browser, tmp_path: Path, methods: dict[str, str], members: int):
    assert faults(tab, written(tmp_path, study(methods, members=members))) == []


def test_the_eye_sees_what_is_wrong(tab: Browser, tmp_path: Path):
    """A page with every fault that is looked for."""
    (tmp_path / "bad.html").write_text(BAD)
    found = "\n".join(faults(tab, tmp_path / "bad.html"))
    for fault in (
        *("overlap: first line | second line", "overlap: s: one | s: two", "beyond the edge: TABLE", "oh", "sideways"),
        *("asks for https://example.org/a.png", "printed: TABLE", "390 px, light", "1440 px, dark"),
    ):
        assert fault in found
    (tmp_path / "bad.html").write_text(f"<!-- {MOST * 'x'} -->")
    assert faults(tab, tmp_path / "bad.html") == [f"{MOST + 9} bytes"]


def test_it_prints_on_a_few_pages_and_shows_what_is_folded_on_screen(tab: Browser, four):
    document = tab.show(four[0]).pdf()
    assert document.startswith(b"%PDF")
    assert 4 <= document.count(b"/Type /Page\n") <= 12
    assert tab.height(".sums", media="print") > 0 == tab.height(".sums")


@pytest.mark.parametrize(
    ("name", "table"),
    [("errors.pdf", None), ("crossval-errors.csv", "errors"), ("crossval-predictions.csv.gz", "predictions")],
)
def test_figures_and_data_are_saved_from_the_page_alone(
    tab: Browser, four, tmp_path: Path, name: str, table: str | None
):
    page, parts = four
    link = f'a[download="{parts["configuration"]["study"]}-{name}"]'
    saved = tab.show(page).save(link, tmp_path).read_bytes()
    if table is None:
        assert saved.startswith(b"%PDF")
    else:
        assert (gzip.decompress(saved) if name.endswith(".gz") else saved) == csv_bytes(parts[table])


def test_dark_is_dark_and_figures_follow(tab: Browser, four):
    colours = {}
    for scheme in ("light", "dark"):
        tab.show(four[0], scheme=scheme)
        script = "[[document.body, 'backgroundColor'], [document.querySelector('#errors text'), 'fill']]"
        colours[scheme] = tab.evaluate(f"{script}.map(([element, name]) => getComputedStyle(element)[name])")
    assert colours["light"] == ["rgb(253, 252, 250)", "rgb(100, 106, 115)"]
    assert colours["dark"] == ["rgb(21, 24, 27)", "rgb(155, 161, 169)"]
