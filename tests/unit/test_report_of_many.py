"""Reports of many designs: those of a method together, with numbers that are known in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from gapdesign.report.configuration import asked
from gapdesign.report.designs_table import gathered_measures, gathered_nearest
from gapdesign.report.errors_table import gathered_matrix
from gapdesign.report.figures import FIGURES, distances_figure, legend_labels, medians, ranks_figure, worst_figure
from gapdesign.report.gathered import gathered, gathered_errors, mean, names_of
from gapdesign.report.headline import headline
from gapdesign.report.properties_figures import constants_figure, phonons_figure
from gapdesign.report.properties_table import gathered as gathered_properties
from gapdesign.report.style import are_many, line_styles
from reported import FOUR, page_of, results_of, square, study

MANY = {f"O{k}": "maxmin" for k in range(5)} | {f"R{k}": "random" for k in range(5)}


def errors() -> pd.DataFrame:
    """The model of Ok is off by 2^k, that of Rk by 10 x 2^k, and by half as much on random designs."""

    def error(model: str, test: str) -> float:
        return 2.0 ** int(model[1]) * (10 if model[0] == "R" else 1) / (2 if test[0] == "R" else 1)

    return square(MANY, lambda model, test: 1e6 if model == test else error(model, test))


def test_designs_are_many_where_line_patterns_do_not_tell_them_apart():
    assert are_many(MANY) and not are_many(FOUR)
    assert not are_many({f"D{k}": f"method_{k}" for k in range(12)})
    assert {str(style) for style in line_styles(MANY).values()} == {
        str(line_styles(MANY)[name]) for name in ("O0", "R0")
    }
    assert legend_labels(MANY) == {"O0": "max-min (5 designs)", "R0": "random (5 designs)"}
    assert list(legend_labels(FOUR)) == list(FOUR)


def test_errors_are_gathered_by_geometric_means_without_the_fits():
    """Powers of two from 0 to 4 average to 2^2, also within a method, where each model has one test set less."""
    found = gathered_errors(errors(), MANY).set_index(["model", "test_set"])["q99_mev"]
    assert found.to_dict() == pytest.approx(
        {
            ("max-min", "max-min"): 4,
            ("max-min", "random"): 2,
            ("random", "max-min"): 40,
            ("random", "random"): 20,
        }
    )
    assert gathered_errors(errors(), MANY)["n"].tolist() == [5 * 20, 5 * 25, 5 * 25, 5 * 20]


def test_what_has_no_label_is_left_out_and_what_is_no_number_is_not():
    made = errors().assign(q99_force_mev_a=np.nan, n_forces=0)
    row = (made["model"] == "O3") & (made["test_set"] == "R1")
    made.loc[row, ["q99_force_mev_a", "n_forces"]] = [7.0, 3]
    made.loc[row, "max_mev"] = np.inf
    found = gathered_errors(made, MANY).set_index(["model", "test_set"]).loc[("max-min", "random")]
    assert found["q99_force_mev_a"] == pytest.approx(7) and found["n_forces"] == 3
    assert found["max_mev"] == np.inf
    assert np.isnan(mean([1.0, np.nan])) and mean([0.0, 4.0]) == 0


def test_a_test_set_without_a_model_keeps_its_name():
    made = errors()
    more = made[made["test_set"] == "O0"].assign(test_set="MD")
    rows, columns = names_of(pd.concat([made, more, more.assign(test_set="random")]), MANY)
    assert rows["O3"] == columns["O3"] == "max-min"
    assert columns["MD"] == "MD" and columns["random"] == "random (test set)"
    points = gathered(pd.concat([made, more]), pd.concat([made, more]), MANY)
    assert len(points) == 90 + 10 and set(points["test_set"]) == {"max-min", "random", "MD"}


def test_the_matrix_of_methods_ends_in_the_mean_of_the_worst():
    found = gathered_matrix(errors(), MANY)
    assert found["tests"] == ["max-min", "random"]
    assert [row["worst"]["tail"] for row in found["rows"]] == pytest.approx([4, 40])
    assert not any(cell["fit"] or cell["worst"] for row in found["rows"] for cell in row["cells"])
    assert gathered_matrix(errors(), FOUR) == {}


def test_a_line_is_the_median_of_a_method_and_its_band_reaches_from_end_to_end():
    axes = Figure().subplots()
    drawn = {f"O{k}": ([1, 2, 4], [k, 10 + k**2, np.nan if k else 5.0]) for k in range(5)}
    medians(axes, drawn | {f"R{k}": ([1], [100.0 + k]) for k in range(5)}, MANY, unbanded=("random",))
    random, chosen = axes.lines
    assert random.get_xydata().tolist() == [[1, 102]]
    assert chosen.get_xydata().tolist() == [[1, 2], [2, 14], [4, 5]]
    (band,) = axes.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert {(1, 0), (1, 4), (2, 10), (2, 26), (4, 5)} <= corners


def test_histograms_of_a_method_are_averaged():
    figure = distances_figure({name: np.full(10, 0.26 if name == "O0" else 0.01) for name in MANY}, {}, MANY)
    steps = [patch.get_data().values for patch in figure.axes[0].patches]
    # Bars are 0.05 wide, so that all in one are 20 high: of five max-min designs one lies in the sixth.
    assert [values.max() for values in steps] == [20, 16, 20, 20]
    assert (steps[0][5], steps[1][5]) == pytest.approx((20, 4))


def test_figures_name_methods_and_not_designs():
    parts = study(MANY)
    figures = {name: draw(results_of(parts)) for name, draw in FIGURES.items()}
    for name in ("distances", "ranks"):
        assert [text.get_text() for text in figures[name].legends[0].texts] == [
            "max-min (5 designs)",
            "random (5 designs)",
        ]
    for name in ("errors", "parity", "force_errors", "force_parity", "virial_parity"):
        panels = [axes for axes in figures[name].axes if axes.get_label() != "points"]
        titles = [axes.get_title() for axes in panels if axes.get_title()]
        assert titles == ["max-min", "random"], name
        assert all(spine.get_linewidth() == 0.5 for axes in panels[:4] for spine in axes.spines.values())
    # Model i is wrong by 10 i + j + 1 on design j: 1.25 times the largest, as in a matrix of all designs.
    assert figures["errors"].axes[0].get_ylim()[1] == pytest.approx(1.55 * 1.25 * 100)


def test_each_method_has_a_line_at_the_mean_of_its_worst():
    figure = worst_figure(errors(), MANY)
    dashed = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([4, 40])
    assert not [
        line for line in worst_figure(square(FOUR, lambda *_: 2), FOUR).axes[0].lines if line.get_linestyle() == "--"
    ]


def test_measures_have_a_column_for_each_method():
    quality = pd.DataFrame(
        {"design": list(MANY), "size": [10, 11, 12, 13, 14] * 2, "nearest_mean": np.arange(10.0) + 1}
    )
    for place, name in enumerate(MANY):
        quality[f"nearest_{name}_mean"] = [np.nan if name == other else place + 1.0 for other in MANY]
    found = gathered_measures(quality, MANY)
    assert found["designs"] == ["max-min", "random"]
    assert [row["values"] for row in found["rows"]] == [
        [("12", "10 to 14"), ("12", "10 to 14")],
        [("3.00", "1.00 to 5.00"), ("8.00", "6.00 to 10.0")],
    ]
    # From any design to those of a column, whose values are those of the column's name.
    assert [row["cells"] for row in gathered_nearest(quality, MANY)["rows"]] == [[["3.00"], ["8.00"]]] * 2
    assert gathered_measures(quality, FOUR) == gathered_nearest(quality, FOUR) == {}


def test_properties_have_medians_of_values_and_of_absolute_errors():
    values = [
        ("hcp", "a", model, "Å", value, value - 3.0, np.nan, np.nan, np.nan, "")
        for model, value in {"O0": 2.0, "O1": 3.5, "O2": 3.0, "R0": 4.0}.items()
    ]
    columns = [
        "prototype",
        "property",
        "model",
        "unit",
        "value",
        "error",
        "reference",
        "published",
        "published_error",
        "reason",
    ]
    table = pd.DataFrame(values, columns=columns)
    (row,) = gathered_properties(table, {}, MANY)["rows"]
    assert row["cells"] == [(3.0, "±0.50"), (4.0, "±1.0")]
    assert gathered_properties(table, {}, FOUR) == gathered_properties(None, {}, MANY) == {}
    figure = constants_figure(table.assign(reference=3.0), MANY)
    assert len(figure.legends[0].texts) == 2


def test_phonons_of_a_method_share_a_panel():
    rows = [
        ("hcp", model, branch, x, float(x), "") for model in (*MANY, "reference") for branch in (0, 1) for x in (0, 1)
    ]
    curves = pd.DataFrame(rows, columns=["prototype", "model", "branch", "x", "y", "label"])
    figure = phonons_figure(curves, MANY)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["hcp, max-min", "hcp, random"]
    assert [len(axes.lines) for axes in figure.axes] == [2 * 6 + 1] * 2
    assert figure.legends[0].texts[0].get_text() == "reference engine"


def test_the_page_shows_methods_and_folds_what_each_design_has():
    page = " ".join(page_of(study(MANY)).split())
    errors = page[page.index('<section id="errors">') :]
    first, folded = (
        errors.index("<table"),
        errors.index('<details class="screen"><summary>Every model on every test set'),
    )
    assert errors[first:folded].count("<tr>") == 3 and errors[folded : errors.index("</details>")].count("<tr>") == 11
    assert page.count("<summary>Every design</summary>") == 2 and page.count("<summary>Every model</summary>") == 1
    assert "Of so many designs, those of a method are drawn together" in page
    assert "Of so many designs" not in page_of(study(FOUR))


def test_designs_that_differ_by_their_pools_are_described_together():
    designs = {name: {"pool": name[1], "method": method, "fit": True} for name, method in MANY.items()}
    designs |= {"T": {"pool": "9", "method": "random", "fit": False}}
    (told,) = [text for term, text in asked({"designs": designs}) if term == "designs"]
    assert told == (
        "O0 to O4 (5): max-min from pools 0, 1, 2, 3 and 4; R0 to R4 (5): random from pools 0, 1, 2, 3 and 4; T: random"
        " from pool 9, a test set only"
    )
    few = {name: designs[name] for name in ("O0", "R0")}
    assert ("designs", "O0: max-min from pool 0; R0: random from pool 0") in asked({"designs": few})


def test_ranges_that_overlap_settle_nothing_where_an_interval_does():
    """Of four designs and four the worst max-min one is worse than the best random one, and the means are far apart."""
    values = {"O0": 1, "O1": 1.1, "O2": 1.2, "O3": 5, "R0": 4.9, "R1": 20, "R2": 21, "R3": 22}
    methods = {name: MANY[name] for name in values}
    text = headline(square(methods, lambda model, _: values[model]), methods)
    assert "exact permutation test" in text and "overlap" not in text and "not certain" not in text
    few = {name: methods[name] for name in ("O0", "O3", "R0", "R1")}
    assert "overlap, so the gain is not certain" in headline(square(few, lambda model, _: values[model]), few)


def test_ranks_of_designs_of_other_lengths_are_medians_of_those_that_are_there():
    figure = ranks_figure({name: np.arange(3.0 if name[0] == "O" else 5.0) for name in MANY}, MANY)
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [4, 2]
