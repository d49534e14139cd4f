"""Method maxent: the greedy choice by its definition, identities of log det, and brute force over all sets."""

import itertools

import numpy as np
import pytest

from gapdesign.errors import InputError
from gapdesign.methods.maxent import MaxentMethod, MaxentOptions, exchange
from gapdesign.methods.shared.rows import TransformedRows
from gapdesign.shards import HeldPool
from toy_pools import COVARIANCE, assert_same_however_cut, features, task

GREEDY = MaxentOptions(exchange=False)


def log_det(rows: np.ndarray) -> float:
    return float(np.linalg.slogdet(COVARIANCE.gram(rows, rows))[1])


def conditional(rows: np.ndarray, known: list[int]) -> np.ndarray:
    """Variances given what is known, by their definition."""
    gram = COVARIANCE.gram(rows, rows)
    if not known:
        return gram.diagonal().copy()
    cross = gram[known]
    return gram.diagonal() - np.einsum("ij,ij->j", cross, np.linalg.solve(cross[:, known], cross))


def test_each_greedy_rank_has_the_largest_variance_given_those_before():
    rows = features(150)
    selection = MaxentMethod.select(task(rows, 15, options=GREEDY))
    for rank in range(1, 15):
        variance = conditional(rows, selection.candidates[:rank].tolist())
        assert selection.candidates[rank] == np.argmax(variance)
        assert selection.scores[rank] == pytest.approx(variance.max(), abs=1e-6)


def test_log_det_is_the_sum_of_the_logarithms_of_the_scores():
    rows = features(150)
    for options in (GREEDY, MaxentOptions()):
        selection = MaxentMethod.select(task(rows, 15, options=options))
        assert np.log(selection.scores).sum() == pytest.approx(log_det(rows[selection.candidates]), abs=1e-4)


def test_exchange_raises_log_det_and_ends_where_no_swap_helps():
    rows = features(60, seed=3)
    greedy = MaxentMethod.select(task(rows, 6, options=GREEDY)).candidates
    best = MaxentMethod.select(task(rows, 6)).candidates
    assert log_det(rows[best]) >= log_det(rows[greedy])
    for place, other in itertools.product(range(6), set(range(60)) - set(best.tolist())):
        swapped = best.copy()
        swapped[place] = other
        assert log_det(rows[swapped]) <= log_det(rows[best]) + 2e-6


@pytest.mark.parametrize("seed", range(5))
def test_exchange_from_any_start_never_lowers_log_det(seed):
    rows = features(40, seed=seed)
    start = np.random.default_rng(seed).permutation(40)[:5].tolist()
    held = TransformedRows(HeldPool(rows))
    members, sweeps = exchange(held, COVARIANCE, start, np.zeros((0, 10)))
    assert len(set(members)) == 5
    assert log_det(rows[members]) >= log_det(rows[start])
    assert exchange(held, COVARIANCE, members, np.zeros((0, 10))) == (members, 1)
    assert sweeps > 1


def test_the_best_of_all_sets_is_found_or_nearly():
    """Over all 1,365 sets of 4 of 15: an exchange ends in a local optimum, within 0.1 of the global one here."""
    found = []
    for seed in range(8):
        rows = features(15, seed=seed)
        best = max(log_det(rows[list(members)]) for members in itertools.combinations(range(15), 4))
        found.append(best - log_det(rows[MaxentMethod.select(task(rows, 4)).candidates]))
    assert min(found) == pytest.approx(0, abs=1e-9)
    assert max(found) < 0.1
    assert sum(gap < 1e-9 for gap in found) >= 4


def test_an_existing_set_conditions_the_choice_and_stays():
    rows = features(80)
    existing = rows[[3, 4, 4]]
    greedy = MaxentMethod.select(task(rows, 5, existing=existing, options=GREEDY))
    known = [3, 4]
    for candidate in greedy.candidates:
        assert candidate == np.argmax(conditional(rows, known))
        known.append(int(candidate))
    swapped = MaxentMethod.select(task(rows, 5, existing=rows[[3, 4]]))
    assert not {3, 4} & set(swapped.candidates.tolist())
    assert log_det(rows[[3, 4, *swapped.candidates]]) >= log_det(rows[known])


def test_start_is_the_first_greedy_choice():
    selection = MaxentMethod.select(task(features(50), 4, start=31, options=GREEDY))
    assert selection.candidates[0] == 31
    with pytest.raises(InputError, match="start: there is no candidate 50"):
        MaxentMethod.select(task(features(50), 4, start=50, options=GREEDY))


def test_copies_end_the_design():
    rows = np.repeat(features(3), 4, axis=0)
    assert sorted(MaxentMethod.select(task(rows, 9)).candidates.tolist()) == [0, 4, 8]


@pytest.mark.parametrize("options", [GREEDY, MaxentOptions()])
def test_it_does_not_depend_on_how_the_pool_is_cut(tmp_path, options):
    assert_same_however_cut(MaxentMethod.select, features(120), 12, tmp_path, options=options)


def test_memory_is_asked_for_before_it_is_taken():
    with pytest.raises(InputError, match=r"selection\.memory: maxent keeps 8 bytes .* give it \d+"):
        MaxentMethod.select(task(features(2000), 900, memory=4))
