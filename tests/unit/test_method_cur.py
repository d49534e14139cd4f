"""Methods cur and cur_environments: leverage by singular vectors, draws in proportion to it."""

import numpy as np
import pytest
from scipy import stats

from gapdesign.methods.cur import CurMethod, CurOptions
from gapdesign.methods.cur_environments import CurEnvironmentsMethod, CurEnvironmentsOptions
from gapdesign.methods.shared.leverage import Leverage, draw
from gapdesign.methods.shared.rows import linear_features
from toy_pools import COVARIANCE, assert_same_however_cut, environments, features, task


def by_svd(matrix: np.ndarray, count: int) -> np.ndarray:
    """Mahoney and Drineas 2009, equation 3, for rows, times their number."""
    left, _, _ = np.linalg.svd(matrix, full_matrices=False)
    return (left[:, :count] ** 2).mean(axis=1) * len(matrix)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_leverage_is_that_of_the_left_singular_vectors(count):
    matrix = np.random.default_rng(0).standard_normal((50, 6))
    np.testing.assert_allclose(Leverage(matrix, count, np.zeros((0, 6))).of(matrix), by_svd(matrix, count), rtol=1e-5)


def test_what_exists_is_taken_out_of_the_matrix():
    rng = np.random.default_rng(1)
    matrix, existing = rng.standard_normal((50, 6)), rng.standard_normal((2, 6))
    basis, _ = np.linalg.qr(existing.T)
    rest = matrix - (matrix @ basis) @ basis.T
    found = Leverage(matrix, 4, existing)
    np.testing.assert_allclose(found.of(matrix), by_svd(rest, 4), rtol=1e-5)
    np.testing.assert_allclose(found.of(existing), 0, atol=1e-10)


def test_draws_are_without_replacement_and_in_proportion_to_the_scores():
    """Of 4,000 draws of two of four, how often each pair comes in which order, against the exact probabilities."""
    scores = np.array([4.0, 2.0, 1.0, 1.0])
    counts = np.zeros((4, 4))
    for number in range(4000):
        first, second, *_ = draw(scores, f"seed {number}")
        counts[first, second] += 1
    expected = scores[:, None] * scores / (scores.sum() - scores)[:, None] / scores.sum()
    np.fill_diagonal(expected, 0)
    off = ~np.eye(4, dtype=bool)
    assert stats.chisquare(counts[off], 4000 * expected[off]).pvalue > 1e-3


def test_what_has_no_leverage_comes_last():
    order = draw(np.array([0.0, 1, 0, 2, 1e-20]), "s")
    assert set(order[:2].tolist()) == {1, 3}
    assert order[2:].tolist() == [0, 2, 4]


def test_a_pool_that_grows_keeps_the_lots_of_its_candidates():
    short, long = draw(np.ones(50), "s"), draw(np.ones(80), "s")
    assert long[long < 50].tolist() == short.tolist()


def test_the_largest_scores_may_be_taken():
    rows = features(90)
    selection = CurMethod.select(task(rows, 7, options=CurOptions(draw="largest", features=4)))
    scores = by_svd(linear_features(rows, COVARIANCE).astype(float), 4)
    assert selection.candidates.tolist() == np.argsort(-scores)[:7].tolist()
    np.testing.assert_allclose(selection.scores, np.sort(scores)[::-1][:7], rtol=1e-4)


def test_drawn_structures_have_more_leverage_than_the_pool():
    rows = features(300)
    assert CurMethod.select(task(rows, 40, options=CurOptions(features=2))).scores.mean() > 1.1


def test_existing_structures_are_not_drawn_again():
    rows = features(30)
    chosen = CurMethod.select(task(rows, 30, existing=rows[[4, 9]], options=CurOptions(features=2))).candidates
    assert sorted(chosen.tolist()) == sorted(set(range(30)) - {4, 9})


@pytest.mark.parametrize("how", ["random", "largest"])
def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path, how):
    assert_same_however_cut(CurMethod.select, features(120), 20, tmp_path, options=CurOptions(draw=how))


@pytest.mark.parametrize("species", [1, 2])
def test_leverages_of_atoms_are_summed(species):
    """Every atom is a row of the matrix, however many have the same environment."""
    there, options = environments(40, species=species), CurEnvironmentsOptions(draw="largest", features=3)
    selection = CurEnvironmentsMethod.select(task(features(40), 40, environments=there, options=options))
    atoms = np.repeat(np.arange(len(there.vectors)), there.multiplicities)
    structures = np.repeat(np.repeat(np.arange(40), np.diff(there.offsets)), there.multiplicities)
    expected = np.zeros(40)
    for z in range(40, 40 + species):
        mine = there.species[atoms] == z
        scores = by_svd(there.vectors[atoms[mine]].astype(float), 3) / mine.sum()
        # In units of the mean over the weighted rows that the method has of a species: one an environment.
        expected += np.bincount(structures[mine], scores * (there.species == z).sum(), minlength=40)
    np.testing.assert_allclose(selection.scores, expected[selection.candidates], rtol=1e-4)
    assert (np.diff(expected[selection.candidates]) <= 1e-5).all()


def test_atoms_of_what_exists_are_taken_out():
    there = environments(30)
    options = CurEnvironmentsOptions(draw="largest", features=5)
    given = {"environments": there, "options": options, "existing": features(1, seed=8)}
    alone = CurEnvironmentsMethod.select(task(features(30), 5, **given))
    beside = CurEnvironmentsMethod.select(task(features(30), 5, existing_environments=there.one(7), **given))
    assert 7 not in beside.candidates
    assert beside.candidates.tolist() != alone.candidates.tolist()
