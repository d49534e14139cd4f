"""Measure when a pool is wide enough: ``python benchmarks/growth.py --at-most 160000 --budgets 20 100 400``.

Describes a pool of a study once, doubles it from the least to the most, and prints for each budget what `gapdesign
grow` compares at each size. The last column is how much farther the farthest candidate of the largest pool is from the
design of that size than from a design of the largest pool: what ending there would have left. All features are held in
memory.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from gapdesign.config import reading
from gapdesign.config import study as config
from gapdesign.descriptors import Descriptor
from gapdesign.methods import Task
from gapdesign.methods.growth import covering_radius, judged
from gapdesign.methods.maxmin.compression import Directions, compress_all
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.prototypes import prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.shared.growth import GrowthOptions
from gapdesign.shards import HeldPool

SHARD = 5000
HEAD = ("candidates", "half, over half", "over all", "rose %", "all", "lower %", "left by ending %")


def describe(study: config.Study, pool: str, most: int) -> np.ndarray:
    """Return the features (most, dimension) of a pool."""
    descriptor = Descriptor(study.descriptor, study.kernel.pair.shape, study.species())
    crystals, sampling = prototypes(study.prototypes), study.pools.of(pool).sampling
    shards = (
        sample(sampling, crystals, seed=study.seed, pool=pool, start=start, stop=min(start + SHARD, most))
        for start in range(0, most, SHARD)
    )
    return np.concatenate([descriptor.features(shard) for shard in shards])


def main() -> None:
    """Print a table per budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=reading.DEFAULT, help="configuration of a study (%(default)s)")
    parser.add_argument("--pool", default="A", help="name of the pool (%(default)s)")
    parser.add_argument("--at-least", type=int, default=1250, help="candidates to begin with (%(default)s)")
    parser.add_argument("--at-most", type=int, default=160_000, help="candidates at the end (%(default)s)")
    parser.add_argument("--budgets", type=int, nargs="+", default=[100], help="structures to choose (%(default)s)")
    arguments = parser.parse_args()
    study, began = config.load(arguments.config), time.process_time()
    features = describe(study, arguments.pool, arguments.at_most)
    print(f"{len(features)} candidates of pool {arguments.pool} described: {time.process_time() - began:.0f} CPU s")
    covariance = study.covariance()
    basis = Directions.of(features[:SHARD], covariance.layout)
    compressed = compress_all(HeldPool(features), basis)

    def task(size: int, budget: int) -> Task:
        mean = mean_descriptor(total(features[:size]), size, covariance.layout)
        pools = {"pool": HeldPool(features[:size]), "compressed": HeldPool(compressed[:size]), "basis": basis}
        return Task(covariance=covariance, mean=mean, budget=budget, memory=4096, **pools)

    sizes = GrowthOptions(until=0.5, at_least=arguments.at_least, at_most=arguments.at_most).sizes
    for budget in arguments.budgets:
        began, growth = time.process_time(), None
        for size in sizes:
            growth = replace(judged({None: task(size, budget)}, growth, until=0.5), is_wide=False)
        print(f"\n{budget} structures, {time.process_time() - began:.0f} CPU s\n" + "  ".join(HEAD))
        largest = growth.reaches[-1]
        for reach in growth.reaches:
            left = covering_radius(task(largest.size, budget), reach.candidates) / largest.radius - 1
            cells = [f"{reach.size}", f"{reach.half_before or np.nan:.3f}", f"{reach.half_after or np.nan:.3f}"]
            cells += [f"{100 * (np.nan if reach.rise is None else reach.rise):.1f}", f"{reach.radius:.3f}"]
            cells += [f"{100 * (np.nan if reach.fall is None else reach.fall):.1f}", f"{100 * left:.1f}"]
            print("  ".join(cell.rjust(len(head)) for cell, head in zip(cells, HEAD, strict=True)))


if __name__ == "__main__":
    main()
