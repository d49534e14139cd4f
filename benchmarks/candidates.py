"""Time the samplers: `python benchmarks/candidates.py [--number 100000]`, or `--entropy` for one cycle.

Prints CPU microseconds per candidate for every sampler on zirconium prototypes, constraints included; with
`--entropy`, profiles one annealing cycle at Karabin and Perez's parameters.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time

import numpy as np

from gapdesign.samplers import PoolOptions, sample
from gapdesign.samplers.draw import Draw
from gapdesign.samplers.entropy import Entropy, EntropyOptions
from gapdesign.structures import PrototypeOptions, prototypes

CRYSTALS = {
    "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
    "fcc": PrototypeOptions(element="Zr", lattice="fcc", a=4.532),
}
# Each sampler makes this share of the candidates asked for: the more expensive, the fewer.
SHARES = {
    "strain": 1,
    "strain_components": 1,
    "volume": 1,
    "rattle": 0.1,
    "occupation": 0.02,
    "random": 0.01,
    "supercell": 0.01,
    "surface": 0.005,
}


def samplers(number: int) -> None:
    """Time every sampler that needs neither a file nor forces."""
    crystals = prototypes(CRYSTALS)
    print("sampler            candidates  us each  refused")
    for name, share in SHARES.items():
        options = PoolOptions(sampler=name)
        sample(options, crystals, seed=1, pool="A", start=0, stop=20)  # imports
        count = max(20, int(number * share))
        start = time.process_time()
        refused = 0
        for first in range(0, count, 10_000):
            batch = sample(options, crystals, seed=1, pool="A", start=first, stop=min(first + 10_000, count))
            refused += int(batch.attempts.sum())
        print(f"{name:18} {count:10} {(time.process_time() - start) / count * 1e6:8.1f} {refused:8}", flush=True)


def entropy() -> None:
    """Time one cycle of 39 atoms and one without bias, then profile the first by CPU time."""
    cycle = Draw(1, "A", np.arange(1))
    for name, options in (("unbiased", EntropyOptions(strength=0, relaxation=0)), ("biased", EntropyOptions())):
        sampler = Entropy(options, 74, ["bcc"])
        sampler._scale(1)
        start = time.process_time()
        sampler(cycle)
        print(f"one {name} cycle: {time.process_time() - start:.2f} CPU s", flush=True)
    profile = cProfile.Profile(time.process_time)
    profile.runcall(sampler, cycle)
    pstats.Stats(profile).sort_stats("cumtime").print_stats("gapdesign|neighbour_list")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100_000, help="candidates of the quickest samplers")
    parser.add_argument("--entropy", action="store_true", help="profile one annealing cycle instead")
    arguments = parser.parse_args()
    entropy() if arguments.entropy else samplers(arguments.number)
