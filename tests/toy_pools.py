"""Pools of vectors for tests of methods, with everything that a task needs of them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.environments import Environments
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.files import write_array
from gapdesign.methods import Task
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.rows.pool import HeldRows
from gapdesign.shards import FeaturePool, HeldPool, shard_path

LAYOUT = Layout(n_species=1, spectrum=6, pairs=4)
COVARIANCE = Covariance(LAYOUT, KernelOptions(soap={"zeta": 2, "scale": 0.6}, pair={"scale": 0.8}))


def features(count: int, seed: int = 0, layout: Layout = LAYOUT) -> np.ndarray:
    """Features (n, dimension) of which each part has unit length."""
    rows = np.random.default_rng(seed).random((count, layout.dimension))
    for part in (*layout.soap, layout.composition, layout.pair):
        if part is not None:
            rows[:, part] /= np.linalg.norm(rows[:, part], axis=1, keepdims=True)
    return rows.astype(np.float32)


def environments(count: int, seed: int = 0, *, width: int = 5, species: int = 1) -> Environments:
    """Environments of structures of one to three different atoms, on the grid."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, count)
    vectors = rng.random((sizes.sum(), width))
    vectors = np.rint(vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * 2**20) / 2**20
    return Environments(
        np.concatenate([[0], np.cumsum(sizes)]),
        vectors.astype(np.float32),
        rng.integers(1, 4, sizes.sum()).astype(np.int32),
        (40 + rng.integers(0, species, sizes.sum())).astype(np.int32),
    )


def label_rows(count: int, seed: int = 0, *, width: int = 12, atoms: tuple[int, int] = (1, 3)) -> HeldRows:
    """Rows of the labels of structures of a few atoms, whose forces add up to zero."""
    rng, found = np.random.default_rng(seed), []
    for size in rng.integers(atoms[0], atoms[1] + 1, count):
        forces = rng.normal(size=(size, 3, width))
        rows = [size * rng.normal(size=(1, width)), rng.normal(size=(6, width)), forces - forces.mean(axis=0)]
        found.append(np.concatenate([part.reshape(-1, width) for part in rows]).astype(np.float32))
    return HeldRows(found)


def task(vectors: np.ndarray, budget: int, /, *, covariance: Covariance = COVARIANCE, **given) -> Task:
    """A task on a pool in memory."""
    mean = mean_descriptor(total(vectors), len(vectors), covariance.layout)
    usual = {"pool": HeldPool(vectors), "covariance": covariance, "mean": mean, "budget": budget, "seed": "s"}
    return Task(**usual | {"rows": label_rows(len(vectors))} | given)


def open_pool(folder: Path, rows: np.ndarray, cuts: tuple[int, ...]) -> FeaturePool:
    """The same pool in files, cut in shards."""
    paths = []
    for start, stop in itertools.pairwise([0, *cuts, len(rows)]):
        paths.append(shard_path(folder, start, stop, "npy"))
        write_array(paths[-1], rows[start:stop])
    return FeaturePool(paths)


def assert_same_however_cut(select, rows: np.ndarray, budget: int, folder: Path, **given) -> None:
    """A method gives the same bits for shards, threads, memory and blocks of any size."""
    from unittest.mock import patch

    from gapdesign.methods.shared import conditional
    from gapdesign.methods.shared import rows as rows_module

    expected = select(task(rows, budget, **given))
    for number, (cuts, threads, memory) in enumerate([((), 1, 64), ((1, 50), 2, 1024), ((30, 31, 90), 3, 64)]):
        pool = open_pool(folder / str(number), rows, cuts)
        with (
            patch.object(rows_module, "BLOCK", 7 + 10 * number),
            patch.object(conditional, "SPAN", 11 + number),
        ):
            found = select(task(rows, budget, **given | {"pool": pool, "threads": threads, "memory": memory}))
        assert found.candidates.tolist() == expected.candidates.tolist()
        assert found.distances.tobytes() == expected.distances.tobytes()
        assert found.scores.tobytes() == expected.scores.tobytes()
