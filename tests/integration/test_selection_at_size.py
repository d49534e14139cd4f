"""Max-min at a real size: 500 of 20,000 strained zirconium cells against the plain algorithm."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import numpy as np

from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.methods import Task
from gapdesign.methods.maxmin.certificate import first_wrong_rank
from gapdesign.methods.maxmin.compression import Directions, compress_all
from gapdesign.methods.maxmin.greedy import select
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.shards import HeldPool

SIZE, BUDGET = 20_000, 500
OPTIONS = DescriptorOptions(soap={"r_cut": 6.8, "n_max": 6, "l_max": 6, "sigma": 0.5})


def describe(start: int) -> np.ndarray:
    crystals = {
        "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
        "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
        "fcc": PrototypeOptions(element="Zr", lattice="fcc", a=4.532),
    }
    batch = sample(PoolOptions().sampling, prototypes(crystals), seed=3, pool="A", start=start, stop=start + SIZE // 4)
    return Descriptor(OPTIONS, PairKernelOptions(), [40]).features(batch)


def test_500_of_20000_are_those_of_the_plain_algorithm():
    with ProcessPoolExecutor(2) as workers:
        features = np.concatenate(list(workers.map(describe, range(0, SIZE, SIZE // 4))))
    layout = Descriptor(OPTIONS, PairKernelOptions(), [40]).layout
    covariance, pool = Covariance(layout, KernelOptions()), HeldPool(features)
    basis = Directions.of(features[:1000], layout)
    mean = mean_descriptor(total(features), SIZE, layout)
    compressed = HeldPool(compress_all(pool, basis))
    selection = select(
        Task(pool=pool, covariance=covariance, mean=mean, budget=BUDGET, basis=basis, compressed=compressed)
    )

    order = [int(np.argmax(covariance.distance2(features, mean)))]
    psi, distances = np.full(SIZE, np.inf), []
    while len(order) <= BUDGET:
        psi = np.minimum(psi, covariance.distance2(features, features[order[-1]]))
        psi[order] = -np.inf
        order.append(int(np.argmax(psi)))
        distances.append(np.sqrt(psi[order[-1]]))
    assert selection.candidates.tolist() == order[:BUDGET]
    assert selection.distances[1:].tolist() == distances[: BUDGET - 1]
    assert selection.outside.tolist() == distances
    parts = {"candidates": selection.candidates, "distances": selection.distances, "outside": selection.outside}
    assert first_wrong_rank(pool, covariance, **parts) is None
