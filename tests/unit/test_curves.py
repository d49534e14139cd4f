"""Curves against budget and pool size: against brute force on small pools, and against what chance must give."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np
import pandas as pd
import pytest
from ase import Atoms

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.files import write_array
from gapdesign.quality.curves import (
    Choice,
    curves,
    members,
    prefix_sizes,
    random_draws,
)
from gapdesign.quality.maps import coverage
from gapdesign.quality.measures import squared_distances
from gapdesign.quality.options import QualityOptions
from gapdesign.quality.subpools import subpool_sizes
from gapdesign.shards import FeaturePool, HeldPool, SampledPool, evenly, shard_path

LAYOUT = Layout(n_species=1, spectrum=4, pairs=3)
COVARIANCE = Covariance(LAYOUT, KernelOptions(soap={"zeta": 2, "scale": 0.5}, pair={"scale": 0.7}))


def features_of(n: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).random((n, LAYOUT.dimension))
    for part in (*LAYOUT.soap, LAYOUT.pair):
        rows[:, part] /= np.linalg.norm(rows[:, part], axis=1, keepdims=True)
    return rows.astype(np.float32)


ROWS = features_of(40)
POOL = HeldPool(ROWS)
EVERYTHING = SampledPool(POOL, 100)


def choice(candidates, *, design="OPT", draw=None, of=40) -> Choice:
    return Choice("A", design, draw, of, np.array(candidates, np.int64))


def curves_of(choices, sample=EVERYTHING, costs=None, rows=7, together=30):
    costs = dict.fromkeys(range(40), 0.5) if costs is None else costs
    return curves(choices, POOL, sample, COVARIANCE, costs=costs, rows=rows, together=together)


def test_prefixes_halve_the_design_and_end_with_all_of_it():
    for n in (1, 3, 5, 6, 10, 100, 500, 1000):
        sizes = prefix_sizes(n)
        assert sizes[-1] == n and sizes == sorted(set(sizes))
        assert min(sizes) >= min(-(-n // 2), 5)
        halves = {-(-n // 2**k) for k in range(12)}
        assert {half for half in halves if half >= 5} | {-(-n // 2)} <= set(sizes)
    assert all(a < b <= 1.6 * a for a, b in pairwise(prefix_sizes(500)))


def test_smaller_pools_are_halves_that_hold_twice_the_budget():
    assert subpool_sizes(5000, 100, 4, is_light=True) == [312, 625, 1250, 2500]
    assert subpool_sizes(5000, 1000, 4, is_light=True) == [2500]
    assert subpool_sizes(100, 80, 4, is_light=True) == []
    assert subpool_sizes(100_000, 500, 2, is_light=True) == [25_000, 50_000]
    assert subpool_sizes(100_000, 500, 5, is_light=False) == [3125]
    assert subpool_sizes(5000, 100, 0, is_light=True) == []


def test_evenly_spaced_places_are_all_of_a_small_pool():
    np.testing.assert_array_equal(evenly(4, 10), range(4))
    places = evenly(1000, 30)
    assert len(set(places)) == 30 and places[0] == 0 and set(np.diff(places)) <= {33, 34}


@pytest.mark.parametrize("rows", [3, 1000])
def test_curves_are_the_measures_of_every_prefix_by_brute_force(rows):
    """Chosen from 8 of the candidates and measured against every third of them."""
    sample = SampledPool(POOL, 14)
    ranks = [3, 30, 11, 7, 25, 18, 2, 39, 12, 21]
    table = curves_of([choice(ranks)], sample, rows=rows)
    assert table["size"].tolist() == prefix_sizes(10) == [5, 8, 10]
    seen = ROWS[sample.indices()]
    for row in table.to_dict("records"):
        design = ROWS[ranks[: row["size"]]]
        distances = np.sqrt(squared_distances(seen, design, COVARIANCE)).min(axis=1)
        assert row["covering_radius"] == pytest.approx(distances.max(), rel=1e-8)
        assert row["covering_mean"] == pytest.approx(distances.mean(), rel=1e-8)
        gram = COVARIANCE.gram(design, design) + 1e-10 * np.eye(row["size"])
        cross = COVARIANCE.gram(seen, design)
        variance = 1 - np.einsum("ij,ji->i", cross, np.linalg.solve(gram, cross.T))
        assert row["posterior_std_max"] == pytest.approx(np.sqrt(variance.max()), rel=1e-5)
        assert row["log_det"] == pytest.approx(np.linalg.slogdet(gram)[1], rel=1e-7)
        assert row["label_core_hours"] == 0.5 * row["size"]


def test_what_is_chosen_from_less_is_measured_whole_and_against_all():
    table = curves_of([choice(range(10), of=20), choice(range(10))])
    assert table[table["candidates"] == 20]["size"].tolist() == [10]
    whole = table[table["size"] == 10].drop(columns=["candidates"])
    assert whole.iloc[0].equals(whole.iloc[1])


def test_draws_are_the_same_for_the_same_seed_and_others_for_another():
    def candidates(**changes):
        asked = {"pool": "A", "size": 50, "subpools": [12, 25], "budget": 6, "draws": 4, "seed": 1} | changes
        return [draw.candidates.tolist() for draw in random_draws(**asked)]

    assert candidates() == candidates()
    assert candidates(draws=2) == candidates()[:6]
    for change in ({"seed": 2}, {"pool": "B"}):
        assert not any(a == b for a, b in zip(candidates(), candidates(**change), strict=True))
    # A larger budget goes on where a smaller one ends.
    assert [draw[:6] for draw in candidates(budget=9)] == candidates()


def test_draws_are_without_replacement_from_the_beginning_of_the_pool():
    for draw in random_draws("A", 50, [12, 25], budget=6, draws=10, seed=3):
        assert len(set(draw.candidates)) == 6
        assert draw.candidates.max() < draw.of


def test_draws_from_a_large_pool_hold_what_they_drew_alone():
    import tracemalloc

    tracemalloc.start()
    try:
        draws = random_draws("A", 100_000, [25_000, 50_000], budget=6, draws=20, seed=3)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    assert len(draws) == 60


@pytest.mark.parametrize("together", [1, 8, 11, 40])
def test_choices_that_are_measured_together_are_measured_as_if_alone(together):
    """Members in common or none, a design with more members than are held, and a design from a smaller pool."""
    ranks = np.random.default_rng(1).permutation(40)
    choices = [choice(ranks[:9]), choice(ranks[4:12], draw=0), choice(ranks[:2], of=20)]
    choices.append(choice(ranks[20:], design="BIG"))
    measured = curves_of(choices, together=together)
    alone = pd.concat([curves_of([one]) for one in choices], ignore_index=True)
    key = ["design", "draw", "candidates", "size"]
    pd.testing.assert_frame_equal(alone[key].merge(measured, on=key)[list(alone)], alone, rtol=1e-7)
    sizes = {name: set(rows["size"]) for name, rows in measured[measured["candidates"] == 40].groupby("design")}
    assert {8, 9} <= sizes["BIG"], "designs of other sizes are measured at the size of each smaller one too"
    assert not {9, 20} & set(measured["size"][measured["draw"] == 0])


def test_the_band_of_random_draws_is_what_chance_gives():
    """With one far candidate among 40, a draw of 10 covers it in one draw of four; the rest have its distance."""
    rows = np.tile(ROWS[0], (40, 1))
    rows[17] = ROWS[1]
    far = float(np.sqrt(COVARIANCE.distance2(ROWS[:1], ROWS[1])[0]))
    draws = random_draws("A", 40, [], budget=10, draws=400, seed=5)
    costs = dict.fromkeys(range(40), 1.0)
    sample = SampledPool(HeldPool(rows), 40)
    table = curves(draws, HeldPool(rows), sample, COVARIANCE, costs=costs, rows=40, together=40)
    radii = table[table["size"] == 10]["covering_radius"].to_numpy()
    missed = radii > far / 2
    np.testing.assert_allclose(radii[missed], far, rtol=1e-6)
    expected = comb(39, 10) / comb(40, 10)
    assert missed.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 400))


def test_members_know_their_nearest_neighbour_strain_and_cost():
    structures = {index: Atoms("Zr", info={"deformation": np.eye(3).ravel() * (1 + 0.01 * index)}) for index in (4, 9)}
    structures[7] = Atoms("Zr")
    costs = {4: 1.0, 7: 2.0, 9: 4.0}
    table = members([choice([9, 4, 7]), choice([1, 2], of=20)], POOL, COVARIANCE, structures, costs)
    assert table["candidate"].tolist() == [9, 4, 7] and table["rank"].tolist() == [0, 1, 2]
    squared = squared_distances(ROWS[[9, 4, 7]], ROWS[[9, 4, 7]], COVARIANCE) + 4 * np.eye(3)
    np.testing.assert_allclose(table["nearest"], np.sqrt(squared.min(axis=1)), rtol=1e-8)
    np.testing.assert_allclose(table["strain"], [0.09 * np.sqrt(3), 0.04 * np.sqrt(3), np.nan], rtol=1e-8)
    assert table["core_hours"].tolist() == [4.0, 1.0, 2.0]


def test_the_map_is_the_classical_scaling_of_kernel_distances():
    """Two components of three-dimensional features: distances on the map are those, or less."""
    table, about = coverage([choice([5, 6])], POOL, EVERYTHING, COVARIANCE, 9)
    assert about["size"] == about["sampled"] == 40
    sample = table[table["design"] == ""]
    assert sample["candidate"].tolist() == list(range(40)) and sample["rank"].isna().all()
    points = sample[["x", "y"]].to_numpy()
    squared = squared_distances(ROWS, ROWS, COVARIANCE)
    centre = np.eye(40) - 1 / 40
    values = np.sort(np.linalg.eigvalsh(-0.5 * centre @ squared @ centre))[::-1]
    np.testing.assert_allclose((points**2).sum(axis=0), values[:2], rtol=1e-4)
    assert about["component_1"] == pytest.approx(values[0] / values.sum(), rel=1e-6)
    assert about["component_2"] == pytest.approx(values[1] / values.sum(), rel=1e-6)
    on_map = ((points[:, None] - points) ** 2).sum(axis=-1)
    assert (on_map <= squared + 1e-4).all()
    mine = table[table["design"] == "OPT"]
    np.testing.assert_allclose(mine[["x", "y"]], points[[5, 6]], atol=1e-5)
    assert mine["rank"].tolist() == [0, 1]


def test_a_pool_of_copies_has_a_map_of_one_point():
    pool = HeldPool(np.tile(ROWS[0], (6, 1)))
    table, about = coverage([Choice("A", "OPT", None, 6, np.array([0]))], pool, SampledPool(pool, 6), COVARIANCE, 4)
    assert (table[["x", "y"]].abs() < 1e-5).all(axis=None)
    assert about["overlapping_share"] == 1


def test_the_beginning_of_a_pool_is_a_pool(tmp_path):
    paths = []
    for start, stop in pairwise([0, 10, 25, 40]):
        paths.append(shard_path(tmp_path, start, stop, "npy"))
        write_array(paths[-1], ROWS[start:stop])
    pool = FeaturePool(paths)
    for size in (1, 10, 17, 25, 40):
        part = pool.first(size)
        assert part.size == size
        np.testing.assert_array_equal(np.vstack([block for _, block in part.blocks(7)]), ROWS[:size])
        np.testing.assert_array_equal(part.rows([0, size - 1]), ROWS[[0, size - 1]])
    assert pool.size == 40


def test_options_are_described_and_bounded():
    assert all(field.description for field in QualityOptions.model_fields.values())
    with pytest.raises(ValueError, match="draws"):
        QualityOptions(draws=1)
