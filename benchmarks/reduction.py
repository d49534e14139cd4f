"""Time the reduction alone: 500 of ten million compressed candidates, mixed from a million real ones.

    python benchmarks/scaling.py --sizes 1000000
    python benchmarks/reduction.py

Each candidate of that study gives ten: itself and nine mixes with a near neighbour. Compressed features and codes are
written in shards, as `gapdesign compress` writes them (2.4 GB); full features are mixed when they are read. Prints the
log of the selection, and its CPU and wall time and largest memory.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from gapdesign import records
from gapdesign.config import study as config
from gapdesign.descriptors import layout
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.files import read_array, write_array
from gapdesign.methods import Task
from gapdesign.methods.maxmin import greedy
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.shards import Blocks, FeaturePool, shard_path

ROOT = Path(__file__).parents[1]
SHARD, BLOCK = 250_000, 10_000


class Mixed(Blocks):
    """A pool of ``times`` as many candidates: each of a smaller one, and its mixes with a partner."""

    dtype = np.dtype(np.float32)

    def __init__(self, pool: FeaturePool, partners: np.ndarray, times: int, parts: Layout) -> None:
        self._pool, self._partners, self._times = pool, partners, times
        self._parts = (*parts.soap, parts.pair)
        self.size, self.dimension = pool.size * times, pool.dimension

    def rows(self, indices: np.ndarray) -> np.ndarray:
        """Return the features (n, dimension) of candidates."""
        indices = np.asarray(indices)
        places, back = np.unique(indices // self._times, return_inverse=True)
        x, y = self._pool.rows(places)[back], self._pool.rows(self._partners[places])[back]
        x += (indices % self._times / self._times).astype(np.float32)[:, None] * (y - x)
        for part in self._parts:
            x[:, part] /= np.linalg.norm(x[:, part], axis=1, keepdims=True)
        return x


def neighbours(rows: np.ndarray) -> np.ndarray:
    """Return a near neighbour (n,) of each row: the next one of its cell, or of the next cell, of halves of halves."""
    order: list[int] = []

    def halve(members: np.ndarray) -> None:
        if len(members) <= 2:
            order.extend(members.tolist())
            return
        some = rows[members]
        widest = int(np.argmax(some[:: max(1, len(some) // 500)].var(axis=0)))
        parted = members[np.argpartition(some[:, widest], len(members) // 2)]
        halve(parted[: len(members) // 2])
        halve(parted[len(members) // 2 :])

    halve(np.arange(len(rows)))
    found = np.empty(len(rows), np.int64)
    found[order] = np.roll(order, -1)
    return found


def write_shards(folder: Path, pool: Mixed, basis: Directions) -> None:
    """Write compressed features and codes of a pool, and the sum of its features."""
    sums = 0
    for start in range(0, pool.size, SHARD):
        stop, rows = min(start + SHARD, pool.size), []
        for begin in range(start, stop, BLOCK):
            features = pool.rows(np.arange(begin, min(begin + BLOCK, stop)))
            rows.append(basis.compress(features))
            sums = sums + total(features)
        compressed, codes = (shard_path(folder / kind, start, stop, "npy") for kind in ("compressed", "codes"))
        with records.of_job("benchmark", [compressed, codes]):
            write_array(compressed, np.concatenate(rows))
            write_array(codes, basis.codec.encode(np.concatenate(rows)))
        print(f"{stop} of {pool.size} candidates compressed", flush=True)
    write_array(folder / "sums.npy", sums)


def main() -> None:
    """Make the pool unless it exists, and choose from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "results" / "scaling", help="of scaling.py (%(default)s)")
    parser.add_argument("--size", type=int, default=1_000_000, help="candidates of its study (%(default)s)")
    parser.add_argument("--times", type=int, default=10, help="candidates made of each (%(default)s)")
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--memory", type=int, default=1024, help="MiB (%(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    study = config.load(str(ROOT / "config" / "config.yaml"))
    parts = layout(study.descriptor, study.kernel.pair.shape, study.species())
    results = arguments.folder / "results" / f"scaling-{arguments.size}"
    packed = results / "designs" / "compressed" / "A"
    basis = Directions.read(packed / "basis.npz", parts)
    folder = arguments.folder / f"reduction-{arguments.size * arguments.times}"
    real = FeaturePool(sorted((results / "descriptors" / "A").glob("*-*.npy")))
    partners = folder / "partners.npy"
    if not partners.exists():
        rows = FeaturePool(sorted(packed.glob("*-*.npy"))).held().block(0, real.size)
        write_array(partners, neighbours(rows[:, : sum(basis.codec.widths)]))
    pool = Mixed(real, read_array(partners), arguments.times, parts)
    if not (folder / "sums.npy").exists():
        write_shards(folder, pool, basis)
    task = Task(
        pool=pool,
        covariance=Covariance(parts, study.kernel),
        mean=mean_descriptor(read_array(folder / "sums.npy"), pool.size, parts),
        budget=arguments.budget,
        basis=basis,
        compressed=FeaturePool(sorted((folder / "compressed").glob("*-*.npy"))),
        codes=FeaturePool(sorted((folder / "codes").glob("*-*.npy"))),
        memory=arguments.memory,
        threads=arguments.threads,
        progress=print,
    )
    cpu, wall = time.process_time(), time.perf_counter()
    selection = greedy.select(task)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(selection.candidates)} of {pool.size}: {cpu:.1f} CPU s, {wall:.1f} s, {largest:.0f} MiB at most")


if __name__ == "__main__":
    main()
