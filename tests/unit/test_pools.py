"""Pools compared: closed forms and brute force."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from scipy.spatial.distance import cdist

from gapdesign.cli import main
from gapdesign.comparison import environments as pool_environments
from gapdesign.comparison import pools
from gapdesign.comparison.environments import SHELLS, PoolEnvironments, describe
from gapdesign.config.study import load
from gapdesign.errors import InputError
from gapdesign.files import write_array, write_arrays
from gapdesign.quality.measures import squared_distances
from gapdesign.report import pool_figures
from gapdesign.report.style import svg_text
from gapdesign.samplers.shared import differentiable
from gapdesign.samplers.shared.differentiable import DifferentiableOptions
from gapdesign.shards import FeaturePool, HeldPool
from gapdesign.structures import pack, write_batch

STUDY = load("config/config.yaml")
COVARIANCE = STUDY.covariance()


def unit_features(count: int, seed: int) -> np.ndarray:
    layout = COVARIANCE.layout
    features = np.abs(np.random.default_rng(seed).normal(size=(count, layout.dimension)))
    for part in (*layout.soap, layout.pair):
        features[:, part] /= np.linalg.norm(features[:, part], axis=1, keepdims=True)
    return features.astype(np.float32)


def compared(features: dict[str, np.ndarray]) -> pd.DataFrame:
    entropies = {name: pools.structure_entropy(rows[:4], COVARIANCE) for name, rows in features.items()}
    return pools.compare(pools.nearest(features, COVARIANCE), entropies, learnt=4).set_index(["train", "test"])


def test_distances_are_those_to_the_nearest_training_candidate():
    features = {"A": unit_features(8, 1), "B": unit_features(8, 2)}
    table = compared(features)
    assert list(table.index) == [("A", "A"), ("A", "B"), ("B", "A"), ("B", "B")]
    for (train, test), row in table.iterrows():
        distance = [
            min(np.sqrt(squared_distances(x[None], y[None], COVARIANCE)[0, 0]) for y in features[train][:4])
            for x in features[test][4:]
        ]
        np.testing.assert_allclose([row["mean"], row["max"]], [np.mean(distance), np.max(distance)], rtol=1e-6)
        np.testing.assert_allclose(row["median"], np.median(distance), rtol=1e-6)


def test_a_pool_of_copies_has_no_distance_and_a_low_entropy():
    one = unit_features(1, 3)
    features = {"same": np.repeat(one, 8, axis=0), "other": unit_features(8, 4)}
    table = compared(features)
    assert table.loc[("same", "same"), "max"] < 1e-3
    assert table.loc[("same", "other"), "mean"] > table.loc[("other", "other"), "mean"]
    assert table.loc[("same", "same"), "entropy"] < table.loc[("other", "other"), "entropy"] - 3


def test_samples_are_of_one_size_and_without_repeats(tmp_path):
    for name, count in (("A", 30), ("B", 11)):
        (tmp_path / name).mkdir()
        write_array(tmp_path / name / f"0-{count}.npy", np.arange(count, dtype=np.float32)[:, None])
    given = {name: FeaturePool(list((tmp_path / name).iterdir())) for name in ("A", "B")}
    drawn = pools.samples(given, 1)
    assert [len(np.unique(rows)) for rows in drawn.values()] == [10, 10]
    assert np.array_equal(drawn["B"], pools.samples({"B": given["B"]}, 1)["B"])
    assert len(pools.samples(given, 1, most=3)["A"]) == 6


def test_a_pool_of_one_cannot_be_compared(tmp_path):
    write_array(tmp_path / "0-1.npy", np.zeros((1, 2), np.float32))
    with pytest.raises(InputError, match=r"^pools\.size: "):
        pools.samples({"A": FeaturePool([tmp_path / "0-1.npy"])}, 1)


def test_the_figure_names_every_pool():
    features = {"A": unit_features(8, 1), "B": unit_features(8, 2)}
    table = pools.quantiles(pools.nearest(features, COVARIANCE), learnt=4)
    labels = {"A": "A (strain)", "B": "B (volume)"}
    drawn = svg_text(pool_figures.shares_figure(table, labels, environments=False))
    assert drawn == svg_text(pool_figures.shares_figure(table, labels, environments=False))
    for text in ("trained on A (strain)", "tested on B (volume)"):
        assert text in drawn
    far = svg_text(pool_figures.shares_figure(table, labels, environments=True))
    assert "training environment" in far
    assert "math" not in drawn + far


def environments(count: int, atoms: int, seed: int, width: float = 1.0) -> PoolEnvironments:
    q = np.random.default_rng(seed).normal(size=(count * atoms, 3)) * width
    shells = np.ones(len(SHELLS) - 1)
    return PoolEnvironments(HeldPool(q), np.arange(0, count * atoms + 1, atoms), shells, shells)


def whole(pool: PoolEnvironments) -> np.ndarray:
    return pool.q.block(0, pool.q.size)


def test_environments_are_learnt_from_and_asked_about_in_many_divisions():
    """Every learnt environment a copy of one point, every asked one too: distances are those of the two points."""
    given = {"here": HeldPool(np.zeros((9, 2))), "there": HeldPool(np.ones((9, 2))), "few": HeldPool(np.zeros((8, 2)))}
    distances = pools.nearest_environments(given, 6, 4, 1)
    assert set(distances) == {(a, b) for a in ("here", "there") for b in ("here", "there")}
    table = pools.compare(distances, {"here": 1.0, "there": 2.0}, learnt=6).set_index(["train", "test"])
    assert table.loc[("here", "here"), "max"] == 0
    assert table.loc[("here", "there"), ["learnt", "asked"]].tolist() == [6, 3]
    np.testing.assert_allclose(table.loc[("there", "here"), ["mean", "median", "q99", "max"]].astype(float), np.sqrt(2))


def test_environments_learnt_from_are_not_asked_about():
    q = {"A": HeldPool(np.random.default_rng(2).normal(size=(30, 2)))}
    for values in pools.nearest_environments(q, 20, 5, 1)["A", "A"]:
        assert len(values) == 10
        assert (values > 0).all()
    assert pools.nearest_environments(q, 20, 5, 1)["A", "A"][3].tobytes() == values_of_split(q, 3)


def values_of_split(q: dict[str, HeldPool], split: int) -> bytes:
    return pools.nearest_environments(q, 20, split + 1, 1)["A", "A"][split].tobytes()


def test_too_few_environments_are_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"^comparison\.learnt: 20 environments to learn from, .* \(at most 29\)"):
        pools.nearest_environments({"A": HeldPool(np.zeros((29, 2)))}, 20, 1, 1)


def test_one_pool_has_mean_zero_and_variance_one():
    given = {"narrow": environments(5, 4, 1), "wide": environments(5, 4, 2, width=3.0)}
    scaled = pool_environments.standardised(given, "narrow", 2)
    np.testing.assert_allclose(whole(scaled["narrow"]).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(whole(scaled["narrow"]).std(axis=0), 1)
    deviation = whole(given["narrow"])[:, :2].std(axis=0)
    np.testing.assert_allclose(whole(scaled["wide"]).std(axis=0), whole(given["wide"])[:, :2].std(axis=0) / deviation)
    np.testing.assert_array_equal(scaled["wide"].q.rows([7, 2]), whole(scaled["wide"])[[7, 2]])
    cubed = {name: replace(pool, q=HeldPool(whole(pool) ** 3)) for name, pool in given.items()}
    roots = pool_environments.standardised(cubed, "narrow", 2, cube_root=True)
    np.testing.assert_allclose(whole(roots["wide"]), whole(scaled["wide"]))
    together = pool_environments.standardised(given, None, 3)
    np.testing.assert_allclose(np.concatenate([whole(pool) for pool in together.values()]).std(axis=0), 1)


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_blocks_change_no_bit_of_mean_and_variance(monkeypatch, rows):
    monkeypatch.setattr(pool_environments, "BLOCK", rows)
    given = {"A": environments(30, 4, 1), "B": environments(20, 4, 2)}
    q = np.concatenate([whole(pool) for pool in given.values()])
    scaled = pool_environments.standardised(given, None, 3)
    for k, column in enumerate(np.ascontiguousarray(q.T)):
        expected = (whole(given["B"])[:, k] - column.mean()) / column.std()
        np.testing.assert_array_equal(whole(scaled["B"])[:, k], expected)


def test_entropies_are_those_of_the_atoms_of_each_structure():
    """KP equation 2, by brute force."""
    pool = environments(3, 5, 4)
    table = pool_environments.entropies({"A": pool})
    for k, row in table.iterrows():
        apart = cdist(pool.of(k), pool.of(k)) + np.diag([np.inf] * 5)
        np.testing.assert_allclose(row["entropy"], np.log(5 * apart.min(axis=1)).mean())
    assert table["atoms"].tolist() == [5, 5, 5]


def test_shells_of_a_crystal_are_where_its_neighbours_are(tmp_path):
    """fcc: 12 neighbours at a / sqrt(2), 6 at a; between them none."""
    crystal = bulk("Cu", "fcc", a=3.61)
    found = describe(
        tmp_path / "A.npz", iter([crystal, crystal]), [1, 1], differentiable.make(DifferentiableOptions(), [29])
    )
    assert (found.q.size, found.q.dimension) == (2, 6)
    radii = SHELLS[1:]
    assert found.pairs[radii < 2.55].sum() == 0
    assert found.pairs[(radii > 2.55) & (radii < 3.0)].sum() == 2 * 12
    assert found.pairs[(radii > 3.0) & (radii < 4.0)].sum() == 2 * 6
    density = 4 / 3.61**3
    np.testing.assert_allclose(found.expected.sum(), 2 * density * 4 / 3 * np.pi * SHELLS[-1] ** 3)


def test_atoms_of_several_elements_are_compared_as_if_alike(tmp_path):
    """By the components of LAMMPS without `chem`, all of which know every neighbour."""
    mixed, alike = bulk("NiTi", "cesiumchloride", a=3.0), bulk("NiNi", "cesiumchloride", a=3.0)
    for name, atoms in (("mixed", mixed), ("alike", alike)):
        write_batch(tmp_path / f"{name}.npz", pack([atoms]))
        part = {"revision": 1, "descriptor": DifferentiableOptions().model_dump(mode="json"), "species": [22, 28]}
        given = ["--config", json.dumps(part), "--candidates", str(tmp_path / f"{name}.npz")]
        assert main(["environments", *given, "--output", str(tmp_path / f"{name}-seen.npz")]) == 0
    seen = [pool_environments.read(tmp_path / f"{name}-seen.npz") for name in ("mixed", "alike")]
    assert [pool.q.dimension for pool in seen] == [6, 6]
    np.testing.assert_array_equal(seen[0].of(0), seen[1].of(0))


def test_what_a_design_covers_is_what_is_near_one_of_its_atoms():
    given = {"A": environments(6, 4, 1), "B": environments(6, 4, 2)}
    table = pool_environments.designs(given, {"OPT": [("A", [4, 1])]}, within=0.8).set_index("pool")
    mine = np.concatenate([given["A"].of(1), given["A"].of(4)])
    others = np.concatenate([given["A"].of(k) for k in (0, 2, 3, 5)])
    for pool, asked in (("A", others), ("B", whole(given["B"]))):
        distance = cdist(asked, mine).min(axis=1)
        row = table.loc[pool]
        assert row[["structures", "learnt", "asked"]].tolist() == [2, 8, len(asked)]
        np.testing.assert_allclose([row["mean"], row["max"]], [distance.mean(), distance.max()])
        np.testing.assert_allclose(row["covered"], (distance <= 0.8).mean())


def test_a_union_has_the_first_ranks_of_each_and_is_as_large_as_a_design():
    parts = pool_environments.union([("A", [5, 3, 1, 0]), ("B", [2, 4, 0, 1])])
    assert parts == [("A", [5, 3]), ("B", [2, 4])]
    assert pool_environments.union([("A", [5, 3, 1, 0]), ("A", [2, 5, 0, 1])]) == [("A", [5, 3, 2])]
    given = {"A": environments(6, 4, 1), "B": environments(6, 4, 2)}
    table = pool_environments.designs(given, {"BOTH": parts}, within=1.0).set_index("pool")
    assert table["structures"].tolist() == [4, 4]
    rest = np.concatenate([given["A"].of(k) for k in (0, 1, 2, 4)])
    both = np.concatenate([*(given["A"].of(k) for k in (5, 3)), *(given["B"].of(k) for k in (2, 4))])
    np.testing.assert_allclose(table.loc["A", "max"], cdist(rest, both).min(axis=1).max())


def test_histograms_hold_what_they_show():
    given = {"A": environments(50, 4, 1), "B": environments(50, 4, 2, width=2.0)}
    table = pool_environments.histograms(given)
    assert table["component"].unique().tolist() == [1, 2, 3]
    mass = (table["density"] * (table["high"] - table["low"])).groupby([table["pool"], table["component"]]).sum()
    assert mass.between(0.99, 1 + 1e-12).all()
    for figure in (
        pool_figures.histograms_figure(table),
        pool_figures.entropies_figure(pool_environments.entropies(given)),
        pool_figures.radial_figure(pool_environments.radial(given)),
    ):
        assert ">A" in svg_text(figure)
        assert "math" not in svg_text(figure)


def test_a_multiple_correlation_is_that_of_a_linear_fit():
    """Of a sum, of a sum with noise, of what has nothing to do with the first two, and of a constant."""
    generator = np.random.default_rng(4)
    known, noise = generator.normal(size=(3000, 2)) * [1, 100] + 7, generator.normal(size=(3000, 2))
    total = known @ [1, 0.01]
    q = np.column_stack([known, total, total + noise[:, 0], noise[:, 1], np.ones(3000)])
    pool = replace(environments(30, 100, 1), q=HeldPool(q))
    table = pool_environments.correlations({"A": pool}, 2)
    assert table[["pool", "component"]].to_numpy().tolist() == [["A", k] for k in (3, 4, 5, 6)]
    fitted = np.column_stack([known, np.ones(3000)])
    expected = [np.corrcoef(y, fitted @ np.linalg.lstsq(fitted, y)[0])[0, 1] for y in q.T[2:5]]
    np.testing.assert_allclose(table["correlation"], [*expected, 0], atol=1e-9)


def test_environments_are_read_as_they_were_written(tmp_path):
    """The file is an archive like any other."""
    frames = [bulk("Cu", "fcc", a=3.61), bulk("Cu", "hcp", a=2.6, c=4.2)]
    descriptor = differentiable.make(DifferentiableOptions(), [29])
    pool = describe(tmp_path / "A.npz", iter(frames), [1, 2], descriptor)
    for k, atoms in enumerate(frames):
        assert np.array_equal(pool.of(k), descriptor(atoms))
    q = np.ascontiguousarray(np.concatenate([descriptor(atoms) for atoms in frames]))
    arrays = {"q": q, "offsets": np.array([0, 1, 3])}
    write_arrays(tmp_path / "D.npz", arrays | {"pairs": pool.pairs, "expected": pool.expected})
    content = (tmp_path / "A.npz").read_bytes()
    assert content == (tmp_path / "D.npz").read_bytes()
    place = content.index(q.tobytes())
    (tmp_path / "D.npz").write_bytes(content[:place] + b"damaged!" + content[place + 8 :])
    with pytest.raises(InputError, match=r"D\.npz: not complete \(q\.npy is damaged\)"):
        pool_environments.read(tmp_path / "D.npz")
    (tmp_path / "B.npz").write_bytes(b"nothing")
    for name, sentence in (("B.npz", "not complete"), ("C.npz", "no such file")):
        with pytest.raises(InputError, match=sentence):
            pool_environments.read(tmp_path / name)
