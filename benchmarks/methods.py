"""Measure what each method costs on one pool, and what its design is worth before any label, in a Markdown table.

    snakemake descriptors --config pools='{names: [A], size: 10000}' study=cost designs='{...}'
    python benchmarks/methods.py results/cost/descriptors/A --config config/studies/all-methods.yaml --budget 100

Give a folder of descriptors, with environments if a method that reads them is among ``--methods``. CPU seconds are
those of choosing alone, without reading the pool from disk; `random` is the mean over ten draws, its quality too.

With ``--candidates`` (the folder of shards of candidates) the study's engine labels the whole pool, which an
embedded-atom potential makes possible. Each design then gets a Gaussian process on the selection's own covariance, with
a constant mean and the noise of largest likelihood. Errors are those on the rest of the pool, in meV per atom.
"""

import argparse
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from gapdesign import engines
from gapdesign.config import study as config
from gapdesign.descriptors.environments import EnvironmentPool
from gapdesign.methods import METHODS, Task
from gapdesign.methods.bayesian import BayesianOptions
from gapdesign.methods.maxent import MaxentOptions
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.quality import measures as quality
from gapdesign.shards import FeaturePool, HeldPool, shard_range
from gapdesign.structures import read_batch

CASES = {
    "random": ("random", None),
    "maxmin": ("maxmin", None),
    "fps": ("fps", None),
    "maxent, greedy": ("maxent", MaxentOptions(exchange=False)),
    "maxent": ("maxent", None),
    "d_optimal": ("d_optimal", None),
    "variance": ("variance", None),
    "greedy_medoids": ("greedy_medoids", None),
    "k_medoids": ("k_medoids", None),
    "cur": ("cur", None),
    "cur_environments": ("cur_environments", None),
    "bayesian": ("bayesian", None),
    "bayesian, atoms": ("bayesian", BayesianOptions(rows="environments")),
    "bayesian, atoms, energy": ("bayesian", BayesianOptions(rows="environments", score="energy")),
}
COLUMNS = ("nearest_min", "covering_radius", "covering_mean", "log_det", "posterior_std_max", "posterior_std_mean")


def tasks(folder: Path, study: config.Study, size: int | None, budget: int) -> Task:
    """Return the task that all methods get."""
    paths = sorted(folder.glob("*.npy"), key=shard_range)
    held = FeaturePool(paths).held()
    features = held.rows(np.arange(min(size or held.size, held.size)))
    covariance = study.covariance()
    basis = Directions.of(features[:2048], covariance.layout)
    files = sorted((folder / "environments").glob("*.npz"))
    return Task(
        pool=HeldPool(features),
        covariance=covariance,
        mean=mean_descriptor(total(features), len(features), covariance.layout),
        budget=budget,
        compressed=HeldPool(basis.compress(features)),
        basis=basis,
        environments=EnvironmentPool(files) if files else None,
        memory=4096,
    )


def energies(folder: Path, study: config.Study, size: int) -> np.ndarray:
    """Return energies (N,) of candidates by the study's engine, in meV per atom."""
    engine, found = engines.make(study.labels.engine, study.labels), []
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(folder.glob("*.npz"), key=shard_range):
            batch = read_batch(path)
            for k in range(min(len(batch), size - len(found))):
                atoms = batch.atoms(k)
                found.append(1000 * engine.label(atoms, Path(scratch)).energy / len(atoms))
    return np.array(found)


def errors(task: Task, chosen: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the errors, on the rest of the pool, of a Gaussian process that knows the labels of those chosen."""
    known, ones, best = task.pool.rows(chosen), np.ones(len(chosen)), None
    gram = task.covariance.gram(known, known)
    for noise in 10.0 ** np.arange(-9, -1):
        factor = cho_factor(gram + noise * np.eye(len(gram)), lower=True)
        mean = ones @ cho_solve(factor, labels[chosen]) / (ones @ cho_solve(factor, ones))
        weights = cho_solve(factor, labels[chosen] - mean)
        # The scale of the covariance that is likeliest for this noise is put in.
        scale = (labels[chosen] - mean) @ weights / len(chosen)
        likelihood = -len(chosen) * np.log(scale) / 2 - np.log(np.diag(factor[0])).sum()
        if best is None or likelihood > best[0]:
            best = (likelihood, mean, weights)
    rest = np.setdiff1d(np.arange(task.pool.size), chosen)
    off = np.abs(best[1] + task.covariance.gram(task.pool.rows(rest), known) @ best[2] - labels[rest])
    return {"rmse": np.sqrt((off**2).mean()), "0.99 quantile": np.quantile(off, 0.99), "max": off.max()}


def measure(task: Task, name: str, labels: np.ndarray | None) -> dict[str, float]:
    """Return CPU seconds, quality and errors of one method."""
    method, options = CASES[name]
    rows = []
    for draw in range(10 if METHODS[method].is_baseline else 1):
        begun = time.process_time()
        given = replace(task, options=options, seed=f"draw {draw}")
        chosen = METHODS[method].select(given).candidates
        seconds = time.process_time() - begun
        found = quality.measure(task.pool.rows(chosen), task.pool, task.covariance, 2048)
        row = {"CPU s": seconds, **{key: asdict(found)[key] for key in COLUMNS}}
        rows.append(row if labels is None else row | errors(given, chosen, labels))
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="descriptors of a pool")
    parser.add_argument("--config", required=True, help="the study they are of")
    parser.add_argument("--candidates", type=Path, help="shards of candidates of the pool, to label it")
    parser.add_argument("--size", type=int, help="candidates to take of it")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--methods", nargs="+", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    for folder, suffix in ((arguments.folder, "npy"), (arguments.candidates, "npz")):
        if folder and not any(folder.glob(f"*.{suffix}")):
            parser.error(f"no shards *.{suffix} in {folder}; snakemake makes them, as the beginning of this file says")
    study = config.load(arguments.config)
    task = tasks(arguments.folder, study, arguments.size, arguments.budget)
    labels = energies(arguments.candidates, study, task.pool.size) if arguments.candidates else None
    for place, name in enumerate(arguments.methods):
        row = measure(task, name, labels)
        if not place:
            print("| method |", " | ".join(row), "|")
            print("| --- |" + " --- |" * len(row))
        print(f"| `{name}` |", " | ".join(f"{value:.4g}" for value in row.values()), "|", flush=True)


if __name__ == "__main__":
    main()
