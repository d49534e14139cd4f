"""Intervals in the headline: ratios that are known for every draw."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from gapdesign.crossval.between import between
from gapdesign.report.headline import headline

METHODS = {"OPT": "maxmin", "VAR": "variance", "RND": "random"}
LONE = " One design of a method does not show how much such designs differ."


def errors(values: dict[str, float], sizes: dict[str, int] | None = None) -> pd.DataFrame:
    sizes = sizes or dict.fromkeys(values, 100)
    rows = [(model, test, sizes[test], value) for model, value in values.items() for test in values]
    return pd.DataFrame(rows, columns=["model", "test_set", "n", "q99_mev"]).assign(
        q99_force_mev_a=np.nan, n_forces=0, n_forces_zero=0
    )


def with_forces(values: dict[str, float], held: int = 0) -> pd.DataFrame:
    """Energies are ten times as good for OPT; forces are off by these."""
    made = errors({"OPT": 1.0, "RND": 10.0})
    return made.assign(q99_force_mev_a=made["model"].map(values), n_forces=8, n_forces_zero=held)


def test_forces_have_a_sentence_of_their_own():
    text = headline(with_forces({"OPT": 100.0, "RND": 250.0}), METHODS)
    assert text == (
        "The worst off-sample 0.99 quantile of energies is 1.0 meV/atom for the max-min design and 10 for the random"
        " design: 10 times smaller (geometric mean). That of forces is 100 meV/Å for the max-min design and 250 for the"
        " random design: 2.5 times smaller (geometric mean)." + LONE
    )
    text = headline(with_forces({"OPT": 250.0, "RND": 100.0}), METHODS)
    assert text.endswith("No gain in forces over random was found here for max-min designs." + LONE)


def test_forces_that_symmetry_holds_at_zero_are_not_compared():
    assert "forces" not in headline(with_forces({"OPT": 0.0, "RND": 0.0}, held=8), METHODS)


def test_a_test_set_without_forces_is_no_test_of_forces():
    table = with_forces({"OPT": 100.0, "RND": 250.0})
    table.loc[table["model"] == "OPT", ["q99_force_mev_a", "n_forces"]] = [np.nan, 0]
    text = headline(table, METHODS)
    assert "That of forces is 250 meV/Å for the random design; there is no design of another method" in text


def test_designs_of_other_sizes_are_pointed_out():
    values = {"OPT": 10.0, "RND": 40.0}
    assert headline(errors(values, {"OPT": 95, "RND": 100}), METHODS).endswith(
        "4.0 times smaller (geometric mean)." + LONE
    )
    text = headline(errors(values, {"OPT": 50, "RND": 100}), METHODS)
    assert text.endswith(
        "The designs are not of one size (50 for the max-min design and 100 for the random design), which this"
        " comparison does not take into account." + LONE
    )


def drawn(values: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [
        (draw, model, value) for draw in range(41) for model, value in ((name, values[name][draw]) for name in values)
    ]
    return pd.DataFrame(rows, columns=["draw", "model", "worst_mev"])


# 41 draws: the 0.025 quantile is the second of them, the 0.975 quantile the last but one.
RATIOS = np.linspace(2, 6, 41)


def test_the_interval_of_a_ratio():
    text = headline(errors({"OPT": 10, "RND": 40}), METHODS, drawn({"OPT": 10 / RATIOS, "RND": np.full(41, 10.0)}))
    assert text.endswith("4.0 times smaller (geometric mean; 95 % interval over test structures 2.1 to 5.9)." + LONE)


def test_a_ratio_told_the_other_way_round_has_its_interval_turned():
    text = headline(errors({"OPT": 40, "RND": 10}), METHODS, drawn({"OPT": 10 * RATIOS, "RND": np.full(41, 10.0)}))
    assert "4.0 times larger (geometric mean; 95 % interval over test structures 2.1 to 5.9)" in text


def test_every_method_has_its_interval():
    draws = {"OPT": 10 / RATIOS, "VAR": np.full(41, 5.0), "RND": np.full(41, 10.0)}
    text = headline(errors({"OPT": 10, "VAR": 20, "RND": 40}), METHODS, drawn(draws))
    assert "4.0 times smaller for max-min (95 % interval over test structures 2.1 to 5.9)" in text
    assert "2.0 times smaller for largest-variance (95 % interval over test structures 2.0 to 2.0)" in text


def test_an_interval_that_holds_one_settles_nothing():
    text = headline(errors({"OPT": 10, "RND": 20}), METHODS, drawn({"OPT": 30 / RATIOS, "RND": np.full(41, 10.0)}))
    assert text.endswith("An interval for max-min designs holds 1, so the gain is not certain." + LONE)


def test_draws_without_a_finite_error_give_no_interval():
    draws = drawn({"OPT": np.full(41, np.nan), "RND": np.full(41, 10.0)})
    assert "interval" not in headline(errors({"OPT": 10, "RND": 20}), METHODS, draws)


MANY = {"O1": "maxmin", "O2": "maxmin", "O3": "maxmin", "O4": "maxmin"} | {f"R{k}": "random" for k in range(1, 5)}


def test_the_interval_between_designs_is_student_s_of_logarithms():
    """By hand for 10, 40 and 80, 320: means of log2 differ by 3, each varies by 1 about its own, and t(2) is 4.3027."""
    methods = {"O1": "maxmin", "O2": "maxmin", "R1": "random", "R2": "random"}
    found = between([10.0, 40.0], [80.0, 320.0])
    half = 4.302653 * np.sqrt((1 + 1 + 1 + 1) / 2 * (1 / 2 + 1 / 2))
    assert (found.low, found.high) == pytest.approx((2 ** (3 - half), 2 ** (3 + half)), rel=1e-5)
    assert found.p is None
    other = ttest_ind(np.log([80, 320]), np.log([10, 40])).confidence_interval()
    assert (found.low, found.high) == pytest.approx((np.exp(other.low), np.exp(other.high)))
    text = headline(errors({"O1": 10.0, "O2": 40.0, "R1": 80.0, "R2": 320.0}), methods)
    assert "8.0 times smaller (geometric mean; 95 % interval between designs 0.12 to 540)." in text
    assert text.endswith("An interval for max-min designs holds 1, so the gain is not certain.")
    text = headline(errors({"O1": 80.0, "O2": 320.0, "R1": 10.0, "R2": 40.0}), methods)
    assert "8.0 times larger (geometric mean; 95 % interval between designs 0.12 to 540)." in text


def test_the_permutation_test_counts_all_ways():
    own, others = [1.0, 2.0, 3.0, 30.0], [20.0, 40.0, 50.0, 60.0, 70.0]
    logs = np.log([*own, *others])
    wanted = abs(logs[:4].mean() - logs[4:].mean())
    ways = [
        abs(logs[list(ways)].mean() - np.delete(logs, list(ways)).mean()) >= wanted - 1e-12
        for ways in combinations(range(9), 4)
    ]
    assert between(own, others).p == pytest.approx(np.mean(ways))
    values = dict(zip(MANY, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], strict=True))
    assert "(exact permutation test: p = 0.029)" in headline(errors(values), MANY)


def test_designs_of_other_sizes_have_no_interval_between_them():
    values = dict(zip(MANY, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], strict=True))
    text = headline(errors(values, dict(zip(MANY, [50, 100] * 4, strict=True))), MANY)
    assert "between designs" not in text and "not of one size (50 to 100 for max-min designs" in text


def test_any_interval_that_holds_one_is_said():
    methods = {"O1": "maxmin", "O2": "maxmin", "R1": "random", "R2": "random"}
    table = errors({"O1": 10.0, "O2": 10.1, "R1": 30.0, "R2": 30.3})
    draws = drawn({"O1": 30 / RATIOS, "O2": 30 / RATIOS, "R1": np.full(41, 10.0), "R2": np.full(41, 10.0)})
    text = headline(table, methods, draws)
    assert "between designs 2.9 to 3.1, over test structures 0.70 to 2.0" in text
    assert text.endswith("An interval for max-min designs holds 1, so the gain is not certain.")


def test_designs_that_do_not_vary_and_lone_ones():
    assert between([2.0], [3.0, 4.0]) is None
    found = between([2.0, 2.0], [6.0, 6.0])
    assert (found.low, found.high) == pytest.approx((3.0, 3.0))
