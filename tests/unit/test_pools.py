"""Pools compared: closed forms and brute force."""

import numpy as np
import pytest

from gapdesign import pools
from gapdesign.config import load
from gapdesign.errors import InputError
from gapdesign.files import FeaturePool, write_array
from gapdesign.quality import squared_distances

STUDY = load("config/config.yaml")
COVARIANCE = STUDY.covariance()


def unit_features(count: int, seed: int) -> np.ndarray:
    layout = COVARIANCE.layout
    features = np.abs(np.random.default_rng(seed).normal(size=(count, layout.dimension)))
    for part in (*layout.soap, layout.pair):
        features[:, part] /= np.linalg.norm(features[:, part], axis=1, keepdims=True)
    return features.astype(np.float32)


def test_distances_are_those_to_the_nearest_training_candidate():
    features = {"A": unit_features(8, 1), "B": unit_features(8, 2)}
    table = pools.compare(features, COVARIANCE).set_index(["train", "test"])
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
    table = pools.compare(features, COVARIANCE).set_index(["train", "test"])
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
    drawn = pools.figure(pools.nearest(features, COVARIANCE), {"A": "A (strain)", "B": "B (volume)"})
    assert drawn == pools.figure(pools.nearest(features, COVARIANCE), {"A": "A (strain)", "B": "B (volume)"})
    for text in ("trained on A (strain)", "tested on B (volume)"):
        assert text in drawn
