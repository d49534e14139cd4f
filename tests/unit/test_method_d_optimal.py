"""D-optimal designs: textbook designs of polynomials, brute force, Fedorov's delta, criteria by their definitions."""

import itertools

import numpy as np
import pytest

from gapdesign.errors import InputError
from gapdesign.methods.d_optimal import DOptimalMethod, DOptimalOptions
from gapdesign.methods.d_optimal.optimality import coordinate_exchange, exchange, greedy, log_det, scores
from gapdesign.methods.shared.rows import TransformedRows, linear_features, principal
from toy_pools import COVARIANCE, assert_same_however_cut, features, task

NOTHING = {order: np.zeros((0, order + 1)) for order in (1, 2, 3)}


def polynomial(points: np.ndarray, order: int) -> np.ndarray:
    return np.asarray(points, float).reshape(-1, 1) ** np.arange(order + 1)


SUPPORT = {1: [-1, 1], 2: [-1, 0, 1], 3: [-1, -(0.2**0.5), 0.2**0.5, 1]}
"""D-optimal points of polynomials on [-1, 1]: the ends, and the zeros of the derivative of a Legendre polynomial."""


@pytest.mark.parametrize("order", [1, 2, 3])
def test_eight_points_of_a_polynomial_by_exchange_are_those_of_the_textbook(order):
    """BR figure 7: for the cubic, four points twice each."""
    grid = np.linspace(-1, 1, 2001)
    candidates = polynomial(grid, order)
    start = greedy(candidates, 8, NOTHING[order], repeats=True)
    points = np.sort(grid[exchange(candidates, start, NOTHING[order], repeats=True)])
    times = 8 // (order + 1)
    assert len(points) == 8
    for point in SUPPORT[order]:
        assert (np.abs(points - point) <= 1e-3).sum() in (times, times + 1)
    assert all(np.abs(np.array(SUPPORT[order]) - point).min() <= 1e-3 for point in points)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_coordinate_exchange_makes_the_same_points_without_candidates(order):
    starts = np.random.default_rng(order).random((8, 1))
    found = coordinate_exchange(lambda x: polynomial(2 * x - 1, order), starts, np.linspace(0, 1, 21))
    points = 2 * found[:, 0] - 1
    assert all(np.abs(np.array(SUPPORT[order]) - point).min() < 1e-4 for point in points)
    for point in SUPPORT[order]:
        assert (np.abs(points - point) < 1e-4).sum() >= 8 // (order + 1)


def test_coordinate_exchange_in_two_dimensions_finds_the_factorial_design():
    """A linear model with interaction on a square: its four corners, twice each."""

    def model(x: np.ndarray) -> np.ndarray:
        a, b = 2 * x.T - 1
        return np.column_stack([np.ones_like(a), a, b, a * b])

    found = coordinate_exchange(model, np.random.default_rng(0).random((8, 2)), np.linspace(0, 1, 11), refinements=2)
    _, counts = np.unique(np.round(found), axis=0, return_counts=True)
    np.testing.assert_allclose(found, np.round(found), atol=1e-12)
    assert counts.tolist() == [2, 2, 2, 2]
    assert log_det(model(found)) == pytest.approx(4 * np.log(8))


def test_criteria_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    design, candidates = rng.random((9, 3)), rng.random((50, 3))
    inverse = np.linalg.inv(design.T @ design)
    found = scores(design, candidates)
    assert found.d == pytest.approx(-np.log(np.linalg.det(inverse)))
    assert found.a == pytest.approx(np.trace(inverse))
    assert found.e == pytest.approx(1 / np.linalg.eigvalsh(inverse)[-1])
    assert found.g == pytest.approx(max(x @ inverse @ x for x in candidates))
    singular = scores(design[:2], candidates)
    assert (singular.d, singular.a, singular.e, singular.g) == (-np.inf, np.inf, 0, np.inf)


def test_the_largest_prediction_variance_of_a_d_optimal_design_is_the_least_there_is():
    """Kiefer and Wolfowitz 1960: p / n, attained by the design that is D-optimal with weights."""
    design = polynomial(np.repeat(SUPPORT[3], 2), 3)
    assert scores(design, polynomial(np.linspace(-1, 1, 1001), 3)).g == pytest.approx(4 / 8)


@pytest.mark.parametrize("seed", range(4))
def test_exchange_never_lowers_the_determinant_and_ends_where_no_swap_helps(seed):
    rng = np.random.default_rng(seed)
    candidates, existing = rng.standard_normal((30, 3)), rng.standard_normal((seed, 3))

    def value(members) -> float:
        return log_det(np.concatenate([existing, candidates[list(members)]]))

    start = rng.permutation(30)[:5].tolist()
    best = exchange(candidates, start, existing)
    assert len(set(best)) == 5
    assert value(best) >= value(start)
    for place, other in itertools.product(range(5), set(range(30)) - set(best)):
        assert value([*best[:place], other, *best[place + 1 :]]) <= value(best) + 2e-9
    everything = max(value(members) for members in itertools.combinations(range(30), 5))
    assert value(exchange(candidates, greedy(candidates, 5, existing), existing)) > everything - 0.3


def test_a_pool_gives_a_set_that_no_swap_improves():
    rows = features(60)
    selection = DOptimalMethod.select(task(rows, 8, options=DOptimalOptions(features=5)))
    held = TransformedRows(task(rows, 8).pool, lambda block: linear_features(block, COVARIANCE))
    directions, _ = principal(held.sample(), 5)
    components = held.take(range(60)) @ directions
    members = selection.candidates.tolist()
    for place, other in itertools.product(range(8), set(range(60)) - set(members)):
        swapped = [*members[:place], other, *members[place + 1 :]]
        assert log_det(components[swapped]) <= log_det(components[members]) + 2e-9


def test_scores_add_up_to_the_log_det():
    rows = features(60)
    job = task(rows, 8, options=DOptimalOptions(features=5))
    selection = DOptimalMethod.select(job)
    held = TransformedRows(job.pool, lambda block: linear_features(block, COVARIANCE))
    directions, _ = principal(held.sample(), 5)
    members = held.take(selection.candidates) @ directions
    ridge = 1e-8 * np.square(members).sum(axis=1).mean() / 5
    total = log_det(members) - 5 * np.log(ridge)
    assert selection.scores.sum() == pytest.approx(total, abs=1e-4)


def test_principal_directions_are_singular_vectors():
    rows = np.random.default_rng(0).standard_normal((40, 6))
    directions, shares = principal(rows, 4)
    _, values, vectors = np.linalg.svd(rows)
    np.testing.assert_allclose(shares, values[:4] ** 2 / 40)
    np.testing.assert_allclose(np.abs(directions.T @ vectors[:4].T), np.eye(4), atol=1e-6)


def test_an_existing_set_counts_and_is_not_chosen_again():
    rows = features(40)
    options = DOptimalOptions(features=3)
    alone = DOptimalMethod.select(task(rows, 4, options=options)).candidates
    beside = DOptimalMethod.select(task(rows, 4, options=options, existing=rows[alone])).candidates
    assert not set(alone) & set(beside)


def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path):
    assert_same_however_cut(DOptimalMethod.select, features(120), 12, tmp_path, existing=features(2, seed=5))


def test_more_features_than_structures_are_refused():
    with pytest.raises(InputError, match=r"d_optimal\.features: 9 weights need as many structures"):
        DOptimalMethod.select(task(features(20), 8, options=DOptimalOptions(features=9)))
