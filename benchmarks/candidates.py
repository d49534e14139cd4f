"""Time the making of candidates: `python benchmarks/candidates.py [--number 100000]`, or `--entropy` for one cycle.

Prints CPU microseconds a candidate for every sampler on zirconium prototypes, constraints included; with
`--entropy`, where the time of one annealing cycle at Karabin and Perez's parameters goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time

import numpy as np

from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import SAMPLERS, Sampler, sample
from gapdesign.samplers.entropy import EntropyOptions, EntropySampler
from gapdesign.samplers.options import PoolOptions
from gapdesign.samplers.shared.draw import Draw

CRYSTALS = {
    "hcp": PrototypeOptions(element="Zr", lattice="hcp", a=3.232, c=5.147),
    "bcc": PrototypeOptions(element="Zr", lattice="bcc", a=3.574),
    "fcc": PrototypeOptions(element="Zr", lattice="fcc", a=4.532),
}
TUNGSTEN = {"bcc": PrototypeOptions(element="W", lattice="bcc", a=3.165)}


def samplers(number: int, seconds: float) -> None:
    """Time every sampler that needs no file and is quick."""
    crystals = prototypes(CRYSTALS)
    print("sampler            candidates  us each  refused")
    for name in SAMPLERS:
        options = PoolOptions(sampler=name)
        if options.structures or options.minutes > Sampler.minutes:
            continue
        sample(options.sampling, crystals, seed=1, pool="A", start=0, stop=20)  # imports
        made = refused = 0
        start, spent = time.process_time(), 0.0
        while made < number and spent < seconds:
            stop = min(number, max(20, 2 * made), made + 10_000)
            refused += int(sample(options.sampling, crystals, seed=1, pool="A", start=made, stop=stop).attempts.sum())
            made, spent = stop, time.process_time() - start
        print(f"{name:18} {made:10} {spent / made * 1e6:8.1f} {refused:8}", flush=True)


def entropy() -> None:
    """Time one cycle of 39 atoms and one without bias, then profile the first by CPU time."""
    cycle = Draw(1, "A", np.arange(1))
    for name, options in (("unbiased", EntropyOptions(strength=0, relaxation=0)), ("biased", EntropyOptions())):
        sampler = EntropySampler(options, prototypes(TUNGSTEN))
        sampler(Draw(1, "A", np.arange(1, 2)))  # imports, compiles, and finds the scale of the components
        start = time.process_time()
        sampler(cycle)
        print(f"one {name} cycle: {time.process_time() - start:.2f} CPU s", flush=True)
    profile = cProfile.Profile(time.process_time)
    profile.runcall(sampler, cycle)
    pstats.Stats(profile).sort_stats("cumtime").print_stats("gapdesign|neighbour_list")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100_000, help="most candidates of a sampler (%(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="CPU seconds after which it ends (%(default)s)")
    parser.add_argument("--entropy", action="store_true", help="profile one annealing cycle instead")
    arguments = parser.parse_args()
    entropy() if arguments.entropy else samplers(arguments.number, arguments.seconds)
