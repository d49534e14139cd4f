"""What each method costs on one pool, and what its design is worth before any label, as a Markdown table.

    snakemake descriptors --config pools='{names: [A], size: 10000}' study=cost designs='{...}'
    python benchmarks/methods.py results/cost/descriptors/A --config config/studies/all-methods.yaml --budget 100

The folder is one of descriptors, with environments if a method that reads them is among ``--methods``. CPU seconds are
those of choosing alone, without reading the pool from disk; `random` is the mean over ten draws, quality too.
"""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gapdesign import config, methods, quality
from gapdesign.descriptors.environments import EnvironmentPool
from gapdesign.files import FeaturePool, HeldPool, shard_range
from gapdesign.methods.bayesian import BayesianOptions
from gapdesign.methods.compression import Basis
from gapdesign.methods.distance import mean_descriptor, total
from gapdesign.methods.maxent import MaxentOptions

CASES = {
    "random": ("random", None),
    "maxmin": ("maxmin", None),
    "fps": ("fps", None),
    "maxent, greedy": ("maxent", MaxentOptions(exchange=False)),
    "maxent": ("maxent", None),
    "d_optimal": ("d_optimal", None),
    "variance": ("variance", None),
    "k_medoids": ("k_medoids", None),
    "cur": ("cur", None),
    "cur_environments": ("cur_environments", None),
    "bayesian": ("bayesian", None),
    "bayesian, atoms": ("bayesian", BayesianOptions(rows="environments")),
    "bayesian, atoms, energy": ("bayesian", BayesianOptions(rows="environments", score="energy")),
}
COLUMNS = ("nearest_min", "covering_radius", "covering_mean", "log_det", "posterior_std_max", "posterior_std_mean")


def tasks(folder: Path, study: config.Study, size: int | None, budget: int) -> methods.Task:
    """The task that all methods are given."""
    paths = sorted(folder.glob("*.npy"), key=shard_range)
    held = FeaturePool(paths).held()
    features = held.rows(np.arange(min(size or held.size, held.size)))
    covariance = study.covariance()
    basis = Basis.of(features[:2048], covariance.layout)
    files = sorted((folder / "environments").glob("*.npz"))
    return methods.Task(
        pool=HeldPool(features),
        covariance=covariance,
        mean=mean_descriptor(total(features), len(features), covariance.layout),
        budget=budget,
        compressed=HeldPool(basis.compress(features)),
        basis=basis,
        environments=EnvironmentPool(files) if files else None,
        memory=4096,
    )


def measure(task: methods.Task, name: str) -> dict[str, float]:
    """CPU seconds and quality of one method."""
    from dataclasses import replace

    method, options = CASES[name]
    rows = []
    for draw in range(10 if method == "random" else 1):
        begun = time.process_time()
        given = replace(task, options=options, seed=f"draw {draw}")
        chosen = methods.method(method).select(given).candidates
        seconds = time.process_time() - begun
        found = quality.measure(task.pool.rows(chosen), task.pool, task.covariance, 2048)
        rows.append({"CPU s": seconds, **{key: asdict(found)[key] for key in COLUMNS}})
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="descriptors of a pool")
    parser.add_argument("--config", required=True, help="the study they are of")
    parser.add_argument("--size", type=int, help="candidates to take of it")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--methods", nargs="+", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    task = tasks(arguments.folder, config.load(arguments.config), arguments.size, arguments.budget)
    print("| method | CPU s |", " | ".join(COLUMNS), "|")
    print("| --- |" + " --- |" * (1 + len(COLUMNS)), flush=True)
    for name in arguments.methods:
        row = measure(task, name)
        print(f"| `{name}` | {row.pop('CPU s'):.2f} |", " | ".join(f"{v:.4g}" for v in row.values()), "|", flush=True)


if __name__ == "__main__":
    main()
