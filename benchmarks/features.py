"""Measure what designs by different features are worth, in a Markdown table.

    make nep
    python benchmarks/features.py

Zirconium, strained and rattled, two pools of each, labelled by an embedded-atom potential. Every max-min design gets a
Gaussian process of energies per atom on the default covariance, SOAP and pairs, whatever features chose the design,
with a constant mean and the noise of largest likelihood. Errors are those on the rest of the pool, in meV per atom:
root mean square / 0.99 quantile / largest. `random` is the mean over ``--draws``.
"""

import argparse
from pathlib import Path

import numpy as np

from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.descriptors.scaling import scaling_of
from gapdesign.engines import ENGINES
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.structures import Batch

CRYSTALS = {
    "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
    "fcc": PrototypeOptions(element="Zr", lattice="fcc", a=4.532),
}
POOLS = {"strain": PoolOptions(sampler="strain", strain={"max": 0.15}), "rattle": PoolOptions(sampler="rattle")}
KERNELS = {"with pairs": KernelOptions(), "alone": KernelOptions(pair={"scale": 0})}


def energies(batch: Batch) -> np.ndarray:
    """Return the energies (n,) per atom by the embedded-atom potential of the default study, in eV."""
    engine = ENGINES["eam"](ENGINES["eam"].Options(potential="Zr_mm.eam.fs"))
    frames = [batch.atoms(k) for k in range(len(batch))]
    return np.array([engine.label(atoms, Path()).energy / len(atoms) for atoms in frames])


def grams(batch: Batch, backend: str, components: str) -> dict[str, np.ndarray]:
    """Return the covariances (n, n) of structures by some features, with pairs of distances and alone."""
    pair, scaling = KERNELS["with pairs"].pair, None
    if components != "raw":
        raw = Descriptor(DescriptorOptions(backend=backend), pair, [40])
        _, found = raw.features_and_environments(batch)
        scaling = scaling_of([(found.vectors, found.species)], [40], components)
    describe = Descriptor(DescriptorOptions(backend=backend, components=components), pair, [40], scaling=scaling)
    features = describe.features(batch)
    return {name: Covariance(describe.layout, kernel).gram(features, features) for name, kernel in KERNELS.items()}


def farthest(gram: np.ndarray, budget: int) -> np.ndarray:
    """Return a max-min design (budget,), beginning with the structure farthest from all others in the mean."""
    roots = np.sqrt(np.diag(gram))
    distance2 = 2 - 2 * gram / np.outer(roots, roots)
    chosen = [int(distance2.mean(axis=1).argmax())]
    psi = distance2[chosen[0]].copy()
    while len(chosen) < budget:
        chosen.append(int(psi.argmax()))
        psi = np.minimum(psi, distance2[chosen[-1]])
    return np.array(chosen)


def errors(gram: np.ndarray, energy: np.ndarray, chosen: np.ndarray) -> list[float]:
    """Return root mean square, 0.99 quantile and largest error (meV) of the model of a design on all others."""
    rest = np.setdiff1d(np.arange(len(energy)), chosen)
    mean, best = energy[chosen].mean(), (-np.inf, np.empty(0))
    for noise in 10.0 ** np.arange(-9, -3):
        matrix = gram[np.ix_(chosen, chosen)] / np.diag(gram).mean() + noise * np.eye(len(chosen))
        weights = np.linalg.solve(matrix, energy[chosen] - mean)
        fit = (energy[chosen] - mean) @ weights / len(chosen)
        likelihood = -0.5 * (len(chosen) * np.log(fit) + np.linalg.slogdet(matrix)[1])
        best = max(best, (likelihood, weights), key=lambda pair: pair[0])
    found = mean + gram[np.ix_(rest, chosen)] / np.diag(gram).mean() @ best[1]
    off = 1e3 * np.abs(found - energy[rest])
    return [float(np.sqrt((off**2).mean())), float(np.quantile(off, 0.99)), float(off.max())]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["dscribe", "nep", "distances"])
    parser.add_argument("--size", type=int, default=1000, help="candidates in a pool")
    parser.add_argument("--budget", type=int, default=60, help="structures in a design")
    parser.add_argument("--draws", type=int, default=20)
    arguments = parser.parse_args()
    crystals, rows = prototypes(CRYSTALS), {}
    for pools in POOLS.values():
        for pool in "AB":
            batch = sample(pools.sampling, crystals, seed=1, pool=pool, start=0, stop=arguments.size)
            energy, judge = energies(batch), grams(batch, "dscribe", "raw")["with pairs"]
            random, draws = np.random.default_rng(0), []
            for _ in range(arguments.draws):
                draws.append(errors(judge, energy, random.permutation(arguments.size)[: arguments.budget]))
            rows.setdefault("`random`", []).append(np.mean(draws, axis=0))
            for backend in arguments.backends:
                for components in ("raw", "standardised"):
                    for name, gram in grams(batch, backend, components).items():
                        row = rows.setdefault(f"`{backend}`, {components}, {name}", [])
                        row.append(errors(judge, energy, farthest(gram, arguments.budget)))
    print("| features |" + "".join(f" {name} {pool} |" for name in POOLS for pool in "AB"))
    print("| --- |" + " --- |" * 4)
    for name, found in rows.items():
        print(f"| {name} | " + " | ".join(" / ".join(f"{value:.3g}" for value in row) for row in found) + " |")


if __name__ == "__main__":
    main()
