"""Smaller pools: samples of the pool, also where the order of its candidates means something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gapdesign.config.part import At
from gapdesign.config.study import parse
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.methods.base import Task
from gapdesign.methods.maxmin import MaxminMethod
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.random import RandomMethod
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.quality.curves import random_draws
from gapdesign.quality.samples import order_of
from gapdesign.quality.subpools import regrow
from gapdesign.shards import HeldPool, SampledPool

LAYOUT = Layout(n_species=1, spectrum=4, pairs=3)
COVARIANCE = Covariance(LAYOUT, KernelOptions())


def grouped(n: int = 80) -> np.ndarray:
    """Features of a file of two groups, one after the other."""
    rows = np.random.default_rng(3).random((n, LAYOUT.dimension))
    rows[: n // 2, LAYOUT.soap[0]] += [9, 0, 0, 0]
    rows[n // 2 :, LAYOUT.soap[0]] += [0, 9, 0, 0]
    for part in (*LAYOUT.soap, LAYOUT.pair):
        rows[:, part] /= np.linalg.norm(rows[:, part], axis=1, keepdims=True)
    return rows.astype(np.float32)


FEATURES = grouped()
ORDER = order_of(7, "A", 80, is_ordered=True)


def task_of(features: np.ndarray, **given) -> Task:
    basis = Directions.of(FEATURES, LAYOUT)
    mean = mean_descriptor(total(features), len(features), LAYOUT)
    pools = {"pool": HeldPool(features), "compressed": HeldPool(basis.compress(features))}
    return Task(covariance=COVARIANCE, mean=mean, budget=10, seed="7/design/OPT", basis=basis, **pools, **given)


def test_a_pool_that_is_not_drawn_one_by_one_has_a_random_order_of_its_own():
    assert order_of(7, "A", 80, is_ordered=False) is None
    assert sorted(ORDER) == list(range(80))
    assert order_of(7, "A", 80, is_ordered=True).tolist() == ORDER.tolist()
    assert order_of(8, "A", 80, is_ordered=True).tolist() != ORDER.tolist()
    assert order_of(7, "B", 80, is_ordered=True).tolist() != ORDER.tolist()
    assert 10 <= np.count_nonzero(ORDER[:40] < 40) <= 30


@pytest.mark.parametrize("start", [None, int(ORDER[3]), int(ORDER[60])])
def test_a_design_of_half_a_grouped_file_is_that_of_a_random_half(start):
    table = regrow(MaxminMethod, task_of(FEATURES, start=start), [20, 40], order=ORDER)
    for size in (20, 40):
        members = np.sort(ORDER[:size])
        inside = {"start": members.tolist().index(start)} if start in members else {}
        expected = members[MaxminMethod.select(task_of(FEATURES[members], **inside)).candidates]
        chosen = table[table["candidates"] == size]["candidate"]
        assert chosen.tolist() == expected.tolist()
        assert set(chosen < 40) == {True, False}


def test_random_draws_from_smaller_pools_are_drawn_from_the_same_sample():
    draws = random_draws("A", 80, [20, 40], budget=10, draws=8, seed=7, order=ORDER)
    for draw in draws:
        assert set(draw.candidates.tolist()) <= set(ORDER[: draw.of].tolist())
    again = random_draws("A", 80, [20, 40], budget=10, draws=8, seed=7, order=np.arange(80))
    plain = random_draws("A", 80, [20, 40], budget=10, draws=8, seed=7)
    assert [draw.candidates.tolist() for draw in again] == [draw.candidates.tolist() for draw in plain]


def test_smaller_pools_by_index_are_the_first_candidates_as_ever():
    class Opened(HeldPool):
        def first(self, size: int) -> HeldPool:
            return HeldPool(self.rows(np.arange(size)))

    task = replace(task_of(FEATURES), pool=Opened(FEATURES), compressed=None)
    chosen = regrow(RandomMethod, task, [20, 40])
    assert chosen[chosen["candidates"] == 20]["candidate"].max() < 20
    assert chosen["candidate"].max() < 40


def test_a_sampled_pool_reads_the_candidates_of_its_sample():
    sample = SampledPool(HeldPool(FEATURES), 30, ORDER)
    assert sample.indices().tolist() == sorted(ORDER[:30])
    read = np.concatenate([block for _, block in sample.blocks(7)])
    np.testing.assert_array_equal(read, FEATURES[np.sort(ORDER[:30])])
    np.testing.assert_array_equal(sample.held().rows(np.arange(30)), read)


@pytest.mark.parametrize(("pool", "is_ordered"), [({"shuffle": False}, True), ({}, False)])
def test_jobs_know_that_the_order_of_a_file_means_something(pool, is_ordered):
    from gapdesign.cli import jobs

    study = parse({
        "prototypes": {"fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6}},
        "pools": {"names": ["A"], "size": 300, "sampler": "file", "file": {"path": "x.extxyz"} | pool},
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
    })  # fmt: skip
    for verb, at in (("regrow", At(study, "OPT")), ("curves", At(study, pool_name="A"))):
        job = jobs()[verb]
        assert job.load(job.part(at)).is_ordered is is_ordered
