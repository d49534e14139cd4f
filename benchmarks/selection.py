"""Compare selections side by side: 500 of 100,000 real descriptors of strained zirconium, one process per program.

``make bench`` runs this. The operating system gives CPU time, wall time and peak memory of the finished process,
start-up and reading included. Every program runs several times, in turn with the others; medians and their ratios are
within this one run, on the machine that is named. Variables that make a linear algebra library take other kernels than
it would by itself are unset for all, and the kernels are printed. The vectors (QUIP's SOAP at the published setting,
606 numbers each) take a few minutes to make and are kept in results/benchmarks/.
"""

import argparse
import json
import os
import platform
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
PEERS_OF = ("skmatter_fps", "skmatter_voronoi", "fpsample_fps", "wfl_greedy", "paper")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
MEDDLING = ("OPENBLAS_", "MKL_", "NVPL_", "BLIS_", "GOTO_", "KMP_", "NPY_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Variables, by how they begin, that slow one program down or speed one up."""

KERNELS = """
import json, sys
import numpy, threadpoolctl
numpy.eye(2) @ numpy.eye(2)
libraries = [f"{x['internal_api']} {x['version']} {x.get('architecture')}" for x in threadpoolctl.threadpool_info()]
print(json.dumps([numpy.__version__, *libraries]))
"""


def make_part(start: int, stop: int) -> np.ndarray:
    """Return QUIP's SOAP vectors of candidates ``start`` to ``stop`` of the default study's pool A."""
    from gapdesign.config import study as config
    from gapdesign.descriptors import Descriptor
    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.prototypes import prototypes
    from gapdesign.samplers import sample

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


def environment() -> dict[str, str]:
    """Return the variables that every program runs with."""
    return {name: value for name, value in os.environ.items() if not name.startswith(MEDDLING)} | ONE_THREAD


def machine() -> str:
    """Return the processor's name and number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        name = f"{told['model name']} (family {told['cpu family']}, model {told['model']})"
    except (OSError, KeyError):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def kernels(python: str) -> str:
    """Return NumPy's version and the linear algebra kernels that an interpreter takes."""
    done = subprocess.run([python, "-c", KERNELS], env=environment(), capture_output=True, text=True, check=True)
    numpy, *libraries = json.loads(done.stdout)
    return f"NumPy {numpy}, {', '.join(libraries)}"


def used(command: list[str], name: str, **options: Any) -> tuple[float, float, float]:
    """Run a command by one thread; return CPU seconds, wall seconds and peak MiB of it and the processes it started."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment(), **options)
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
    parser.add_argument("--skip", nargs="*", default=[], choices=PEERS_OF, help="programs to leave out")
    parser.add_argument("--runs", type=int, default=3, help="runs of each program, of which the median counts")
    arguments = parser.parse_args()
    path = vectors(arguments.size)
    peers = [peer for peer in PEERS_OF if peer not in arguments.skip]
    unset = sorted(name for name in os.environ if name.startswith(MEDDLING) and name not in ONE_THREAD)
    print(f"machine: {machine()}")
    print(f"unset for all: {', '.join(unset) or 'nothing'}")
    print(f"gapdesign: {kernels(sys.executable)}")
    print(f"peers: {kernels(str(PEERS))}", flush=True)
    programs = [("gapdesign", 1), ("gapdesign", 2), *((peer, None) for peer in peers)]
    runs: dict[tuple[str, int | None], list] = {program: [] for program in programs}
    for _ in range(arguments.runs):
        for program in programs:
            runs[program].append(measure(program[0], path, arguments.budget, program[1]))
    cpu = float(np.median([run[0] for run in runs[programs[0]]]))
    mine = runs[programs[0]][0][3]
    print(f"\n{arguments.budget} of {arguments.size} x 606, whole processes, one thread unless said; median of")
    print(f"{arguments.runs} runs in turn, CPU seconds from the least to the most")
    print(f"{'program':24}{'CPU s':>9}{'from':>8}{'to':>8}{'wall s':>9}{'MiB':>8}{'CPU / ours':>12}   same picks")
    for (program, threads), done in runs.items():
        seconds, walls, memory = (np.array([run[k] for run in done]) for k in range(3))
        picks = done[0][3]
        ordered = mine if program != "wfl_greedy" else np.array([0, *sorted(mine[1:])])
        same = f"{np.isin(picks, mine).sum()} of {len(mine)}, {(picks == ordered).sum()} in the same place"
        name = program if threads is None else f"{program}, {threads} thread{'s' * (threads > 1)}"
        print(
            f"{name:24}{np.median(seconds):9.2f}{seconds.min():8.2f}{seconds.max():8.2f}{np.median(walls):9.2f}"
            f"{np.median(memory):8.0f}{np.median(seconds) / cpu:12.1f}   {same}"
        )
    one, two = (np.median([run[1] for run in runs["gapdesign", threads]]) for threads in (1, 2))
    print(f"two threads are {one / two:.2f} times as fast as one in wall time; load now {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
