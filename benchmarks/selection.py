"""Compare selections side by side: 500 of 100,000 real descriptors of strained zirconium, one process per program.

``make bench`` runs this. The operating system gives CPU time, wall time and peak memory of the finished process,
start-up and reading included; ratios are within this one run. The vectors (QUIP's SOAP at the published setting, 606
numbers each) take a few minutes to make and are kept in results/benchmarks/.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "results" / "benchmarks"
PEERS = ROOT / ".venv-peers" / "bin" / "python"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}


def make_part(start: int, stop: int) -> np.ndarray:
    """Return QUIP's SOAP vectors of candidates ``start`` to ``stop`` of the default study's pool A."""
    from gapdesign.config import study as config
    from gapdesign.descriptors import Descriptor
    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.samplers import sample
    from gapdesign.structures import prototypes

    study = config.load(str(ROOT / "config" / "config.yaml"))
    options = DescriptorOptions(backend="quippy", soap=SoapOptions(sigma=0.15))
    descriptor = Descriptor(options, study.kernel.pair, study.species())
    crystals = prototypes(study.prototypes)
    batch = sample(study.pools.of("A").sampling, crystals, seed=study.seed, pool="A", start=start, stop=stop)
    return descriptor.features(batch)[:, descriptor.layout.soap[0]]


def vectors(size: int) -> Path:
    """Make the vectors unless they exist, and return their file."""
    path = FOLDER / f"zirconium-{size}x606.npy"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        print(f"making {size} vectors with quippy on 2 processes, about {size * 1.3e-3:.0f} s", flush=True)
        step = 2500
        with ProcessPoolExecutor(2) as workers:
            starts = range(0, size, step)
            parts = list(workers.map(make_part, starts, [min(start + step, size) for start in starts]))
        temporary = path.with_suffix(".part.npy")
        np.save(temporary, np.concatenate(parts))
        temporary.rename(path)
    return path


def measure(
    program: str, path: Path, budget: int, threads: int | None = None
) -> tuple[float, float, float, np.ndarray]:
    """Return CPU seconds, wall seconds, peak MiB and picks of one program."""
    python = sys.executable if program == "gapdesign" else str(PEERS)
    picks = FOLDER / f"picks-{program}.npy"
    extra = [] if threads is None else [str(threads)]
    command = [python, str(ROOT / "benchmarks" / "pickers.py"), program, str(path), str(budget), str(picks), *extra]
    return *used(command, program), np.load(picks)


def used(command: list[str], name: str, **options: Any) -> tuple[float, float, float]:
    """Run a command by one thread; return CPU seconds, wall seconds and peak MiB of it and the processes it started."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | ONE_THREAD, **options)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise SystemExit(f"{name} failed")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def main() -> None:
    """Measure all programs and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--skip", nargs="*", default=[], help="programs to leave out")
    parser.add_argument("--runs", type=int, default=3, help="runs of gapdesign, of which the median counts")
    arguments = parser.parse_args()
    path = vectors(arguments.size)
    peers = ["skmatter_fps", "skmatter_voronoi", "fpsample_fps", "wfl_greedy", "paper"]
    runs = {
        threads: [measure("gapdesign", path, arguments.budget, threads) for _ in range(arguments.runs)]
        for threads in (1, 2)
    }
    ours = {threads: sorted(done, key=lambda run: run[0])[len(done) // 2] for threads, done in runs.items()}
    walls = {threads: float(np.median([run[1] for run in done])) for threads, done in runs.items()}
    cpu, _, _, mine = ours[1]
    print(f"\n{arguments.budget} of {arguments.size} x 606, whole processes, one thread unless said")
    print(f"{'program':24}{'CPU s':>9}{'wall s':>9}{'MiB':>8}{'CPU / ours':>12}   same picks")
    for threads, (seconds, _, memory, picks) in ours.items():
        same = "same" if np.array_equal(picks, mine) else "DIFFERENT"
        name = f"gapdesign, {threads} threads"
        print(f"{name:24}{seconds:9.2f}{walls[threads]:9.2f}{memory:8.0f}{seconds / cpu:12.2f}   {same}")
    for peer in peers:
        if peer not in arguments.skip:
            seconds, wall, memory, picks = measure(peer, path, arguments.budget)
            ordered = mine if peer != "wfl_greedy" else np.array([0, *sorted(mine[1:])])
            same = f"{np.isin(picks, mine).sum()} of {len(mine)}, {(picks == ordered).sum()} in the same place"
            print(f"{peer:24}{seconds:9.2f}{wall:9.2f}{memory:8.0f}{seconds / cpu:12.1f}   {same}", flush=True)
    print(f"two threads are {walls[1] / walls[2]:.2f} times as fast as one in wall time")


if __name__ == "__main__":
    main()
