"""The n x n table: numbers that were worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from gapdesign.crossval.bootstrap import bootstrap
from gapdesign.crossval.duplicates import duplicates, flag_duplicates
from gapdesign.crossval.errors import errors, errors_by_group
from gapdesign.crossval.forces import SHOWN, Forces, sample
from gapdesign.crossval.predictions import predictions
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.deviations import worst_twentieth
from gapdesign.engines.base import Label
from gapdesign.report.matrices import virial_components

COVARIANCE = Covariance(
    Layout(n_species=1, spectrum=3, pairs=1), KernelOptions(soap={"zeta": 1, "scale": 1}, pair={"scale": 0})
)


def frame(rank: int, n: int, energy: float) -> Atoms:
    atoms = Atoms("Zr" * n, positions=np.arange(3 * n).reshape(n, 3))
    atoms.info = {"rank": rank, "pool": "A", "candidate": 10 * rank + 7, "REF_energy": energy}
    return atoms


def table(model: str, test_set: str, errors, duplicate=None) -> pd.DataFrame:
    made = pd.DataFrame({"model": model, "test_set": test_set, "rank": range(len(errors)), "error_mev": errors})
    return made.assign(duplicate=duplicate if duplicate is not None else False, config_type="", rmse_virial_mev=np.nan)


def energy(value: float, n: int) -> Label:
    """A prediction of the energy, of which nothing else is compared."""
    return Label(value, np.zeros((n, 3)), None)


PLACES = ("xx", "yy", "zz", "yz", "xz", "xy")

NONE = Forces.of([], [])
"""Forces of structures that have no such label."""


def test_predictions_are_an_atom_and_errors_predicted_minus_reference_in_mev():
    designs = {"OPT1": [frame(0, 2, -12.0), frame(2, 1, -6.5)], "RND1": [frame(0, 4, -20.0)]}
    found = {"OPT1": [energy(-11.9, 2), energy(-6.75, 1)], "RND1": [energy(-20.02, 4)]}
    made = predictions("OPT1", designs, found)
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
        "config_type",
        "rmse_force_mev_a",
        "max_force_mev_a",
        "rmse_virial_mev",
        *(f"{kind}_virial_{place}_ev" for kind in ("reference", "predicted") for place in PLACES),
    ]
    assert made.iloc[:, -15:].isna().all(axis=None)
    assert made["test_set"].tolist() == ["OPT1", "OPT1", "RND1"]
    assert made["rank"].tolist() == [0, 2, 0]
    assert made["candidate"].tolist() == [7, 27, 7]
    assert made["n_atoms"].tolist() == [2, 1, 4]
    np.testing.assert_allclose(made["reference_ev"], [-6, -6.5, -5])
    np.testing.assert_allclose(made["predicted_ev"], [-5.95, -6.75, -5.005])
    np.testing.assert_allclose(made["error_mev"], [50, -250, -5])


def test_predictions_and_labels_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        predictions("OPT1", {"OPT1": [frame(0, 1, 0.0)]}, {"OPT1": [energy(0.0, 1)] * 2})


def test_errors_by_hand():
    """Of 3, -4, 0, 1: mean 0, squares 26, absolute values 0, 1, 3, 4; the 0.99 quantile lies 0.97 past the 3."""
    made = errors(pd.concat([table("M", "T", [3.0, -4.0, 0.0, 1.0]), table("M", "U", [-2.0, -2.0])]), NONE)
    assert made.columns.tolist() == [
        "model",
        "test_set",
        "n",
        "std_mev",
        "q99_mev",
        "rmse_mev",
        "mae_mev",
        "max_mev",
        "rmse_force_mev_a",
        "q99_force_mev_a",
        "max_force_mev_a",
        "rmse_virial_mev",
        "n_forces",
        "n_forces_zero",
        "worst_twentieth_mev",
        "worst_twentieth_force_mev_a",
    ]
    first, second = made.to_dict("records")
    assert (first["model"], first["test_set"], first["n"]) == ("M", "T", 4)
    assert first["std_mev"] == pytest.approx(np.sqrt(26 / 4))
    assert first["q99_mev"] == pytest.approx(3.97)
    assert first["rmse_mev"] == pytest.approx(np.sqrt(26 / 4))
    assert first["mae_mev"] == pytest.approx(2)
    assert first["max_mev"] == first["worst_twentieth_mev"] == 4
    # An error that is always the same spreads about nothing, but is one.
    assert (second["test_set"], second["n"], second["std_mev"]) == ("U", 2, 0)
    assert second["rmse_mev"] == second["mae_mev"] == second["q99_mev"] == second["max_mev"] == 2


@pytest.mark.parametrize(("n", "mean"), [(1, 1), (20, 20), (21, 20.5), (40, 39.5), (41, 40), (250, 244)])
def test_the_worst_twentieth_of_the_first_n_numbers(n, mean):
    """Of 1 to n these are the last ceil(n / 20), and their mean is half of the first and the last: (n - 12 + n) / 2."""
    sizes = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    assert worst_twentieth(sizes) == pytest.approx(mean)
    np.testing.assert_allclose(worst_twentieth(np.stack([sizes, 2 * sizes]), axis=1), [mean, 2 * mean])


def test_the_worst_twentieth_of_none_and_of_what_is_not_finite():
    assert np.isnan(worst_twentieth([]))
    assert worst_twentieth([1.0, np.inf]) == np.inf
    assert np.isnan(worst_twentieth([np.inf, np.nan]))


def test_rows_of_the_table_keep_the_order_of_the_study():
    order = [("Z", "Z"), ("Z", "A"), ("A", "Z"), ("A", "A")]
    made = errors(pd.concat([table(*pair, [1.0]) for pair in order]), NONE)
    assert list(zip(made["model"], made["test_set"], strict=True)) == order


def labelled(rank: int, symbols: str, forces, virial=None, **info) -> Atoms:
    atoms = Atoms(symbols, positions=np.arange(3 * len(forces)).reshape(-1, 3))
    atoms.info = {"rank": rank, "pool": "A", "candidate": rank, "REF_energy": 0.0, **info}
    atoms.arrays["REF_forces"] = np.array(forces, dtype=float)
    if virial is not None:
        atoms.info["REF_virial"] = np.ravel(virial)
    return atoms


VIRIAL = np.arange(9.0).reshape(3, 3) + np.arange(9.0).reshape(3, 3).T
FRAMES = [
    labelled(0, "ZrCu", [[1, 0, 0], [-1, 0, 0]], VIRIAL, source_config_type="bulk"),
    labelled(1, "Zr", [[0, 0, 0]], VIRIAL, source_config_type="bulk"),
    labelled(2, "Zr2", [[0, 0, 0.1], [0, 0, -0.1]], source_config_type="slab"),
]
FOUND = [
    # Off by 3, 4, 0 and 0, 0, -12 meV/angstrom.
    Label(0.002, np.array([[1.003, 0.004, 0], [-1, 0, -0.012]]), VIRIAL + 0.002 * np.eye(3)),
    Label(-0.001, np.zeros((1, 3)), VIRIAL + 0.003),
    Label(0.002, np.array([[0, 0, 0.101], [0, 0, -0.103]]), np.zeros((3, 3))),
]


def compared() -> tuple[pd.DataFrame, Forces]:
    return predictions("M", {"T": FRAMES}, {"T": FOUND}), Forces.of(FRAMES, FOUND)


def test_errors_of_forces_and_virials_by_hand():
    """Lengths of errors: 5, 12, 0, 1, 3; squares of components: 9, 16, 144, 1, 9 of fifteen."""
    made, forces = compared()
    assert made["config_type"].tolist() == ["bulk", "bulk", "slab"]
    np.testing.assert_allclose(made["rmse_force_mev_a"], np.sqrt([169 / 6, 0, 10 / 6]), atol=1e-9)
    np.testing.assert_allclose(made["max_force_mev_a"], [12, 0, 3], atol=1e-9)
    # Per atom: 1 meV on the diagonal, which is half of six components; 3 meV everywhere; no label.
    np.testing.assert_allclose(made["rmse_virial_mev"], [np.sqrt(0.5), 3, np.nan])
    (row,) = errors(made, forces).to_dict("records")
    assert row["rmse_force_mev_a"] == pytest.approx(np.sqrt(179 / 15))
    assert row["q99_force_mev_a"] == pytest.approx(5 + 0.96 * 7)
    assert row["max_force_mev_a"] == row["worst_twentieth_force_mev_a"] == pytest.approx(12)
    assert row["rmse_virial_mev"] == pytest.approx(np.sqrt((0.5 + 9) / 2))
    # The cell of one atom is held by symmetry.
    assert (row["n_forces"], row["n_forces_zero"]) == (5, 1)


def test_components_of_virials_are_points_of_the_figure():
    made, _ = compared()
    # Per atom, of two and of one; the third has no label.
    assert made["reference_virial_yz_ev"].tolist() == [6, 12, pytest.approx(np.nan, nan_ok=True)]
    np.testing.assert_allclose(made["predicted_virial_xx_ev"], [0.001, 0.003, np.nan])
    points = virial_components(made)
    np.testing.assert_allclose(points["reference_virial_ev"], [0, 4, 8, 6, 4, 2, 0, 8, 16, 12, 8, 4])
    np.testing.assert_allclose(points["error_virial_mev"], [1, 1, 1, 0, 0, 0, *[3] * 6], atol=1e-9)
    assert set(points["test_set"]) == {"T"} and virial_components(made.iloc[:0]).empty


def test_errors_by_config_type_and_element_by_hand():
    made = errors_by_group(*compared())
    assert made.columns[:5].tolist() == ["model", "test_set", "kind", "group", "n"]
    assert list(zip(made["kind"], made["group"], made["n"], made["n_forces"], strict=True)) == [
        ("config_type", "bulk", 2, 3),
        ("config_type", "slab", 1, 2),
        ("element", "Cu", 1, 1),
        ("element", "Zr", 3, 4),
    ]
    np.testing.assert_allclose(made["rmse_mev"], [1, 1, np.nan, np.nan])
    np.testing.assert_allclose(made["rmse_force_mev_a"], np.sqrt([169 / 9, 10 / 6, 144 / 3, 35 / 12]))
    np.testing.assert_allclose(made["max_force_mev_a"], [12, 3, 12, 5])
    np.testing.assert_allclose(made["rmse_virial_mev"], [np.sqrt(4.75), np.nan, np.nan, np.nan])
    np.testing.assert_allclose(made["worst_twentieth_mev"], [1, 1, np.nan, np.nan])
    np.testing.assert_allclose(made["worst_twentieth_force_mev_a"], [12, 3, 12, 5])


def test_a_prediction_that_is_no_number_is_an_error_without_end_and_no_missing_label():
    found = [Label(0.0, np.full((2, 3), np.nan), np.full((3, 3), np.nan)), *FOUND[1:]]
    (row,) = errors(predictions("M", {"T": FRAMES}, {"T": found}), Forces.of(FRAMES, found)).to_dict("records")
    assert row["rmse_force_mev_a"] == row["max_force_mev_a"] == row["rmse_virial_mev"] == np.inf


def test_what_has_no_forces_has_no_errors_of_forces():
    frames = [frame(0, 2, -1.0), *FRAMES[2:]]
    made, forces = predictions("M", {"T": frames}, {"T": FOUND[1:]}), Forces.of(frames, FOUND[1:])
    assert forces.structures.tolist() == [1, 1]
    assert errors(made, forces)[["n", "n_forces"]].values.tolist() == [[2, 2]]
    (row,) = errors(made.iloc[:1], NONE).to_dict("records")
    assert np.isnan([row["rmse_force_mev_a"], row["q99_force_mev_a"], row["max_force_mev_a"]]).all()
    assert sample(made, NONE, 1).empty
    assert errors_by_group(made.iloc[:1], NONE).empty


def test_forces_survive_their_file(tmp_path):
    _, forces = compared()
    forces.write(tmp_path / "forces.npz")
    again = Forces.read(tmp_path / "forces.npz")
    for name in ("structures", "numbers", "reference", "predicted"):
        assert np.array_equal(getattr(again, name), getattr(forces, name))


def test_a_small_sample_holds_every_atom_that_can_move():
    made = sample(*compared(), 1)
    assert made[["rank", "atom", "element"]].values.tolist() == [[0, 0, "Zr"], [0, 1, "Cu"], [2, 0, "Zr"], [2, 1, "Zr"]]
    np.testing.assert_allclose(made["error_mev_a"], [5, 12, 1, 3])
    assert made.loc[1, ["reference_x_ev_a", "predicted_z_ev_a"]].tolist() == [-1, -0.012]


def test_a_sample_has_the_distribution_of_all_errors_and_the_worst():
    sizes = np.random.default_rng(3).permutation(np.arange(1.0, 1001.0))
    frames = [labelled(0, "Zr1000", np.ones((1000, 3)))]
    found = [Label(0.0, 1 + sizes[:, None] * [0.001, 0, 0], None)]
    made = sample(predictions("M", {"T": frames}, {"T": found}), Forces.of(frames, found), SHOWN // 100)
    assert sorted(made["error_mev_a"].round().tolist()) == list(range(10, 1001, 10))
    assert made["atom"].is_monotonic_increasing


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
    flagged = flag_duplicates(pd.DataFrame(rows), features, COVARIANCE)
    of = {pair: group["duplicate"].tolist() for pair, group in flagged.groupby(["model", "test_set"])}
    assert of["P", "P"] == [True, True]
    assert of["P", "Q"] == [False, False, True, True]
    assert of["Q", "P"] == [True, True]
    assert of["Q", "Q"] == [True] * 4
    assert flagged.columns.tolist() == ["model", "test_set", "rank", "error_mev", "duplicate"]
    assert flagged.drop(columns="duplicate").equals(pd.DataFrame(rows))


def test_what_is_left_without_duplicates():
    made = duplicates(
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
    made = duplicates(table("P", "P", [1.0], [True]))
    assert made.columns.tolist() == ["model", "test_set", "n_duplicates", "q99_mev_without"]
    assert len(made) == 0


def test_bootstrap_of_equal_errors_is_the_worst_off_sample_error_itself():
    rows = [("M", "M", 90.0), ("M", "T", 3.0), ("M", "U", -5.0), ("T", "T", 1.0), ("T", "M", 2.0), ("T", "U", 0.5)]
    whole = pd.concat([table(model, test_set, [error] * 4) for model, test_set, error in rows])
    drawn = bootstrap(whole, np.random.default_rng(1), draws=3)
    assert drawn["draw"].tolist() == [0, 0, 1, 1, 2, 2]
    assert drawn["model"].tolist() == ["M", "T"] * 3
    assert drawn["worst_mev"].tolist() == drawn["worst_twentieth_mev"].tolist() == [5.0, 2.0] * 3


def test_bootstrap_of_two_errors_takes_each_pair_as_often_as_it_should():
    """Of {0, 1}, 0.99 quantiles of draws of two: 0 a quarter of the time, 0.99 half of it and 1 a quarter of it."""
    drawn = bootstrap(table("M", "T", [0.0, 1.0]), np.random.default_rng(1), draws=4000)
    shares = drawn["worst_mev"].value_counts(normalize=True)
    assert set(shares.index) == {0.0, 0.99, 1.0}
    # Four standard deviations of a share of 4000.
    np.testing.assert_allclose(shares[[0.0, 0.99, 1.0]], [0.25, 0.5, 0.25], atol=4 * 0.5 / np.sqrt(4000))
    # The worst of two is 0 only where both are.
    np.testing.assert_array_equal(drawn["worst_twentieth_mev"], (drawn["worst_mev"] > 0).astype(float))


def test_bootstrap_tests_all_models_on_the_same_structures_of_a_draw():
    """Twice the errors on the same structures, whatever the order of the rows, are twice as large in every draw."""
    errors = np.array([1.0, -7.0, 3.0, 2.0, 9.0])
    two = pd.concat([table("M", "T", errors), table("N", "T", 2 * errors).iloc[::-1]])
    drawn = bootstrap(two, np.random.default_rng(7), draws=50).pivot(index="draw", columns="model", values="worst_mev")
    np.testing.assert_array_equal(drawn["N"], 2 * drawn["M"])
    assert drawn["M"].nunique() > 1


def test_bootstrap_without_off_sample_tests_is_empty():
    assert bootstrap(table("M", "M", [1.0, 2.0]), np.random.default_rng(1)).empty
