"""Measure the cost of one candidate, description, selection, fit and prediction: ``python benchmarks/unit_costs.py``.

Runs the commands that jobs run, each at two sizes, on strained zirconium (the default study) with one thread. The
CPU time of a process is the smallest of ``--repeats``, since other processes only ever add to it; from two sizes come
the cost of a unit and of starting. Writes workflow/src/gapdesign/planning/unit_costs.json, which `gapdesign plan`
reads; takes some five minutes on an idle machine, most of it in the fit of 300 structures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import yaml

from gapdesign.config import study as config
from gapdesign.descriptors import DESCRIPTORS
from gapdesign.methods import METHODS
from gapdesign.planning.costs import Sizes
from gapdesign.samplers import SAMPLERS

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "workflow" / "src"
OUTPUT = LIBRARY / "gapdesign" / "planning" / "unit_costs.json"
PACKAGES = ("numpy", "scipy", "numba", "dscribe", "quippy-ase", "matscipy", "cma")

DESCRIBED = (250, 5250)
POOLS = (20_000, 100_000)
SHARD = 20_000
SMALL = 1_000
BUDGET = 500
MODELS = (100, 300)


class Bench:
    """A folder in which verbs run and are timed."""

    def __init__(self, folder: Path, repeats: int) -> None:
        self.folder, self.repeats = folder, repeats
        self.study = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))

    @cached_property
    def start(self) -> float:
        """CPU seconds of a verb that has nothing to do."""
        return self.cost("check", "--config", self.configure())

    def configure(self, **changes: dict | int) -> str:
        """Write the default study with some blocks changed; gives the file's name."""
        study = self.study | {key: value for key, value in changes.items() if not isinstance(value, dict)}
        for key, value in changes.items():
            if isinstance(value, dict):
                study[key] = study[key] | value
        text = yaml.safe_dump(study)
        name = self.folder / f"{sha256(text.encode()).hexdigest()[:8]}.yaml"
        name.write_text(text, encoding="utf-8")
        return str(name)

    def cost(self, *arguments: str | Path, repeats: int | None = None) -> float:
        """CPU seconds of one verb, its children's too: the smallest of several runs."""
        command = [sys.executable, "-m", "gapdesign", *map(str, arguments)]
        environment = os.environ | {
            "PYTHONPATH": str(LIBRARY),
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
        }
        times, log = [], self.folder / "log.txt"
        for _ in range(repeats or self.repeats):
            child = os.fork()
            if child == 0:
                os.chdir(self.folder)
                with log.open("w") as stream:
                    os.dup2(stream.fileno(), 1)
                    os.dup2(stream.fileno(), 2)
                    os.execve(sys.executable, command, environment)
            _, status, usage = os.wait4(child, 0)
            if status:
                raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()}")
            times.append(usage.ru_utime + usage.ru_stime)
        print(f"{min(times):9.2f} s {usage.ru_maxrss // 1024:6d} MiB  {arguments[0]}", file=sys.stderr, flush=True)
        return min(times)


def line(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Cost of one more unit, from (units, seconds) twice."""
    return max(0.0, (large[1] - small[1]) / (large[0] - small[0]))


def candidates(bench: Bench) -> dict[str, float]:
    """Seconds a candidate, by sampler that only deforms prototypes."""
    costs = {}
    for sampler in (name for name, member in SAMPLERS.items() if member.keeps_cells):
        configured = bench.configure(pools={"sampler": sampler})
        points = [
            (
                n,
                bench.cost(
                    *("candidates", "--config", configured, "--pool", "A", "--start", 0, "--stop", n),
                    *("--output", bench.folder / f"{n}.npz"),
                ),
            )
            for n in (1_000, 11_000)
        ]
        costs[sampler] = line(*points)
    return costs


def descriptors(bench: Bench) -> dict[str, float]:
    """Seconds a description, by descriptor that says none; of the mean of the prototypes, an environment each."""
    costs = {}
    for backend in (name for name, member in DESCRIPTORS.items() if member.seconds is None):
        configured = bench.configure(descriptor={"backend": backend})
        points = []
        for n in DESCRIBED:
            shard = bench.folder / f"0-{n}.npz"
            bench.cost(
                *("candidates", "--config", configured, "--pool", "A", "--start", 0, "--stop", n, "--output", shard),
                repeats=1,
            )
            points.append(
                (n, bench.cost("descriptors", "--config", configured, "--candidates", shard, *features(shard)))
            )
        costs[backend] = line(*points)
    return costs


def features(shard: Path) -> list[str | Path]:
    """Path of a shard's features."""
    return ["--output", shard.with_suffix(".npy"), "--output-sum", shard.with_suffix(".sum.npy")]


def pool(bench: Bench) -> None:
    """Make and describe the pool that selections are timed on, and a small shard."""
    configured = bench.configure()
    small = ("small", 0, SMALL)
    for folder, start, stop in (small, *(("pool", start, start + SHARD) for start in range(0, POOLS[-1], SHARD))):
        shard = bench.folder / folder / f"{start}-{stop}.npz"
        bench.cost(
            *("candidates", "--config", configured, "--pool", "A", "--start", start, "--stop", stop),
            *("--output", shard),
            repeats=1,
        )
        outputs = (f"--output={shard.with_suffix('.npy')}", f"--output-sum={bench.folder / 'sums' / shard.stem}.npy")
        bench.cost("descriptors", "--config", configured, "--candidates", shard, *outputs, repeats=1)


def selection(bench: Bench) -> tuple[dict[str, object], dict[str, int]]:
    """Seconds of a basis, of a candidate compressed, and of choosing and measuring; bytes of a compressed one."""
    configured = bench.configure(budget=BUDGET)
    shards = [bench.folder / "pool" / f"{start}-{start + SHARD}.npz" for start in range(0, POOLS[-1], SHARD)]
    arrays = [shard.with_suffix(".npy") for shard in shards]
    sums = [bench.folder / "sums" / array.name for array in arrays]
    packed = [bench.folder / "packed" / array.name for array in arrays]
    codes = [bench.folder / "codes" / array.name for array in arrays]
    basis = bench.folder / "basis.npz"
    costs: dict[str, object] = {
        "basis": bench.cost("basis", "--config", configured, "--features", arrays[0], "--output", basis)
    }

    def compress(array: Path) -> float:
        target, code = bench.folder / "packed" / array.name, bench.folder / "codes" / array.name
        return bench.cost(
            *("compress", "--config", configured, "--basis", basis, "--features", array),
            *("--output", target, "--output-codes", code),
        )

    small = bench.folder / "small" / f"0-{SMALL}.npy"
    costs["compress"] = line((SMALL, compress(small)), (SHARD, min(map(compress, arrays))))
    costs["start"] = start = bench.start
    costs["select"] = {
        method: _chosen(
            bench,
            configured,
            design,
            (shards, arrays, sums, packed, codes),
            basis if METHODS[method].is_compressed else None,
        )
        for design, method in (("RND1", "random"), ("OPT1", "maxmin"))
    }
    design = bench.folder / "OPT1.extxyz"
    costs["quality"] = two_sizes(
        lambda n: bench.cost(
            *("quality", "--config", configured, "--design", "OPT1", "--structures", design, "--features", *arrays[:n]),
            *("--designs", design.with_suffix(".npy"), "--output", bench.folder / "quality.csv"),
        ),
        start,
    )
    costs["quality"]["candidate"] /= BUDGET
    size = (packed[0].stat().st_size + codes[0].stat().st_size) / SHARD
    return costs, {"compressed": round(size)}


def _chosen(bench: Bench, configured: str, design: str, files: tuple[list[Path], ...], basis: Path | None) -> dict:
    """Seconds a candidate and a rank of one method."""
    shards, arrays, sums, packed, codes = files
    output = bench.folder / f"{design}.extxyz"
    return two_sizes(
        lambda n: bench.cost(
            *("select", "--config", configured, "--design", design, "--candidates", *shards[:n]),
            *("--features", *arrays[:n], "--sums", *sums[:n]),
            *(("--basis", basis, "--compressed", *packed[:n], "--codes", *codes[:n]) if basis else ()),
            *("--threads", 1, "--output", output, "--output-features", output.with_suffix(".npy")),
        ),
        bench.start,
    )


def two_sizes(run: Callable[[int], float], start: float) -> dict[str, float]:
    """Seconds a candidate and, of what is left but for starting, a rank, from pools of two sizes."""
    points = [(size, run(size // SHARD)) for size in POOLS]
    candidate = line(*points)
    return {"candidate": candidate, "rank": max(0.0, points[0][1] - candidate * points[0][0] - start) / BUDGET}


def models(bench: Bench, repeats: int) -> tuple[dict[str, object], dict[str, int]]:
    """Seconds of hyperparameters and fits of designs of two sizes, and of a prediction; bytes a structure."""
    from ase.io import read, write

    configured, folder = bench.configure(budget=BUDGET), bench.folder
    design, batch, labels = folder / "OPT1.extxyz", folder / "batch.extxyz", folder / "labels" / "OPT1.extxyz"
    isolated, store = folder / "isolated.extxyz", folder / "store"
    bench.cost("isolated", "--config", configured, "--store", store, "--output", isolated, repeats=1)
    bench.cost(
        *("label", "--config", configured, "--store", store, "--designs", design, "--design", "OPT1", "--first", 0),
        *("--last", BUDGET, "--output", batch, "--output-failed", folder / "failed.csv"),
        repeats=1,
    )
    bench.cost(
        *("labels", "--config", configured, "--store", store, "--design", "OPT1", "--designs", design),
        *("--labelled", batch, "--failed", folder / "failed.csv", "--output", labels),
        *("--output-failed", folder / "failed-OPT1.csv"),
        repeats=1,
    )
    frames = read(labels, ":")
    costs: dict[str, object] = {"lbfgs": {}, "cma": {}, "fit": {}}
    for n in MODELS:
        mine = folder / f"labels-{n}" / "OPT1.extxyz"
        mine.parent.mkdir(exist_ok=True)
        write(mine, frames[:n], format="extxyz")
        data = ("--labels", mine, "--isolated", isolated)
        found, potential = folder / f"{n}.json", folder / f"{n}.xml"
        for optimizer in ("cma", "lbfgs"):
            if n == MODELS[0] or optimizer == "lbfgs":
                configured = bench.configure(budget=n, model={"optimizer": optimizer})
                seconds = bench.cost(
                    "hyperparameters", "--config", configured, *data, "--output", found, repeats=repeats
                )
                costs[optimizer][str(n)] = seconds
        costs["fit"][str(n)] = bench.cost(
            *("fit", "--config", configured, *data, "--hyperparameters", found, "--output", potential), repeats=repeats
        )
    predicted = folder / "predicted.csv"
    points = []
    for count in (10, 110):
        some = folder / f"test-{count}" / "OPT1.extxyz"
        some.parent.mkdir(exist_ok=True)
        write(some, frames[:count], format="extxyz")
        arguments = ("predict", "--model", "OPT1", "--potential", potential, "--labels", some)
        points.append((count, bench.cost(*arguments, "--output", predicted, "--output-forces", folder / "forces.npz")))
    costs["predict"] = line(*points)
    return costs, {"environment": round(potential.stat().st_size / MODELS[-1])}


def reference() -> dict[str, float]:
    """Typical structures of the default study."""
    sizes = Sizes.of(config.load(str(ROOT / "config" / "config.yaml")))
    return {name: getattr(sizes, name) for name in ("atoms", "environments", "terms", "dimension")}


def machine() -> str:
    """The processor's name."""
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            return entry.split(":", 1)[1].strip()
    return platform.machine()


def rounded(value: object) -> object:
    """Numbers to four digits; what is in a table likewise."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    return float(f"{value:.4g}")


def main() -> None:
    """Measure all, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each command (%(default)s)")
    parser.add_argument("--fits", type=int, default=1, help="runs of hyperparameters and gap_fit (%(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE", help="file to write")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="unit-costs-"))
    try:
        bench = Bench(folder, arguments.repeats)
        costs = {"candidate": candidates(bench), "describe": descriptors(bench)}
        pool(bench)
        choosing, compressed = selection(bench)
        fitting, potential = models(bench, arguments.fits)
    finally:
        shutil.rmtree(folder)
    document = {
        "command": "python benchmarks/unit_costs.py",
        "machine": f"{machine()}, one thread",
        "setting": "strained zirconium of the default study, 1 or 2 atoms a cell",
        "versions": {name: version(name) for name in PACKAGES},
        "reference": rounded(reference()),
        "seconds": rounded(costs | choosing | fitting),
        "bytes": compressed | potential,
    }
    arguments.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
