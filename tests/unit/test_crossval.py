"""The n x n table: numbers that were worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from gapdesign import crossval
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions

COVARIANCE = Covariance(
    Layout(n_species=1, spectrum=3, pairs=1), KernelOptions(soap={"zeta": 1, "scale": 1}, pair={"scale": 0})
)


def frame(rank: int, n: int, energy: float) -> Atoms:
    atoms = Atoms("Zr" * n, positions=np.arange(3 * n).reshape(n, 3))
    atoms.info = {"rank": rank, "pool": "A", "candidate": 10 * rank + 7, "REF_energy": energy}
    return atoms


def table(model: str, test_set: str, errors, duplicate=None) -> pd.DataFrame:
    made = pd.DataFrame({"model": model, "test_set": test_set, "rank": range(len(errors)), "error_mev": errors})
    return made.assign(duplicate=duplicate if duplicate is not None else False)


def test_predictions_are_an_atom_and_errors_predicted_minus_reference_in_mev():
    designs = {"OPT1": [frame(0, 2, -12.0), frame(2, 1, -6.5)], "RND1": [frame(0, 4, -20.0)]}
    energies = {"OPT1": np.array([-11.9, -6.75]), "RND1": np.array([-20.02])}
    made = crossval.predictions("OPT1", designs, energies)
    assert made.columns.tolist() == [
        "model",
        "test_set",
        "rank",
        "pool",
        "candidate",
        "n_atoms",
        "reference_ev",
        "predicted_ev",
        "error_mev",
    ]
    assert made["test_set"].tolist() == ["OPT1", "OPT1", "RND1"]
    assert made["rank"].tolist() == [0, 2, 0]
    assert made["candidate"].tolist() == [7, 27, 7]
    assert made["n_atoms"].tolist() == [2, 1, 4]
    np.testing.assert_allclose(made["reference_ev"], [-6, -6.5, -5])
    np.testing.assert_allclose(made["predicted_ev"], [-5.95, -6.75, -5.005])
    np.testing.assert_allclose(made["error_mev"], [50, -250, -5])


def test_predictions_and_labels_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        crossval.predictions("OPT1", {"OPT1": [frame(0, 1, 0.0)]}, {"OPT1": np.array([0.0, 1.0])})


def test_errors_by_hand():
    """Of 3, -4, 0, 1: mean 0, squares 26, absolute values 0, 1, 3, 4; the 0.99 quantile lies 0.97 past the 3."""
    made = crossval.errors(pd.concat([table("M", "T", [3.0, -4.0, 0.0, 1.0]), table("M", "U", [-2.0, -2.0])]))
    assert made.columns.tolist() == [
        "model",
        "test_set",
        "n",
        "std_mev",
        "q99_mev",
        "rmse_mev",
        "mae_mev",
        "max_mev",
    ]
    first, second = made.to_dict("records")
    assert (first["model"], first["test_set"], first["n"]) == ("M", "T", 4)
    assert first["std_mev"] == pytest.approx(np.sqrt(26 / 4))
    assert first["q99_mev"] == pytest.approx(3.97)
    assert first["rmse_mev"] == pytest.approx(np.sqrt(26 / 4))
    assert first["mae_mev"] == pytest.approx(2)
    assert first["max_mev"] == 4
    # An error that is always the same spreads about nothing, but is one.
    assert (second["test_set"], second["n"], second["std_mev"]) == ("U", 2, 0)
    assert second["rmse_mev"] == second["mae_mev"] == second["q99_mev"] == second["max_mev"] == 2


def test_rows_of_the_table_keep_the_order_of_the_study():
    order = [("Z", "Z"), ("Z", "A"), ("A", "Z"), ("A", "A")]
    made = crossval.errors(pd.concat([table(*pair, [1.0]) for pair in order]))
    assert list(zip(made["model"], made["test_set"], strict=True)) == order


def turned(angle: float) -> list[float]:
    """Features at a squared distance 4 sin^2(angle / 2) from those at angle 0."""
    return [np.cos(angle), np.sin(angle), 0, 0]


def test_a_test_structure_that_the_model_was_trained_on_is_flagged():
    features = {
        "P": np.array([turned(0), turned(1), [0, 0, 1, 0]], dtype=np.float32),
        "Q": np.array([turned(0.9e-3), turned(1.1e-3), turned(1), [0, 0, 1, 0]], dtype=np.float32),
    }
    # Rank 2 of P got no label, so the model of P was not trained on it, and Q holds its copy unflagged.
    ranks = {"P": [0, 1], "Q": [3, 1, 0, 2]}
    rows = [
        {"model": model, "test_set": test, "rank": rank, "error_mev": 1.0}
        for model in "PQ"
        for test in "PQ"
        for rank in ranks[test]
    ]
    flagged = crossval.flag_duplicates(pd.DataFrame(rows), features, COVARIANCE)
    of = {pair: group["duplicate"].tolist() for pair, group in flagged.groupby(["model", "test_set"])}
    assert of["P", "P"] == [True, True]
    assert of["P", "Q"] == [False, False, True, True]
    assert of["Q", "P"] == [True, True]
    assert of["Q", "Q"] == [True] * 4
    assert flagged.drop(columns="duplicate").equals(pd.DataFrame(rows))


def test_what_is_left_without_duplicates():
    made = crossval.duplicates(
        pd.concat(
            [
                table("P", "P", [9.0], [True]),
                table("P", "Q", [100.0, -1.0, 2.0], [True, False, False]),
                table("Q", "P", [5.0], [True]),
                table("Q", "R", [5.0, -6.0]),
            ]
        )
    )
    assert made.columns.tolist() == ["model", "test_set", "n_duplicates", "q99_mev_without"]
    assert list(zip(made["model"], made["test_set"], strict=True)) == [("P", "Q"), ("Q", "P"), ("Q", "R")]
    assert made["n_duplicates"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(made["q99_mev_without"], [1.99, np.nan, 5.99])


def test_a_study_of_one_design_has_a_table_of_duplicates_with_columns_and_no_rows():
    made = crossval.duplicates(table("P", "P", [1.0], [True]))
    assert made.columns.tolist() == ["model", "test_set", "n_duplicates", "q99_mev_without"]
    assert len(made) == 0


def test_bootstrap_of_equal_errors_is_the_worst_off_sample_error_itself():
    rows = [("M", "M", 90.0), ("M", "T", 3.0), ("M", "U", -5.0), ("T", "T", 1.0), ("T", "M", 2.0), ("T", "U", 0.5)]
    whole = pd.concat([table(model, test_set, [error] * 4) for model, test_set, error in rows])
    drawn = crossval.bootstrap(whole, np.random.default_rng(1), draws=3)
    assert drawn["draw"].tolist() == [0, 0, 1, 1, 2, 2]
    assert drawn["model"].tolist() == ["M", "T"] * 3
    assert drawn["worst_mev"].tolist() == [5.0, 2.0] * 3


def test_bootstrap_of_two_errors_takes_each_pair_as_often_as_it_should():
    """Of {0, 1}, 0.99 quantiles of draws of two: 0 a quarter of the time, 0.99 half of it and 1 a quarter of it."""
    drawn = crossval.bootstrap(table("M", "T", [0.0, 1.0]), np.random.default_rng(1), draws=4000)
    shares = drawn["worst_mev"].value_counts(normalize=True)
    assert set(shares.index) == {0.0, 0.99, 1.0}
    # Four standard deviations of a share of 4000.
    np.testing.assert_allclose(shares[[0.0, 0.99, 1.0]], [0.25, 0.5, 0.25], atol=4 * 0.5 / np.sqrt(4000))


def test_bootstrap_tests_all_models_on_the_same_structures_of_a_draw():
    """Twice the errors on the same structures, whatever the order of the rows, are twice as large in every draw."""
    errors = np.array([1.0, -7.0, 3.0, 2.0, 9.0])
    two = pd.concat([table("M", "T", errors), table("N", "T", 2 * errors).iloc[::-1]])
    drawn = crossval.bootstrap(two, np.random.default_rng(7), draws=50).pivot(
        index="draw", columns="model", values="worst_mev"
    )
    np.testing.assert_array_equal(drawn["N"], 2 * drawn["M"])
    assert drawn["M"].nunique() > 1


def test_bootstrap_without_off_sample_tests_is_empty():
    assert crossval.bootstrap(table("M", "M", [1.0, 2.0]), np.random.default_rng(1)).empty
