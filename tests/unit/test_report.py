"""The report: numbers worked out by hand, tables with closed-form statistics, pages that load nothing."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from gapdesign.files import read_csv, write_csv
from gapdesign.labels.failures import COLUMNS
from gapdesign.methods import METHODS
from gapdesign.report import words
from gapdesign.report.figures import (
    FIGURES,
    TABLES,
    distances_figure,
    draw,
    pair_values,
    ranks_figure,
    worst_figure,
)
from gapdesign.report.headline import headline, worst_off_sample
from gapdesign.report.matrices import errors_figure, force_components, force_lengths, parity_figure
from gapdesign.report.style import DASHES, error_colours, house_style, line_styles, pdf_bytes, svg_text
from gapdesign.structures import strain_magnitudes
from reported import FOUR, HOSTILE, figures_of, page_of, results_of, square, study


def tree_of(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))


def table_after(tree: ElementTree.Element, section: str, selector: str = ".//table") -> list[list[str]]:
    part = next(element for element in tree.iter("section") if element.get("id") == section)
    rows = part.find(selector).iter("tr")
    return [[" ".join(" ".join(cell.itertext()).split()) for cell in row] for row in rows]


class TestHeadline:
    def test_random_is_what_the_others_are_compared_with(self):
        values = {"OPT1": 10, "OPT2": 12, "RND1": 39, "RND2": 55}
        errors = square(FOUR, lambda model, test: 1 if model == test else values[model])
        # sqrt(39 * 55) / sqrt(10 * 12) = 4.228
        assert headline(errors, FOUR) == (
            "The worst off-sample 0.99 quantile of energies is 10 to 12 meV/atom for max-min designs and 39 to 55 for "
            "random designs: 4.2 times smaller (geometric mean; 95 % interval between designs 1.8 to 9.8)."
        )

    def test_a_fit_never_counts(self):
        errors = square(FOUR, lambda model, test: 1000 if model == test else 3)
        assert list(worst_off_sample(errors)["q99_mev"]) == [3] * 4
        assert "1000" not in headline(errors, FOUR)

    def test_a_failure_is_said_plainly(self):
        values = {"OPT1": 40, "OPT2": 40, "RND1": 10, "RND2": 10}
        text = headline(square(FOUR, lambda model, _: values[model]), FOUR)
        assert "4.0 times larger (geometric mean; 95 % interval between designs 4.0 to 4.0)" in text
        assert text.endswith("No gain over random was found here for max-min designs.")

    def test_equal_means_are_no_gain(self):
        text = headline(square(FOUR, lambda *_: 5), FOUR)
        assert "5.0 meV/atom for max-min designs and 5.0 for random designs: the same" in text
        assert "No gain" in text

    def test_ranges_that_overlap_are_not_settled(self):
        values = {"OPT1": 10, "OPT2": 30, "RND1": 20, "RND2": 90}
        text = headline(square(FOUR, lambda model, _: values[model]), FOUR)
        assert "overlap" in text and "No gain" not in text

    def test_several_methods(self):
        methods = {"A": "maxmin", "B": "variance", "C": "random"}
        values = {"A": 10, "B": 40, "C": 20}
        assert headline(square(methods, lambda model, _: values[model]), methods).startswith(
            "The worst off-sample 0.99 quantile of energies is 10 meV/atom for the max-min design, 40 for the "
            "largest-variance design and 20 for the random design: against random, by geometric means, 2.0 "
            "times smaller for max-min and 2.0 times larger for largest-variance. No gain over random was "
            "found here for largest-variance designs."
        )

    def test_without_random_methods_are_listed(self):
        methods = {"A": "maxmin", "B": "cur"}
        text = headline(square(methods, lambda model, _: {"A": 10, "B": 40}[model]), methods)
        assert text == (
            "The worst off-sample 0.99 quantile of energies is 10 meV/atom for the max-min design and 40 for the CUR "
            "design."
        )

    def test_one_method(self):
        text = headline(square({"A": 0, "B": 0}, lambda *_: 7.25), {"A": "maxmin", "B": "maxmin"})
        assert "7.2 meV/atom for max-min designs; there is no design of another method" in text

    def test_one_design_and_none(self):
        assert "no off-sample test" in headline(square({"A": 0}, lambda *_: 7.5), {"A": "maxmin"})
        assert headline(pd.DataFrame(), {}) == "No model has been cross-validated."

    def test_a_model_that_blew_up_is_named_and_kept_out(self):
        values = {"OPT1": 10, "OPT2": 10, "RND1": 20, "RND2": math.nan}
        text = headline(square(FOUR, lambda model, _: values[model]), FOUR)
        assert "10 meV/atom for max-min designs and 20 for the random design: 2.0 times smaller" in text
        assert "Model RND2 gave off-sample errors that are not finite" in text


class TestWords:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(9.999, "10.0"), (0.00012345, "0.000123"), (-2.5, "\u22122.50"), (98765.4, "98800"), (0.0, "0"),
         (math.nan, "\u2013"), (None, "\u2013"), (math.inf, "∞"), (123456, "123\u202f456"),
         (np.int64(5), "5"), (4.2e-9, "4.20 \u00d7 10⁻⁹")],
    )  # fmt: skip
    def test_number(self, value, text):
        assert words.number(value) == text

    def test_phrases(self):
        assert words.plain({"soap": {"n_max": 10}, "on": True, "start": None}) == "soap (n_max 10), on yes, start none"
        assert words.span([3.04, 3.01]) == "3.0"
        assert words.listing(["a", "b", "c"]) == "a, b and c"
        assert words.count(1, "design") == "1 design"


class TestFigures:
    def test_strain_is_the_norm_of_the_deformation(self):
        frames = study({"A": "maxmin"})["designs"]["A"]
        assert strain_magnitudes(frames) == pytest.approx(0.01 * math.sqrt(3) * np.arange(5))

    def test_strain_survives_extended_xyz(self, tmp_path):
        from gapdesign.files import read_frames, write_frames

        skew = np.array([[1.0, 0.3, 0.0], [0.0, 1.1, 0.0], [0.0, 0.0, 0.9]])
        atoms = Atoms("Zr", cell=[3] * 3, pbc=True)
        atoms.info["deformation"] = skew.ravel()
        write_frames(tmp_path / "a.extxyz", [atoms])
        norm = math.sqrt(0.3**2 + 0.1**2 + 0.1**2)
        assert strain_magnitudes(read_frames(tmp_path / "a.extxyz")) == pytest.approx([norm])

    def test_pairs_are_counted_once(self):
        matrix = np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0]])
        assert list(pair_values(matrix)) == [1, 2, 3] == list(pair_values([1, 2, 3]))

    def test_histograms_are_normalised(self):
        distances = {"A": np.linspace(0, 2, 300)}
        figure = distances_figure(distances, {"A": np.linspace(0, 0.2, 50)}, {"A": "maxmin"})
        for axes in figure.axes:
            values, edges, _ = axes.patches[0].get_data()
            assert np.sum(values * np.diff(edges)) == pytest.approx(1)

    def test_no_deformation_no_panel(self):
        assert len(distances_figure({"A": np.array([1.0])}, {"A": np.empty(0)}, {"A": "maxmin"}).axes) == 1

    def test_ranks_start_after_the_first(self):
        figure = ranks_figure({"A": [9.0, 0.5, 0.25]}, {"A": "maxmin"})
        line = figure.axes[0].lines[0]
        assert (list(line.get_xdata()), list(line.get_ydata())) == ([1, 2], [0.5, 0.25])

    def test_worst_shows_the_largest_off_sample(self):
        figure = worst_figure(square(FOUR, lambda model, test: 99 if model == test else 7.5), FOUR)
        assert [text.get_text() for text in figure.axes[0].texts] == ["7.50 on OPT2", *["7.50 on OPT1"] * 3]

    def test_panels_say_what_the_table_says(self):
        parts = study(FOUR)
        parts["duplicates"].loc[1, "n_duplicates"] = 2
        figure = errors_figure(parts["predictions"], parts["errors"], parts["duplicates"])
        shown = [text.get_text() for axes in figure.axes for text in axes.texts if "|" in text.get_text()]
        rows = parts["errors"].itertuples()
        expected = [f"{words.number(row.std_mev)} | {words.number(row.q99_mev)}" for row in rows]
        expected[1] += "†"
        assert shown == expected

    @pytest.mark.parametrize("value", [1e9, math.nan, -math.inf])
    def test_what_is_beyond_the_frame_is_counted(self, value):
        parts = study(FOUR)
        parts["predictions"].loc[3, ["predicted_ev", "error_mev"]] = value
        for figure in (
            errors_figure(parts["predictions"], parts["errors"], parts["duplicates"]),
            parity_figure(parts["predictions"], parts["errors"]),
        ):
            assert any(text.get_text().startswith("1 beyond the frame") for text in figure.texts)
            svg_text(figure)

    def test_every_point_is_where_its_panel_puts_it(self):
        parts = study(FOUR)
        figure = parity_figure(parts["predictions"], parts["errors"])
        layer = next(axes for axes in figure.axes if axes.get_label() == "points")
        drawn = figure.transFigure.transform(layer.collections[0].get_offsets())
        names = list(FOUR)
        expected = [
            figure.axes[4 * names.index(row.model) + names.index(row.test_set)].transData.transform(
                (row.reference_ev, row.predicted_ev)
            )
            for row in parts["predictions"].itertuples()
        ]
        assert sorted(map(tuple, np.round(drawn, 6))) == sorted(map(tuple, np.round(expected, 6)))

    def test_points_of_forces_are_components_and_lengths(self):
        forces = study({"A": "maxmin"}, members=3)["forces"]
        components, lengths = force_components(forces), force_lengths(forces)
        np.testing.assert_allclose(components["reference_ev_a"], [-0.1, -0.2, -0.3, 0, 0, 0, 0.1, 0.2, 0.3])
        np.testing.assert_allclose(components["predicted_ev_a"] - components["reference_ev_a"], 0.01 * np.array([
            0, 0, 1, 0, 0, -1, 0, 0, 1]), atol=1e-12)  # fmt: skip
        assert components["error_mev_a"].tolist() == [10] * 9
        np.testing.assert_allclose(lengths["reference_ev_a"], np.sqrt([0.14, 0, 0.14]))

    def test_colours_rise_in_lightness(self):
        red, green, blue = error_colours()(np.linspace(0, 1, 50))[:, :3].T
        linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (red, green, blue)]
        luminance = np.dot([0.2126, 0.7152, 0.0722], linear)
        assert all(later > earlier for earlier, later in pairwise(luminance))

    def test_designs_of_one_method_share_a_colour_only(self):
        styles = line_styles(FOUR)
        assert styles["OPT1"]["color"] == styles["OPT2"]["color"] != styles["RND1"]["color"]
        assert styles["OPT1"]["linestyle"] != styles["OPT2"]["linestyle"]

    def test_no_two_designs_look_alike_in_grey(self):
        methods = {f"D{k}": ("maxmin", "random", "cur")[k % 3] for k in range(len(DASHES))}
        assert len({str(style["linestyle"]) for style in line_styles(methods).values()}) == len(DASHES)

    def test_of_many_designs_those_of_one_method_are_alike_and_no_others(self):
        methods = {f"D{k}": "random" if k > 14 else f"method_{k}" for k in range(18)}
        styles = [(style["color"], str(style["linestyle"])) for style in line_styles(methods).values()]
        assert len(set(styles)) == len(set(methods.values())) == 16

    def test_a_manuscript_gets_letters_and_the_same_bytes(self, monkeypatch):
        parts = study(FOUR)
        first = {name: pdf_bytes(figure) for name, figure in draw(results_of(parts)).items()}
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # would be the date, were there one
        assert first == {name: pdf_bytes(figure) for name, figure in draw(results_of(parts)).items()}
        for document in first.values():
            assert document.startswith(b"%PDF") and b"/FontFile2" in document
            assert b"Date" not in document and b"atplotlib" not in document
        # Clouds of points are pixels, and all else is lines: the colour bar of parity is the only other picture.
        pictures = {name: document.count(b"/Subtype /Image") for name, document in first.items()}
        assert {name for name, count in pictures.items() if count} == {
            "errors",
            "parity",
            "force_errors",
            "force_parity",
            "virial_parity",
        }

    def test_tables_hold_what_is_drawn(self):
        results = results_of(study(FOUR))
        bars = TABLES["distances"](results).set_index(["design", "quantity"])
        for design, place in (("OPT1", 0), ("RND2", 3)):
            mine = bars.loc[(design, "D2")]
            assert float(((mine["high"] - mine["low"]) * mine["density"]).sum()) == pytest.approx(1)
            (full,) = mine[mine["density"] > 0].itertuples()
            assert full.low <= 0.5 + 0.1 * place <= full.high
        ranks = TABLES["ranks"](results)
        assert ranks[ranks["design"] == "OPT2"]["distance"].tolist() == [1 / (k + 1) for k in range(5)]

    def test_same_bytes_and_no_trace_of_when(self):
        first, second = figures_of(study(FOUR)), figures_of(study(FOUR))
        assert first == second and list(first) == list(FIGURES)
        for document in first.values():
            ElementTree.fromstring(document)
            assert "dc:date" not in document and "Matplotlib" not in document

    def test_a_users_own_settings_change_nothing(self):
        import matplotlib

        parts = study(FOUR)
        expected = figures_of(parts)
        with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
            assert figures_of(parts) == expected


def clipped(figure) -> list[str]:
    """Texts of a figure, legends included, that reach beyond its edges."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    beyond, ticks = [], {id(label) for axes in figure.axes for label in axes.get_xticklabels()}  # some are not drawn
    for text in figure.findobj(Text):
        if id(text) not in ticks and text.get_visible() and text.get_text().strip():
            box = text.get_window_extent()
            if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
                beyond.append(text.get_text())
    return beyond


MANY = {f"DESIGN-{k:02d}-{'LONG' * (k % 3)}": name for k, name in enumerate([*METHODS, *METHODS][:12])}
"""Twelve designs with long names, each by another method as far as there are that many."""


class TestManyDesigns:
    @house_style()
    def test_no_label_and_no_legend_is_clipped(self):
        names = list(MANY)
        values = {name: np.linspace(0, 2, 9) for name in names}
        errors = square(names, lambda model, test: 8.0 + names.index(model) / 10 + names.index(test) / 100)
        assert clipped(worst_figure(errors, MANY)) == []
        assert clipped(ranks_figure(values, MANY)) == []
        assert clipped(distances_figure(values, {}, MANY)) == []
        assert clipped(distances_figure(values, values, MANY)) == []

    @house_style()
    def test_few_designs_share_a_line(self):
        methods = {"OPT1": "maxmin", "OPT2": "maxmin", "RND1": "random", "RND2": "random"}
        figure = ranks_figure({name: np.linspace(0, 1, 9) for name in methods}, methods)
        assert figure.legends[0]._ncols == 4
        assert figure.get_figheight() == 3.5


class TestPage:
    def test_numbers_are_those_of_the_tables(self):
        parts = study(FOUR)
        table = table_after(tree_of(page_of(parts)), "errors")
        assert table[0] == ["model, tested on", *FOUR, "worst off-sample"]
        # Quantiles and worst are 10 i + j + 1, deviations a quarter; the worst test is the last but the fit.
        cells = ["1.00 1.00 0.250", "2.00 2.00 0.500", "3.00 3.00 0.750", "4.00 4.00 1.00"]
        assert table[1] == ["OPT1", *cells, "4.00 on RND2"]
        cells = ["31.0 31.0 7.75", "32.0 32.0 8.00", "33.0 33.0 8.25", "34.0 34.0 8.50"]
        assert table[4] == ["RND2", *cells, "33.0 on RND1"]

    def test_forces_and_virials_have_their_own_tables(self):
        parts = study(FOUR)
        page = page_of(parts)
        assert table_after(tree_of(page), "errors", "./div[2]/table")[1][-2:] == ["40.0 40.0 20.0", "40.0 on RND2"]
        assert table_after(tree_of(page), "errors", "./div[3]/table")[1][-2:] == ["12.0", "12.0 on RND2"]
        assert "Symmetry holds 16 of 40 forces at zero" in page
        assert 'id="figure-force_errors"' in page and 'id="figure-force_parity"' in page
        assert 'id="figure-virial_parity"' in page
        assert "That of forces is 330 to 340 meV/Å" not in page  # of a fit
        assert " That of forces is 40 to 140 meV/Å for max-min designs and 240 to 330 for random designs" in page

    @pytest.mark.parametrize(
        ("labelled", "sentence"), [(10, "zero, whatever the model"), (0, "No structure has labelled")]
    )
    def test_forces_that_say_nothing_are_not_drawn(self, labelled, sentence):
        parts = study(FOUR)
        parts["errors"] = parts["errors"].assign(n_forces=labelled, n_forces_zero=labelled, rmse_virial_mev=np.nan)
        parts["forces"] = parts["forces"].iloc[:0]
        page = page_of(parts)
        assert sentence in page
        assert "figure-force" not in page and "That of forces" not in page and "<h3>Virials" not in page
        assert "figure-virial" not in page

    def test_a_model_that_learnt_little_is_in_the_head(self):
        page = page_of(study(FOUR), {}, doubts=["the likelihood of <A> takes all for noise"])
        assert "<strong>Doubtful model:</strong> the likelihood of &lt;A&gt;" in page[: page.index("<nav>")]
        assert "Doubtful" not in page_of(study(FOUR), {})

    def test_quality_and_hyperparameters(self):
        page = page_of(study(FOUR))
        text = " ".join(" ".join(tree_of(page).itertext()).split())
        assert "0.123 0.123 0.123 0.123" in text
        assert "3.46 % 3.46 %" in text
        assert "\u22121234.6" in text and "3.46 \u00d7 10⁹" in text
        assert "estimated before labelling \u2013 \u2013 \u2013 \u2013" in text
        assert "4321.1 4321.1" in text and "1.23 1.23" in text
        assert "at bound" not in text

    def test_a_parameter_at_its_bound_is_a_warning(self):
        parts = study(FOUR)
        parts["hyperparameters"]["RND1"] |= {"at_bound": ["pair_scale"]}
        page = page_of(parts)
        assert page.count('class="warning"') == 1 and page.count("at bound</small>") == 1

    def test_near_duplicates_are_flagged_and_set_aside(self):
        parts = study({"A": "maxmin", "B": "random"})
        parts["duplicates"].loc[1, ["n_duplicates", "q99_mev_without"]] = [2, 44.0]
        page = page_of(parts)
        assert table_after(tree_of(page), "errors", "./div[2]/table")[1] == [
            "A",
            "B",
            "2",
            "5",
            "2.00",
            "44.0",
        ]
        # The errors are 2 (A on B) and 11 (B on A); without the duplicates A on B has 44.
        assert "2.0 meV/atom for the max-min design and 11 for the random design: 5.5 times smaller" in page
        assert "Without near-duplicates:" in page and "4.0 times larger" in page

    def test_a_test_set_that_is_all_duplicates_is_no_test(self):
        parts = study({"A": "maxmin", "B": "random", "C": "random"})
        row = (parts["duplicates"]["model"] == "A") & (parts["duplicates"]["test_set"] == "C")
        parts["duplicates"].loc[row, "n_duplicates"] = 5
        assert "Without near-duplicates: The worst off-sample 0.99 quantile of energies is 2.0" in page_of(parts)

    def test_failures(self):
        parts = study(FOUR)
        assert "no failed labels" in page_of(parts)
        rows = [
            ("OPT1", 3, "A", 17, "vasp", "SCF <stuck>\x1b[0m", 4, "results/x/labels/runs/OPT1/3-3"),
            ("OPT2", 4, "A", 18, "vasp", "SCF <stuck>\x1b[0m", 0, np.nan),
        ]
        parts["failed"] = pd.DataFrame(rows, columns=parts["failed"].columns)
        page = page_of(parts)
        assert "2 structures got no label" in page and "<b>2</b> SCF &lt;stuck&gt;" in page
        first, second = table_after(tree_of(page), "labels")[1:]
        assert first[-2:] == ["4", "results/x/labels/runs/OPT1/3-3"] and second[-2:] == ["0", "–"]

    def test_suspicious_labels_are_in_the_head(self):
        page = page_of(study(FOUR), {}, suspicions=["the virial is <b> of the opposite sign"])
        head = page[: page.index("<nav>")]
        assert "<strong>Suspicious labels:</strong> the virial is &lt;b&gt; of the opposite sign" in head
        assert page_of(study(FOUR), {}, suspicions=[]) == page_of(study(FOUR), {})
        assert "Suspicious" not in page_of(study(FOUR), {})

    def test_labels_from_files_are_counted_by_key(self):
        keys = {"energy": {"<E>": 7}, "forces": {"F": 6}}
        found = {"files": 1, "frames": 7, "by_key": keys, "lacking": {"forces": "frame 3 of 'a.xyz'"}, "outputs": 2}
        page = page_of(study(FOUR), {}, found=found)
        assert "Labels were read from files: 7 frames in 1 file: energy of 7 by &#39;&lt;E&gt;&#39;, " in page
        assert "no virial; 2 outputs of a program." in page
        assert "Labels were read from files" not in page_of(study(FOUR), {})

    def test_ranks_that_took_the_place_of_others(self):
        parts = study(FOUR)
        size = len(parts["designs"]["OPT1"])
        parts["failed"] = pd.DataFrame([("OPT1", 3, "A", 17, "vasp", "no", 4, "")], columns=COLUMNS)
        parts["labelled"]["OPT1"] = [*range(3), *range(4, size), size + 1]
        parts["labelled"]["OPT2"] = [0, *range(3, size), size]
        page = page_of(parts)
        assert f"OPT1 lost rank 3; rank {size + 1} of its reserve filled in." in page
        reason = "it is 1 structure short of its budget."
        assert f"OPT2 lost ranks 1 and 2; rank {size} of its reserve filled in; {reason}" in page
        assert "RND1 lost" not in page

    def test_it_loads_nothing(self):
        page = page_of(study(FOUR))
        tree = tree_of(page)
        for element in tree.iter():
            for name, value in element.attrib.items():
                plain = name.rsplit("}", 1)[-1]
                if plain in ("src", "href", "srcset", "data", "poster") and not element.tag.endswith("}a"):
                    linked = element.tag == "a" and value.startswith(
                        ("https://doi.org/", "design.html", "report-map.html", "data:")
                    )
                    assert value.startswith(("#", "data:image/png;base64,")) or linked, (element.tag, value)
        assert not re.search(r"url\((?!#)|@import|<script|<link|<iframe", page)

    def test_references_within_figures_resolve(self):
        page = page_of(study(FOUR))
        known = set(re.findall(r'\bid="([^"]+)"', page))
        assert set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page)) <= known

    def test_same_bytes(self):
        assert page_of(study(FOUR)) == page_of(study(FOUR))

    def test_hostile_names(self):
        parts = study({HOSTILE: "maxmin", "{{ 7 * 7 }}": "random"})
        page = page_of(parts)
        text = "".join(tree_of(page).itertext())
        assert HOSTILE in text and "{{ 7 * 7 }}" in text and "näive <study>" in text

    def test_names_that_look_like_numbers_in_a_saved_table(self, tmp_path):
        parts = study({"1": "maxmin", "2": "random"})
        for name in ("errors", "predictions", "duplicates", "quality"):
            write_csv(tmp_path / f"{name}.csv", parts[name])
            parts[name] = read_csv(tmp_path / f"{name}.csv")
        assert table_after(tree_of(page_of(parts)), "errors")[1] == [
            "1",
            "1.00 1.00 0.250",
            "2.00 2.00 0.500",
            "2.00 on 2",
        ]

    @pytest.mark.parametrize("methods", [{"OPT1": "maxmin"}, {f"D{i}": f"method_{i}" for i in range(12)}])
    def test_one_design_to_twelve(self, methods):
        parts = study(methods, members=3, deformed=False)
        page = page_of(parts)
        assert len(table_after(tree_of(page), "errors")) == 1 + len(methods)
        assert len(page) < 3e6

    def test_one_structure(self):
        tree_of(page_of(study({"A": "maxmin", "B": "random"}, members=1)))

    def test_a_study_that_stops_before_its_models(self):
        parts = study(FOUR)
        for name in ("errors", "predictions", "duplicates"):
            parts[name] = parts[name].iloc[:0]
        parts["hyperparameters"] = {}
        page = page_of(parts)
        assert "No model has been cross-validated." in page and "No model was fitted." in page
        tree_of(page)

    def test_figures_are_the_ones_given(self):
        document = '<svg viewBox="0 0 10 10"><text id="t">mine &amp; no other</text></svg>'
        page = page_of(study(FOUR), figures={"distances": document})
        assert page.count("<svg") == 1 and 'id="distances-t">mine &amp; no other' in page

    def test_provenance_and_citation(self):
        text = "".join(tree_of(page_of(study(FOUR))).itertext())
        for expected in (
            "9.8.7",
            "c0ffee",
            "2.0.1",
            "ab" * 32,
            "10.1088/1361-651x/ada050",
            "Academic Software Licence",
        ):
            assert expected in text
