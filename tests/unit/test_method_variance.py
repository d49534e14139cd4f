"""Method variance: rounds by their definition, and the batch of one that is max-entropy's greedy choice."""

import numpy as np

from gapdesign.methods.maxent import MaxentMethod, MaxentOptions
from gapdesign.methods.random import RandomMethod
from gapdesign.methods.variance import VarianceMethod, VarianceOptions
from toy_pools import COVARIANCE, assert_same_however_cut, features, task


def posterior(rows: np.ndarray, known: np.ndarray, noise: float) -> np.ndarray:
    gram = COVARIANCE.gram(rows, rows)
    cross = gram[known]
    solved = np.linalg.solve(cross[:, known] + noise * np.eye(len(known)), cross)
    return gram.diagonal() - np.einsum("ij,ij->j", cross, solved)


def test_each_round_has_the_largest_variances_before_it():
    rows, options = features(150), VarianceOptions(batch=4, noise=1e-2)
    chosen = VarianceMethod.select(task(rows, 14, options=options)).candidates
    for start in (4, 8, 12):
        value = posterior(rows, chosen[:start], 1e-2)
        value[chosen[:start]] = -np.inf
        expected = np.argsort(-value, kind="stable")[: min(4, 14 - start)]
        assert chosen[start : start + 4].tolist() == expected.tolist()


def test_the_first_round_is_drawn_blindly():
    rows = features(60)
    drawn = RandomMethod.select(task(rows, 10)).candidates
    assert VarianceMethod.select(task(rows, 10)).candidates.tolist() == drawn.tolist()


def test_rounds_of_one_without_noise_are_the_greedy_choice_of_maximum_entropy():
    rows = features(100)
    existing = {"existing": rows[[5, 6]]}
    ones = VarianceMethod.select(task(rows, 12, options=VarianceOptions(batch=1, noise=0), **existing))
    greedy = MaxentMethod.select(task(rows, 12, options=MaxentOptions(exchange=False), **existing))
    assert ones.candidates.tolist() == greedy.candidates.tolist()


def test_rounds_take_near_copies_which_single_steps_do_not():
    """A cluster far from all else: its members all have the largest variance until one of them is known."""
    rows = features(100)
    rows[:20] = rows[0] + 1e-4 * features(20, seed=1)
    existing = {"existing": rows[50:]}
    rounds = VarianceMethod.select(task(rows, 8, options=VarianceOptions(batch=8), **existing)).candidates
    single = VarianceMethod.select(task(rows, 8, options=VarianceOptions(batch=1), **existing)).candidates
    assert sum(rounds < 20) > sum(single < 20)


def test_copies_of_what_exists_are_passed_over():
    rows = features(20)
    chosen = VarianceMethod.select(task(rows, 20, existing=rows[[2, 7]])).candidates
    assert sorted(chosen.tolist()) == sorted(set(range(20)) - {2, 7})


def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path):
    assert_same_however_cut(VarianceMethod.select, features(120), 25, tmp_path, existing=features(3, seed=9))
