"""Method greedy_medoids: the plain greedy choice by brute force, the best of all sets, proof, budgets, samples."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gapdesign.errors import InputError
from gapdesign.methods import greedy_medoids
from gapdesign.methods.greedy_medoids import GreedyMedoidsMethod, GreedyMedoidsOptions
from toy_pools import COVARIANCE, assert_same_however_cut, features, task


def distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distances (n, m), by the covariance's defining computation."""
    return np.sqrt([COVARIANCE.distance2(others, row) for row in rows])


def mean(rows: np.ndarray, members, others: np.ndarray | None = None) -> float:
    """Mean distance of rows from the nearest of some of them, and of others; 2 if there is none."""
    points = np.concatenate([rows[np.array(members, int)], *([] if others is None else [others])])
    return float(distances(rows, points).min(axis=1, initial=2.0).mean())


def brute_force(rows: np.ndarray, budget: int, others: np.ndarray | None = None, costs=None, core_hours=np.inf):
    """The plain greedy choice: every candidate anew at every rank, by its fall over the square root of its cost."""
    costs, order, pairs = np.ones(len(rows)) if costs is None else costs, [], distances(rows, rows)
    near = np.full(len(rows), 2.0) if others is None else distances(rows, others).min(axis=1)
    while len(order) < budget:
        falls = np.maximum(near[:, None] - pairs, 0.0).mean(axis=0) / np.sqrt(costs)
        falls[order] = falls[costs > core_hours - costs[order].sum()] = -np.inf
        if falls.max() == -np.inf:
            break
        order.append(int(falls.argmax()))
        near = np.minimum(near, pairs[:, order[-1]])
    return order


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_plain_greedy_choice_and_proved(seed):
    rows = features(60, seed=seed)
    mine = task(rows, 12)
    found = GreedyMedoidsMethod.select(mine)
    assert found.candidates.tolist() == brute_force(rows, 12)
    falls = -np.diff([2.0, *(mean(rows, found.candidates[: k + 1]) for k in range(12))])
    np.testing.assert_allclose(found.scores, falls, atol=1e-6)
    left = [k for k in range(60) if k not in found.candidates]
    whole = mean(rows, found.candidates)
    most = max(whole - mean(rows, [*found.candidates, k]) for k in left)
    assert found.outside[-1] == pytest.approx(most, abs=1e-6)
    assert GreedyMedoidsMethod.first_wrong_rank(mine, found) is None


def test_neither_choice_nor_proof_scores_many_candidates_at_once(monkeypatch):
    """A pool's distances from thousands of others would not fit into memory together."""
    at_once, scores = [], greedy_medoids._Nearest.scores

    def counted(self, some):
        at_once.append(len(some))
        return scores(self, some)

    monkeypatch.setattr(greedy_medoids._Nearest, "scores", counted)
    mine = task(features(700), 3)
    found = GreedyMedoidsMethod.select(mine)
    chosen = len(at_once)
    assert GreedyMedoidsMethod.first_wrong_rank(mine, found) is None
    assert len(at_once) > chosen and max(at_once) <= greedy_medoids.CHUNK


def test_another_order_is_refused():
    mine = task(features(40), 6)
    found = GreedyMedoidsMethod.select(mine)
    swapped = found.candidates[[0, 2, 1, 3, 4, 5]]
    assert GreedyMedoidsMethod.first_wrong_rank(mine, replace(found, candidates=swapped)).rank == 1
    raised = replace(found, outside=found.outside * np.array([1, 1, 1, 1, 1, 1.01]))
    assert "the largest score left out" in GreedyMedoidsMethod.first_wrong_rank(mine, raised).reason
    twice = replace(found, candidates=found.candidates[[0, 1, 2, 3, 4, 0]])
    assert "chosen twice" in GreedyMedoidsMethod.first_wrong_rank(mine, twice).reason


@pytest.mark.parametrize("seed", range(4))
def test_the_fall_is_at_least_the_part_of_the_best_that_is_proved(seed):
    rows = features(13, seed=seed)
    found = GreedyMedoidsMethod.select(task(rows, 3))
    best = 2.0 - min(mean(rows, members) for members in itertools.combinations(range(13), 3))
    assert (1 - 1 / np.e) * best <= found.scores.sum() <= best + 1e-6


def test_typical_structures_come_first():
    """A cluster of many, one of few, and one far from both."""
    rng, centres = np.random.default_rng(0), features(3, seed=8)
    rows = np.concatenate([centres[[0] * 40], centres[[1] * 15], centres[[2]]]) + 0.001 * rng.random((56, 10))
    for part in (COVARIANCE.layout.soap[0], COVARIANCE.layout.pair):
        rows[:, part] /= np.linalg.norm(rows[:, part], axis=1, keepdims=True)
    first, second, third = GreedyMedoidsMethod.select(task(rows.astype(np.float32), 3)).candidates
    assert first < 40 <= second < 55 and third == 55


def test_existing_structures_are_continued():
    rows = features(60, seed=5)
    existing = rows[[1, 2, 3]]
    mine = task(rows, 5, existing=existing)
    found = GreedyMedoidsMethod.select(mine)
    assert found.candidates.tolist() == brute_force(rows, 5, existing)
    assert not {1, 2, 3} & set(found.candidates.tolist())
    assert found.scores.sum() == pytest.approx(
        mean(rows, [], existing) - mean(rows, found.candidates, existing), abs=1e-6
    )
    assert GreedyMedoidsMethod.first_wrong_rank(mine, found) is None


def test_copies_are_chosen_once():
    rows = np.repeat(features(4), 3, axis=0)
    found = GreedyMedoidsMethod.select(task(rows, 9))
    assert len(found.candidates) == 4 and set(found.candidates // 3) == {0, 1, 2, 3}
    assert all(candidate % 3 == 0 for candidate in found.candidates)


@pytest.mark.parametrize("seed", range(3))
def test_core_hours_buy_the_largest_fall_over_the_square_root_of_its_cost(seed):
    rows, costs = features(30, seed=seed), np.random.default_rng(seed).uniform(0.5, 5.0, 30)
    mine = task(rows, 30, costs=costs, core_hours=12.0)
    found = GreedyMedoidsMethod.select(mine)
    assert found.candidates.tolist() == brute_force(rows, 30, costs=costs, core_hours=12.0)
    assert costs[found.candidates].sum() <= 12.0
    assert GreedyMedoidsMethod.first_wrong_rank(mine, found) is None


def test_the_mean_may_be_that_of_a_sample_and_all_can_be_chosen():
    """The middle of all, which is not in the sample, comes first."""
    rows = features(200)
    middle = rows.mean(axis=0)
    for part in (COVARIANCE.layout.soap[0], COVARIANCE.layout.pair):
        middle[part] /= np.linalg.norm(middle[part])
    rows[1] = middle
    mine = task(rows, 8, options=GreedyMedoidsOptions(sample=50))
    found = GreedyMedoidsMethod.select(mine)
    assert found.candidates[0] == 1
    assert GreedyMedoidsMethod.first_wrong_rank(mine, found) is None
    whole = GreedyMedoidsMethod.select(task(rows, 8)).candidates
    assert mean(rows, whole) <= mean(rows, found.candidates) < 1.1 * mean(rows, whole)


@pytest.mark.parametrize("sample", [40, 5000])
def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path, sample):
    given = {"options": GreedyMedoidsOptions(sample=sample)}
    assert_same_however_cut(GreedyMedoidsMethod.select, features(120), 10, tmp_path, **given)


def test_nor_on_whether_its_distances_are_kept():
    rows = features(1500)
    kept, anew = (GreedyMedoidsMethod.select(task(rows, 5, memory=memory)) for memory in (1024, 20))
    assert kept.candidates.tolist() == anew.candidates.tolist()
    assert kept.scores.tobytes() == anew.scores.tobytes()


def test_memory_is_asked_for_before_it_is_taken():
    with pytest.raises(InputError, match=r"selection\.memory: greedy_medoids keeps distances from 3000 candidates"):
        GreedyMedoidsMethod.select(task(features(3000), 5, memory=16))
