"""Method bayesian: every score by its definition at every rank, and the same picks as factorising anew."""

import numpy as np
import pytest

from gapdesign.descriptors.environments import on_grid
from gapdesign.errors import InputError
from gapdesign.methods.bayesian import BayesianMethod, BayesianOptions
from gapdesign.methods.shared.rows import in_two, linear_features
from toy_pools import COVARIANCE, assert_same_however_cut, environments, features, task


def refactorised(candidates, scored, weights, budget, prior, score):
    """RK equations 1 to 6 by their definition: at each rank the inverse of the whole precision, anew.

    ``candidates`` are the rows that each structure adds, ``scored`` those that it is scored by.
    """
    precision, order, values = prior.copy(), [], []
    for _ in range(budget):
        covariance = np.linalg.inv(precision)
        if score == "entropy":
            added = [
                precision + rows.T @ (weight[:, None] * rows) for rows, weight in zip(candidates, weights, strict=True)
            ]
            base = np.linalg.slogdet(precision)[1]
            found = np.array([np.linalg.slogdet(one)[1] - base for one in added])
        elif score == "energy":
            found = np.array([(rows @ covariance @ rows.T).sum() for rows in scored])
        else:
            found = np.array([np.diag(rows @ covariance @ rows.T).max() for rows in scored])
        found[order] = -np.inf
        best = int(np.argmax(found))
        order.append(best)
        values.append(found[best])
        precision = precision + candidates[best].T @ (weights[best][:, None] * candidates[best])
    return order, values


@pytest.mark.parametrize("score", ["entropy", "energy"])
def test_mean_features_give_the_picks_of_factorising_anew(score):
    rows = features(120)
    options = BayesianOptions(score=score, noise=0.1)
    selection = BayesianMethod.select(task(rows, 30, options=options))
    vectors = linear_features(rows, COVARIANCE).astype(float)
    single = [row[None] for row in vectors]
    weights = [np.array([100.0])] * 120
    order, values = refactorised(single, single, weights, 30, np.eye(vectors.shape[1]), score)
    assert selection.candidates.tolist() == order
    np.testing.assert_allclose(selection.scores, values, rtol=1e-4)
    assert (np.diff(selection.scores) <= 1e-12).all()


def split(rows: np.ndarray, species: int) -> dict[int, np.ndarray]:
    """Rows of forces as derivatives by strain, which do not count, and positions; no species that has none."""
    blocks = np.split(np.concatenate([np.full((6, rows.shape[1]), 9.9), -rows]), species, axis=1)
    return {40 + number: block for number, block in enumerate(blocks) if block[6:].any()}


@pytest.mark.parametrize("species", [1, 2])
@pytest.mark.parametrize("score", ["entropy", "energy", "force"])
def test_environments_give_the_picks_of_factorising_anew(score, species):
    there = environments(40, seed=2, species=species)
    rng = np.random.default_rng(0)
    dimension = 5 * species
    derivatives = [
        rng.standard_normal((3 * len(there.one(k).species), dimension)).astype(np.float32) for k in range(40)
    ]
    options = BayesianOptions(score=score, rows="environments", noise=0.2)
    job = task(
        features(40), 15, environments=there, options=options, derivatives=lambda k: split(derivatives[k], species)
    )
    selection = BayesianMethod.select(job)
    candidates, scored, weights = [], [], []
    for k in range(40):
        one = there.one(k)
        rows = np.zeros((len(one.species), species, 5))
        rows[np.arange(len(rows)), one.species - 40] = one.vectors
        rows, atoms = rows.reshape(len(rows), -1), one.multiplicities
        weight = 25.0 * atoms
        if score == "force":
            candidates.append(np.vstack([rows, derivatives[k]]))
            weights.append(np.concatenate([weight, np.full(len(derivatives[k]), 25.0)]))
            scored.append(derivatives[k].astype(float))
        else:
            candidates.append(rows)
            weights.append(weight)
            # Equation 5: every atom has a row, and all pairs of the structure's atoms are summed.
            scored.append(np.repeat(rows, atoms, axis=0) / atoms.sum())
    order, values = refactorised(candidates, scored, weights, 15, np.eye(dimension), score)
    assert selection.candidates.tolist() == order
    np.testing.assert_allclose(selection.scores, values, rtol=1e-4, atol=1e-6)


def test_the_entropy_score_takes_what_leaves_the_least_entropy():
    """The sign of RK's equation 4 is not followed: of a long row and a short one, the long one teaches more."""
    rows = features(50)
    selection = BayesianMethod.select(task(rows, 20, options=BayesianOptions(noise=0.1)))
    vectors = linear_features(rows[selection.candidates], COVARIANCE).astype(float)
    information = np.linalg.slogdet(np.eye(10) + 100 * vectors.T @ vectors)[1]
    assert selection.scores.sum() == pytest.approx(information, rel=1e-6)
    others = linear_features(rows[np.setdiff1d(np.arange(50), selection.candidates)[:20]], COVARIANCE).astype(float)
    assert information > np.linalg.slogdet(np.eye(10) + 100 * others.T @ others)[1]


@pytest.mark.parametrize("rows_of", ["structure", "environments"])
def test_an_existing_set_is_the_prior(rows_of):
    """Choosing 12 at once is choosing 5 and then 7 with the 5 as what exists."""
    rows, there = features(60), environments(60, seed=4)
    options = BayesianOptions(rows=rows_of, noise=0.1)
    given = {"options": options, "environments": there}
    whole = BayesianMethod.select(task(rows, 12, **given))
    first = whole.candidates[:5]
    parts = type(there).joined([there.one(int(k)) for k in first])
    rest = BayesianMethod.select(task(rows, 7, existing=rows[first], existing_environments=parts, **given))
    assert rest.candidates.tolist() == whole.candidates[5:].tolist()
    np.testing.assert_allclose(rest.scores, whole.scores[5:], rtol=1e-6)


def test_small_noise_gives_the_greedy_d_optimal_order():
    """As the noise vanishes the entropy score is pivoted Gram-Schmidt, as long as there are directions left."""
    from gapdesign.methods.d_optimal.optimality import greedy

    rows = features(80)
    vectors = linear_features(rows, COVARIANCE).astype(float)
    chosen = BayesianMethod.select(task(rows, 8, options=BayesianOptions(noise=1e-4))).candidates
    # All rows have the same length but for rounding, so that the first is a tie and is given.
    residual, order = vectors.copy(), [int(chosen[0])]
    for _ in range(7):
        unit = residual[order[-1]] / np.linalg.norm(residual[order[-1]])
        residual = residual - np.outer(residual @ unit, unit)
        order.append(int(np.argmax((residual**2).sum(axis=1))))
    assert chosen.tolist() == order
    assert len(greedy(vectors, 8, np.zeros((0, 10)))) == 8


def test_a_pool_smaller_than_the_budget_is_chosen_whole():
    assert sorted(BayesianMethod.select(task(features(5), 9)).candidates.tolist()) == [0, 1, 2, 3, 4]


def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path):
    assert_same_however_cut(BayesianMethod.select, features(120), 20, tmp_path, existing=features(3, seed=7))


def test_forces_without_derivatives_are_refused():
    options = BayesianOptions(score="force")
    with pytest.raises(InputError, match=r"bayesian\.score: 'force' needs derivatives"):
        BayesianMethod.select(task(features(9), 2, environments=environments(9), options=options))


def test_memory_is_asked_for_before_it_is_taken():
    options = BayesianOptions(rows="environments")
    there = environments(4000, width=200)
    with pytest.raises(InputError, match=r"selection\.memory: bayesian keeps the rows of \d+ environments"):
        BayesianMethod.select(task(features(4000), 2, environments=there, options=options, memory=4))


def test_products_with_a_matrix_in_two_parts_are_exact_however_rows_are_cut():
    rng = np.random.default_rng(3)
    rows = on_grid(rng.normal(size=(200, 300)) / 40).astype(float)
    matrix = np.linalg.inv(np.eye(300) + 1e4 * rows[:9].T @ rows[:9])
    parts = in_two(matrix)
    whole = rows @ parts[0] + rows @ parts[1]
    for block in (1, 7, 64):
        cut = [rows[k : k + block] @ parts[0] + rows[k : k + block] @ parts[1] for k in range(0, 200, block)]
        assert np.concatenate(cut).tobytes() == whole.tobytes()
    assert np.abs(whole - rows @ matrix).max() < 1e-12
