"""Families of test sets: which a set belongs to, and the gain of designs on each, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from gapdesign.config.study import check, parse
from gapdesign.crossval.families import CHOSEN, NEITHER, RANDOM, families
from gapdesign.errors import InputError
from gapdesign.report.families_table import section
from gapdesign.report.words import number
from reported import FOUR, page_of, square, study

STUDY = {
    "prototypes": {"fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6}},
    "pools": {
        "names": ["A", "B", "C", "D"],
        "size": 50,
        "overrides": {"C": {"size": 20}, "D": {"strain": {"max": 0.3}}},
    },
    "budget": 5,
    "designs": {
        "OPT": {"pool": "A", "method": "maxmin"},
        "RND": {"pool": "B", "method": "random"},
        "SAME": {"pool": "C", "method": "random", "fit": False},
        "FAR": {"pool": "C", "method": "maxmin", "fit": False},
        "WIDE": {"pool": "D", "method": "random", "fit": False},
        "WIDEST": {"pool": "D", "method": "maxmin", "fit": False},
    },
}


def test_a_family_is_by_method_and_by_how_the_pool_is_sampled():
    made = parse(STUDY)
    assert families(made) == {
        "OPT": CHOSEN,
        "RND": RANDOM,
        "SAME": RANDOM,
        "FAR": CHOSEN,
        "WIDE": NEITHER,
        "WIDEST": NEITHER,
    }
    assert made.fitted() == ["OPT", "RND"]
    # A model fitted to a design of that pool makes the pool one of the designs'.
    assert families(parse(STUDY | {"designs": STUDY["designs"] | {"WIDE": {"pool": "D", "method": "random"}}})) == {
        **families(made),
        "WIDE": RANDOM,
        "WIDEST": CHOSEN,
    }


def test_a_study_without_any_model_is_refused():
    designs = {name: design | {"fit": False} for name, design in STUDY["designs"].items()}
    with pytest.raises(InputError, match=r"designs: all have `fit: false`, so there is no model to test"):
        check(parse(STUDY | {"designs": designs}))


OF_FOUR = {"OPT1": CHOSEN, "OPT2": CHOSEN, "RND1": RANDOM, "RND2": RANDOM}

# The models of OPT1 and OPT2 are off by 1 and 4 on max-min designs, by 2 and 8 on random ones; those of RND1 and RND2
# by 10 and 40, and by 3 and 12.
OFF = {"OPT1": (1, 2), "OPT2": (4, 8), "RND1": (10, 3), "RND2": (40, 12)}


def errors() -> pd.DataFrame:
    made = square(FOUR, lambda model, test: 1000 if model == test else OFF[model][test.startswith("R")])
    return made.assign(worst_twentieth_mev=3 * made["q99_mev"])


def test_each_family_has_its_ratio_with_the_interval_between_designs():
    found = section(errors(), FOUR, OF_FOUR)
    assert found["others"] == ["max-min"] and found["blind"] == "random" and not found["neither"]
    assert [(row["tests"], row["sets"]) for row in found["rows"]] == [
        ("all, each model at its worst", ""),
        ("random designs", "RND1 and RND2"),
        ("max-min designs", "OPT1 and OPT2"),
    ]
    worst, random, chosen = ([cell["ratio"] for cell in row["cells"]] for row in found["rows"])
    # sqrt(10 * 40) / sqrt(2 * 8), sqrt(3 * 12) / sqrt(2 * 8), sqrt(10 * 40) / sqrt(1 * 4)
    assert worst == ["5.0", "5.0"] and random == ["1.5", "1.5"] and chosen == ["10", "10"]
    cell = found["rows"][1]["cells"][1]
    assert cell["against"] == "12, 18 meV/atom" and cell["over_tests"] == ""
    interval = ttest_ind(np.log([3, 12]), np.log([2, 8])).confidence_interval()
    assert cell["between"] == f"{number(np.exp(interval.low), 2)} to {number(np.exp(interval.high), 2)}"


def test_test_sets_without_a_model_are_a_family_of_their_own():
    """Max-min is better everywhere but there, by half; its geometric mean is over both such sets."""
    more = [
        (model, test, 5, 1, factor * value, 1, 1, factor * value)
        for model, value in {"OPT1": 8, "OPT2": 8, "RND1": 4, "RND2": 4}.items()
        for test, factor in {"MD": 1, "DEFECTS": 4}.items()
    ]
    columns = ["model", "test_set", "n", "std_mev", "q99_mev", "rmse_mev", "mae_mev", "max_mev"]
    rows = pd.DataFrame(more, columns=columns).assign(n_forces=0, n_forces_zero=0)
    table = pd.concat([errors(), rows.assign(worst_twentieth_mev=rows["max_mev"])], ignore_index=True)
    methods = FOUR | {"MD": "random", "DEFECTS": "maxmin"}
    found = section(table, methods, OF_FOUR | {"MD": NEITHER, "DEFECTS": NEITHER})
    assert found["neither"]
    row = found["rows"][-1]
    assert (row["tests"], row["sets"]) == ("neither", "MD and DEFECTS")
    assert [cell["ratio"] for cell in row["cells"]] == ["0.50", "0.50"]
    assert row["cells"][0]["against"] == "16, 8.0 meV/atom" and row["cells"][0]["between"] == "0.50 to 0.50"


def test_forces_have_columns_of_their_own_and_only_sets_with_forces_count():
    made = errors().assign(n_forces=3)
    made["q99_force_mev_a"] = made["worst_twentieth_force_mev_a"] = 10 * made["q99_mev"]
    held = made["test_set"].str.startswith("O")
    made.loc[held, ["n_forces", "q99_force_mev_a", "worst_twentieth_force_mev_a"]] = [0, np.nan, np.nan]
    found = section(made, FOUR, OF_FOUR)
    assert found["columns"][2:] == ["forces: 0.99 quantile", "worst twentieth"]
    worst, random, chosen = ([cell["ratio"] for cell in row["cells"]] for row in found["rows"])
    assert worst == ["5.0", "5.0", "1.5", "1.5"] and random[2:] == ["1.5", "1.5"] and chosen[2:] == ["", ""]


def test_the_interval_over_test_structures_stands_by_the_worst_of_all_sets():
    draws = [(draw, model, value, 2 * value) for draw in range(3)
             for model, value in {"OPT1": 1.0, "OPT2": 1.0, "RND1": 3.0, "RND2": 3.0}.items()]  # fmt: skip
    bootstrap = pd.DataFrame(draws, columns=["draw", "model", "worst_mev", "worst_twentieth_mev"])
    first, second, _ = section(errors(), FOUR, OF_FOUR, bootstrap)["rows"]
    assert [cell["over_tests"] for cell in first["cells"]] == ["3.0 to 3.0"] * 2
    assert [cell["over_tests"] for cell in second["cells"]] == ["", ""]


@pytest.mark.parametrize("methods", [{"A": "maxmin", "B": "cur"}, {"A": "random", "B": "random"}, {"A": "maxmin"}])
def test_without_a_comparison_with_random_designs_there_is_no_table(methods):
    made = square(methods, lambda *_: 2.0)
    assert section(made, methods, dict.fromkeys(methods, CHOSEN))["rows"] == []
    assert section(pd.DataFrame(), {}, {})["rows"] == []


def test_models_without_a_finite_error_and_errors_of_zero_have_no_ratio():
    made = errors()
    made.loc[(made["model"] == "OPT1") & (made["test_set"] == "RND1"), "q99_mev"] = np.inf
    (worst, *_), (random, *_), (chosen, *_) = (row["cells"] for row in section(made, FOUR, OF_FOUR)["rows"])
    # Of the max-min models OPT2 is left: sqrt(10 * 40) / 8 and sqrt(3 * 12) / 8; on max-min designs both are.
    assert [worst["ratio"], random["ratio"], chosen["ratio"]] == ["2.5", "0.75", "10"]
    assert section(made.assign(q99_mev=0.0), FOUR, OF_FOUR)["rows"][0]["cells"][0]["ratio"] == ""


def test_the_page_has_the_table_below_the_headline():
    page = page_of(study(FOUR), {}, families=OF_FOUR)
    head = page[: page.index("<nav>")]
    assert "all, each model at its worst" in head and "RND1 and RND2" in head
    assert "A design is flattered" in " ".join(head.split()) and "<code>fit: false</code>" in head
    assert "methods on each kind of test set" not in head
    many = {f"M{k}": name for k, name in enumerate(["random", "maxmin", "fps", "cur", "variance", "k_medoids"])}
    page = page_of(study(many), {}, families={name: CHOSEN if name != "M0" else RANDOM for name in many})
    assert "<summary>The 5 methods on each kind of test set</summary>" in page
    assert 'class="families"' not in page_of(study({"A": "maxmin", "B": "maxmin"}), {})
