"""Method k_medoids: brute force over all sets of medoids, swaps, fixed medoids, samples of large pools."""

import itertools

import numpy as np
import pytest

from gapdesign.descriptors.environments import on_grid
from gapdesign.errors import InputError
from gapdesign.methods.k_medoids import KMedoidsMethod, KMedoidsOptions
from gapdesign.methods.shared.distance import between
from toy_pools import COVARIANCE, assert_same_however_cut, features, task


def distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    gram = COVARIANCE.gram(rows, others)
    squared = COVARIANCE.diagonal(rows)[:, None] + COVARIANCE.diagonal(others) - 2 * gram
    return np.sqrt(np.maximum(squared, 0))


def loss(rows: np.ndarray, members) -> float:
    return float(distances(rows, rows[list(members)]).min(axis=1).mean())


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_sets_is_found_or_nearly(seed):
    rows = features(14, seed=seed)
    chosen = KMedoidsMethod.select(task(rows, 3)).candidates
    best = min(loss(rows, members) for members in itertools.combinations(range(14), 3))
    assert loss(rows, chosen) <= 1.03 * best


def test_no_swap_lowers_the_sum_of_distances():
    rows = features(80)
    chosen = KMedoidsMethod.select(task(rows, 6)).candidates.tolist()
    for place, other in itertools.product(range(6), set(range(80)) - set(chosen)):
        swapped = [*chosen[:place], other, *chosen[place + 1 :]]
        assert loss(rows, swapped) >= loss(rows, chosen) - 1e-6


def test_existing_structures_are_medoids_that_stay():
    rows = features(60, seed=5)
    existing = [1, 2, 3]
    chosen = KMedoidsMethod.select(task(rows, 3, existing=rows[existing])).candidates.tolist()
    assert not set(existing) & set(chosen)
    for place, other in itertools.product(range(3), set(range(60)) - set(chosen) - set(existing)):
        swapped = [*chosen[:place], other, *chosen[place + 1 :]]
        assert loss(rows, existing + swapped) >= loss(rows, existing + chosen) - 1e-6


def test_ranks_are_in_the_order_in_which_they_lower_the_mean_distance():
    rows = features(50)
    selection = KMedoidsMethod.select(task(rows, 5))
    for rank in range(5):
        before, left = selection.candidates[:rank].tolist(), selection.candidates[rank:].tolist()
        assert loss(rows, [*before, left[0]]) == pytest.approx(min(loss(rows, [*before, one]) for one in left))
        assert selection.scores[rank] == pytest.approx(loss(rows, [*before, left[0]]), rel=1e-5)


def test_distances_are_those_of_the_kernel():
    rows = features(10)
    found = between(on_grid(rows[:4]).astype(float), on_grid(rows).astype(float), COVARIANCE)
    np.testing.assert_allclose(found, distances(rows[:4], rows), atol=2e-4)


def test_a_large_pool_is_seen_through_samples_of_which_the_best_counts():
    rows = features(200)
    one = KMedoidsMethod.select(task(rows, 4, options=KMedoidsOptions(sample=30, samples=1))).candidates
    many = KMedoidsMethod.select(task(rows, 4, options=KMedoidsOptions(sample=30, samples=8))).candidates
    assert loss(rows, many) < loss(rows, one)
    assert loss(rows, many) < 1.1 * loss(rows, KMedoidsMethod.select(task(rows, 4)).candidates)


def test_a_budget_that_takes_the_whole_pool():
    rows = features(5)
    assert sorted(KMedoidsMethod.select(task(rows, 9)).candidates.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("sample", [40, 5000])
def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path, sample):
    given = {"options": KMedoidsOptions(sample=sample)}
    assert_same_however_cut(KMedoidsMethod.select, features(120), 10, tmp_path, **given)


def test_memory_is_asked_for_before_it_is_taken():
    with pytest.raises(InputError, match=r"selection\.memory: k_medoids keeps the distances of all pairs of 3000"):
        KMedoidsMethod.select(task(features(3000), 5, memory=64))
