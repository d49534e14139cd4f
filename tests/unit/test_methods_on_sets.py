"""Methods replayed on labelled sets: what they choose from, the GAPs that judge, and the tables."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.files import write_array
from gapdesign.models.shared import leastsquares

STUDY = Path(__file__).parents[2] / "config/studies/methods-on-sets"


@pytest.fixture(scope="module")
def methods():
    sys.path.insert(0, str(STUDY))
    try:
        yield importlib.import_module("methods")
    finally:
        sys.path.remove(str(STUDY))
        for name in ("methods", "labelled", "measures", "compare", "tables"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def tables(methods):
    return sys.modules["tables"]


def test_strata_have_their_share_of_the_budget_rounded_down(methods):
    quotas = methods.in_proportion(np.array(["a"] * 7 + ["b"] * 2 + ["c"]), 5)
    assert quotas.wanted == {"a": 3, "b": 1}


def test_designs_are_judged_by_the_least_squares_that_gap_fit_solves(methods, tmp_path):
    rng = np.random.default_rng(0)
    half = rng.normal(size=(3, 3))
    covariance = half @ half.T + np.eye(3)
    write_array(tmp_path / "prior.npy", covariance)
    sizes = np.array([1, 2, 1, 3])
    rows = [rng.normal(size=(7 + 3 * size, 3)).astype(np.float32) for size in sizes]
    labels = [rng.normal(size=7 + 3 * size) for size in sizes]
    for own in labels:
        own[1:7] = np.nan  # no virials
    known = SimpleNamespace(sizes=sizes, labels=labels, judged=SimpleNamespace(one=lambda k: rows[k]))
    designs = [np.array([1]), np.array([1, 3])]
    found = methods.Judge(known, tmp_path).errors(designs, {"test": np.array([0, 2])})
    for design, errors in zip(designs, found, strict=True):
        gram, moment = covariance.copy(), np.zeros(3)
        for k in design:
            keep = np.isfinite(labels[k])
            expected = leastsquares.sigmas(sizes[k], **methods.ERRORS, virial=np.inf)[keep]
            weighted = rows[k][keep].astype(float) / expected[:, None]
            gram += weighted.T @ weighted
            moment += weighted.T @ (labels[k][keep] / expected)
        coefficients = np.linalg.solve(gram, moment)
        off = [rows[k] @ coefficients - labels[k] for k in (0, 2)]
        assert errors["test_energy_rmse"] == pytest.approx(1e3 * np.sqrt(np.mean([one[0] ** 2 for one in off])))
        forces = np.concatenate([one[7:] for one in off])
        assert errors["test_force_rmse"] == pytest.approx(1e3 * np.sqrt(np.mean(forces**2)))


def test_columns_that_no_frame_has_change_no_covariance(methods):
    rng = np.random.default_rng(1)
    layout, kernel = Layout(2, 5, 3), sys.modules["labelled"].PAIRS
    features = rng.random((6, layout.dimension)).astype(np.float32)
    features[:, [0, 3, 6, 9]] = 0.0
    features[:, [1]] = 0.0  # three columns of the first block are empty, two of the second
    short, less = sys.modules["labelled"].without_empty(features, layout)
    assert short.shape == (6, 2 * 3 + 2 + 3)
    expected = Covariance(layout, kernel).gram(features, features)
    np.testing.assert_allclose(Covariance(less, kernel).gram(short, short), expected, rtol=1e-6)


def _errors(of):
    rows = [
        {"set": "x", "share": 0.1, "split": split, "method": method, "draw": draw, "test_energy_rmse": error}
        for split in range(2)
        for method, errors in of.items()
        for draw, error in enumerate(errors)
    ]
    return pd.DataFrame(rows)


def test_a_method_that_is_the_geometric_mean_of_draws_has_their_error_and_the_middle_rank(tables):
    table = _errors({"random": [1.0, 4.0], "same": [2.0], "worst": [8.0]})
    ratios = tables.logs(table)["test_energy_rmse"].unstack("method")
    np.testing.assert_allclose(ratios["same"], 0.0, atol=1e-12)
    np.testing.assert_allclose(ratios["worst"], np.log(4.0))
    ranks = tables.ranks(table, "test_energy_rmse", ["random", "same", "worst"])
    assert ranks["x"].to_dict() == {"random": 1.5, "same": 1.5, "worst": 3.0}
