"""Ask how many strained candidates could go undescribed: ``python benchmarks/lazy.py``.

The slack of a candidate is the smallest difference, over all ranks, of the distance of the rank and its own distance to
the ranks before. Whatever lies within slack / slope of a described candidate need not be described, if slope is the
largest change of the kernel distance with strain. The script chooses 500 of the candidates that it describes, takes the
true slopes at some of them by differences (a proof would need a bound over the whole ball, which is larger), and counts
the candidates in such balls.
"""

import argparse

import numpy as np
from scipy.spatial import cKDTree

from gapdesign.config import study as config
from gapdesign.descriptors import Descriptor
from gapdesign.prototypes import prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.shared.deform import deform

STEP = 1e-3
NEAREST = 20


def kernel(one: np.ndarray, other: np.ndarray, layout, options) -> np.ndarray:
    """Return the normalised covariance (n, m) of features (n, d) and (m, d) of one element."""
    soap, pair = options.soap.scale**2, options.pair.scale**2
    products = (one[:, layout.soap[0]] @ other[:, layout.soap[0]].T) ** options.soap.zeta
    return (soap * products + pair * one[:, layout.pair] @ other[:, layout.pair].T) / (soap + pair)


def components(strains: np.ndarray) -> np.ndarray:
    """Return six components of symmetric matrices (n, 3, 3), with the same lengths."""
    rows, columns = np.triu_indices(3)
    return strains[:, rows, columns] * np.where(rows == columns, 1, np.sqrt(2))


def slopes(deformation: np.ndarray, choice: float, crystals, describe, layout, options) -> float:
    """Return the largest change of the kernel distance per strain at a deformation (3, 3)."""
    rows, columns = np.triu_indices(3)
    steps = np.zeros((7, 3, 3))
    for number, (i, j) in enumerate(zip(rows, columns, strict=True), start=1):
        steps[number, i, j] = steps[number, j, i] = STEP * (1 if i == j else np.sqrt(0.5))
    features = describe(deform(crystals, np.full(7, choice), deformation + steps)).astype(float)
    tangents = np.vstack([-np.ones(6), np.eye(6)])
    gram = tangents.T @ kernel(features, features, layout, options) @ tangents
    return float(np.sqrt(np.linalg.eigvalsh(gram)[-1]) / STEP)


def main() -> None:
    """Print quantiles of slack and slopes, and how many others are in reach of a candidate at several sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="config/config.yaml", help="a study of one element (%(default)s)")
    parser.add_argument("--size", type=int, default=50_000, help="candidates to describe (%(default)s)")
    parser.add_argument("--budget", type=int, default=500, help="ranks (%(default)s)")
    parser.add_argument("--probes", type=int, default=500, help="candidates at which slopes are taken (%(default)s)")
    arguments = parser.parse_args()
    study = config.load(arguments.config)
    crystals, options = prototypes(study.prototypes), study.kernel
    descriptor = Descriptor(study.descriptor, options.pair.shape, study.species())
    name = study.pools.names[0]
    pool = sample(study.pools.of(name).sampling, crystals, seed=study.seed, pool=name, start=0, stop=arguments.size)
    features = descriptor.features(pool)

    mean = features.mean(axis=0, keepdims=True)
    for part in (*descriptor.layout.soap, descriptor.layout.pair):
        mean[:, part] /= np.linalg.norm(mean[:, part])
    rank, distances = int(np.argmin(kernel(features, mean, descriptor.layout, options))), np.full(len(pool), np.inf)
    slack = distances.copy()
    for _ in range(arguments.budget):
        own = np.sqrt(np.maximum(2 - 2 * kernel(features, features[[rank]], descriptor.layout, options)[:, 0], 0))
        distances = np.minimum(distances, own)
        rank = int(distances.argmax())
        slack = np.minimum(slack, distances[rank] - distances)
    print(f"{arguments.budget} ranks of {len(pool)}: the next one would be at {distances[rank]:.3f}")

    strains = components(pool.deformations)
    trees = [cKDTree(strains[pool.prototypes == number]) for number in range(len(crystals))]
    probes = np.random.default_rng(study.seed).choice(len(pool), arguments.probes, replace=False)
    reach, near = np.empty(len(probes)), np.empty(len(probes))
    for place, x in enumerate(probes):
        number = pool.prototypes[x]
        choice = (number + 0.5) / len(crystals)
        slope = slopes(pool.deformations[x], choice, crystals, descriptor.features, descriptor.layout, options)
        reach[place] = slack[x] / slope
        near[place] = trees[number].query(strains[x], NEAREST + 1)[0][-1]
    print(f"slack over that distance: median {np.median(slack) / distances[rank]:.2f}")
    print(
        f"strain that no rank notices: median {np.median(reach):.4f}, nine in ten below {np.quantile(reach, 0.9):.4f}"
    )
    others = NEAREST * (reach / near) ** 6  # as many as the density of the nearest says, in six dimensions
    for size in (10**5, 10**6, 10**7, 10**9):
        print(f"{size:>13,} candidates: {np.mean(others) * size / len(pool):.1g} others in reach of one, on average")


if __name__ == "__main__":
    main()
