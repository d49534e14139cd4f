"""Measures of a design, each against its definition written out."""

import itertools
from dataclasses import asdict

import numpy as np
import pytest

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.files import write_array
from gapdesign.quality.curves import Choice, SampledPool
from gapdesign.quality.maps import coverage
from gapdesign.quality.measures import (
    JITTER,
    measure,
    measure_prefixes,
    nearest_to_others,
    pair_distances,
    squared_distances,
)
from gapdesign.shards import FeaturePool, HeldPool, shard_path

LAYOUT = Layout(n_species=1, spectrum=6, pairs=5)
COVARIANCE = Covariance(LAYOUT, KernelOptions(soap={"zeta": 2, "scale": 0.5}, pair={"scale": 0.7}))


def features_of(n: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).random((n, LAYOUT.dimension)) ** 4
    for part in (*LAYOUT.soap, LAYOUT.pair):
        rows[:, part] /= np.linalg.norm(rows[:, part], axis=1, keepdims=True)
    return rows.astype(np.float32)


def kernel(p: np.ndarray, q: np.ndarray) -> float:
    p, q = p.astype(float), q.astype(float)
    return (0.25 * (p[:6] @ q[:6]) ** 2 + 0.49 * (p[6:] @ q[6:])) / 0.74


def distance(p: np.ndarray, q: np.ndarray) -> float:
    return np.sqrt(max(kernel(p, p) + kernel(q, q) - 2 * kernel(p, q), 0))


def pool_of(folder, rows: np.ndarray, *cuts: int) -> FeaturePool:
    edges, paths = [0, *cuts, len(rows)], []
    for start, stop in itertools.pairwise(edges):
        paths.append(shard_path(folder, start, stop, "npy"))
        write_array(paths[-1], rows[start:stop])
    return FeaturePool(paths)


@pytest.fixture
def pool_rows():
    """Thirty candidates, of which two are almost the same and two share nothing."""
    rows = features_of(30, 1)
    rows[4] = rows[9] + np.float32(1e-4) * rows[11]
    rows[12], rows[15] = 0, 0
    rows[12, [0, 6]] = rows[15, [1, 7]] = 1
    return rows


MEMBERS = [9, 4, 12, 15, 20, 21, 2]


def test_every_measure_is_what_its_description_says(pool_rows, tmp_path):
    members = pool_rows[MEMBERS]
    found = measure(members, pool_of(tmp_path, pool_rows, 11, 12), COVARIANCE, 4)
    n = len(members)
    nearest = [min(distance(members[i], members[j]) for j in range(n) if j != i) for i in range(n)]
    pairs = [distance(members[i], members[j]) ** 2 for i in range(n) for j in range(i)]
    covering = [min(distance(row, member) for member in members) for row in pool_rows]
    gram = np.array([[kernel(p, q) for q in members] for p in members]) + 1e-10 * np.eye(n)
    deviation = []
    for row in pool_rows:
        cross = np.array([kernel(row, member) for member in members])
        deviation.append(np.sqrt(max(kernel(row, row) - cross @ np.linalg.solve(gram, cross), 0)))
    eigenvalues = np.linalg.eigvalsh(gram)
    expected = {
        "size": n,
        "nearest_min": min(nearest),
        "nearest_median": np.median(nearest),
        "nearest_mean": np.mean(nearest),
        "overlapping_share": sum(d < 1e-3 for d in pairs) / 21,
        "orthogonal_share": sum(d > 1.9 for d in pairs) / 21,
        "covering_radius": max(covering),
        "covering_mean": np.mean(covering),
        "log_det": np.log(np.linalg.det(gram)),
        "condition": eigenvalues[-1] / eigenvalues[0],
        "posterior_std_max": max(deviation),
        "posterior_std_mean": np.mean(deviation),
    }
    assert 0 < expected["overlapping_share"] < expected["orthogonal_share"] < 0.5
    assert asdict(found).keys() == expected.keys()
    for name, value in asdict(found).items():
        tolerance = {"condition": 1e-5, "log_det": 1e-6, "posterior_std_mean": 1e-6, "posterior_std_max": 1e-6}
        assert value == pytest.approx(expected[name], rel=tolerance.get(name, 1e-7), abs=1e-9), name
        assert type(value) in (int, float)


def test_measures_do_not_depend_on_how_the_pool_is_cut_or_read(pool_rows, tmp_path):
    whole = asdict(measure(pool_rows[MEMBERS], pool_of(tmp_path / "a", pool_rows), COVARIANCE, 1000))
    parts = asdict(measure(pool_rows[MEMBERS], pool_of(tmp_path / "b", pool_rows, 1, 17), COVARIANCE, 3))
    assert parts == pytest.approx(whole, rel=1e-12)


def test_prefixes_in_one_pass_are_designs_measured_one_by_one(pool_rows, tmp_path):
    pool, members = pool_of(tmp_path, pool_rows, 11, 12), pool_rows[MEMBERS]
    sizes = [1, 2, 5, 7]
    found = measure_prefixes(members, sizes, pool, COVARIANCE, 4)
    for size, quality in zip(sizes, found, strict=True):
        alone = asdict(measure(members[:size], pool, COVARIANCE, 1000))
        assert asdict(quality) == pytest.approx(alone, rel=1e-9, abs=1e-9, nan_ok=True)


def test_a_single_member_has_no_pairs_but_a_covering(pool_rows, tmp_path):
    found = measure(pool_rows[:1], pool_of(tmp_path, pool_rows), COVARIANCE, 100)
    for name in ("nearest_min", "nearest_median", "nearest_mean", "overlapping_share", "orthogonal_share"):
        assert np.isnan(getattr(found, name))
    assert found.covering_radius == pytest.approx(max(distance(row, pool_rows[0]) for row in pool_rows))
    assert found.condition == pytest.approx(1)
    assert found.log_det == pytest.approx(np.log(kernel(pool_rows[0], pool_rows[0])), abs=1e-8)


def test_a_design_that_is_the_pool_covers_it_and_knows_it(pool_rows, tmp_path):
    distinct = np.delete(pool_rows, 4, axis=0)
    found = measure(distinct, pool_of(tmp_path, distinct), COVARIANCE, 100)
    assert found.covering_radius == found.covering_mean == 0
    assert found.posterior_std_max < 2 * np.sqrt(JITTER)


def test_copies_make_the_covariance_singular_and_are_counted(pool_rows, tmp_path):
    members = pool_rows[[0, 0, 0]]
    found = measure(members, pool_of(tmp_path, pool_rows), COVARIANCE, 100)
    assert found.overlapping_share == 1
    assert found.nearest_min < 1e-7
    assert found.condition == pytest.approx(3 / JITTER, rel=0.01)
    assert found.log_det == pytest.approx(np.log(3 * JITTER**2), rel=1e-3)


def test_pairs_are_counted_once(pool_rows):
    pairs = pair_distances(pool_rows[:5], COVARIANCE)
    expected = [distance(pool_rows[i], pool_rows[j]) ** 2 for i in range(5) for j in range(i + 1, 5)]
    np.testing.assert_allclose(pairs, expected, atol=1e-12)
    assert len(pair_distances(pool_rows[:1], COVARIANCE)) == 0


def test_squared_distances_of_all_pairs(pool_rows):
    squared = squared_distances(pool_rows[:4], pool_rows[3:9], COVARIANCE)
    expected = [[distance(p, q) ** 2 for q in pool_rows[3:9]] for p in pool_rows[:4]]
    np.testing.assert_allclose(squared, expected, atol=1e-12)
    assert (squared >= 0).all()


def test_nearest_distances_to_other_designs_go_from_test_to_train(pool_rows):
    """KP, tables I to III: from each member of this design to the nearest of the other, not the other way."""
    designs = {"A": pool_rows[:3], "B": pool_rows[3:10], "C": pool_rows[10:11]}
    found = nearest_to_others("A", designs, COVARIANCE)
    for other in "BC":
        nearest = [min(distance(row, member) for member in designs[other]) for row in designs["A"]]
        assert found[f"nearest_{other}_mean"] == pytest.approx(np.mean(nearest))
        assert found[f"nearest_{other}_median"] == pytest.approx(np.median(nearest))
        assert found[f"nearest_{other}_max"] == pytest.approx(np.max(nearest))
    # Every design has the same columns in the same order, so that their rows make a table.
    assert list(found) == [f"nearest_{name}_{what}" for name in "ABC" for what in ("mean", "median", "max")]
    assert all(np.isnan(found[f"nearest_A_{what}"]) for what in ("mean", "median", "max"))
    assert nearest_to_others("C", designs, COVARIANCE)["nearest_B_max"] != found["nearest_B_max"]


def test_the_covariance_of_members_is_computed_once(pool_rows, monkeypatch):
    computed, gram = [], Covariance.gram
    monkeypatch.setattr(Covariance, "gram", lambda self, a, b: computed.append(a is b) or gram(self, a, b))
    measure(pool_rows[MEMBERS], HeldPool(pool_rows), COVARIANCE, 100)
    assert computed == [True, False]
    computed.clear()
    pool = HeldPool(pool_rows)
    coverage([Choice("A", "OPT", None, 30, np.arange(3))], pool, SampledPool(pool, 30), COVARIANCE, 100)
    assert computed.count(True) == 1
