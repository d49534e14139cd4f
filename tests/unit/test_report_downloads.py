"""Files that a page carries along: the very bytes of its files, once each, and never more than it may weigh."""

from __future__ import annotations

import base64
import gzip

from gapdesign.report.downloads import ALLOWANCE, DATA, LARGEST, PLAIN, File, downloads
from gapdesign.report.figures import FIGURES
from gapdesign.report.properties_table import CAPTIONS as PROPERTIES
from gapdesign.report.study_page import CAPTIONS


def content_of(href: str) -> bytes:
    return base64.b64decode(href.partition(";base64,")[2])


def test_links_hold_the_bytes_of_the_files():
    files = {"worst": [File("figures/worst.pdf", b"%PDF"), File("crossval/errors.csv", b"a,b\n1,2\n")]}
    pdf, data = downloads("zr", files)["worst"]
    assert (pdf["label"], pdf["name"], content_of(pdf["href"])) == ("PDF", "zr-worst.pdf", b"%PDF")
    assert (data["label"], data["name"], content_of(data["href"])) == ("data", "zr-crossval-errors.csv", b"a,b\n1,2\n")
    assert data["href"].startswith("data:text/csv;base64,")


def test_a_long_table_is_compressed_without_a_time():
    table = File("crossval/predictions.csv", b"0.123456789\n" * PLAIN)
    (link,) = downloads("zr", {"errors": [table]})["errors"]
    assert link["name"] == "zr-crossval-predictions.csv.gz"
    assert gzip.decompress(content_of(link["href"])) == table.content
    assert content_of(link["href"])[4:8] == bytes(4)


def test_a_table_of_two_figures_is_held_once():
    table = File("crossval/predictions.csv", b"x\n1\n")
    links = downloads("zr", {"errors": [table], "parity": [table]})
    assert links["errors"][0]["figure"] == ""
    assert (links["parity"][0]["figure"], links["parity"][0]["href"]) == ("errors", "#figure-errors")


def test_what_is_too_heavy_is_named_where_it_lies_and_else_left_out():
    heavy = {name: [File(f"figures/{name}.pdf", bytes(LARGEST // 2))] for name in "abcdefgh"}
    shown = [link for links in downloads("zr", heavy).values() for link in links]
    inside = [link["href"] for link in shown if link["inside"]]
    assert inside and len("".join(inside)) <= ALLOWANCE
    assert {link["href"] for link in shown if not link["inside"]} <= {f"figures/{name}.pdf" for name in heavy}
    assert len(shown) == len(heavy)
    (link,) = downloads("zr", {"a": [File("figures/a.pdf", bytes(LARGEST))]})["a"]
    assert not link["inside"]
    assert downloads("zr", {"a": [File("figures/a.pdf", bytes(LARGEST), beside=False)]}) == {"a": []}


def test_small_files_come_before_large_ones():
    files = {"a": [File("figures/a.pdf", bytes(LARGEST // 2))] * 1, "b": [File("figures/b.pdf", b"x")]}
    files |= {name: [File(f"figures/{name}.pdf", bytes(LARGEST // 2 + 9))] for name in "cdef"}
    links = downloads("zr", files)
    assert links["a"][0]["inside"] and links["b"][0]["inside"] and not links["f"][0]["inside"]


def test_every_figure_of_the_report_has_data():
    # Trainings have a table for each design.
    assert {*DATA, "training"} == set(CAPTIONS) | set(PROPERTIES)
    assert set(FIGURES) <= set(DATA)
