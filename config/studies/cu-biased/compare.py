"""Copper with defects: biased dynamics with and without updates, and plain dynamics, at equal numbers of labels.

The dynamics run in one embedded-atom potential, and another one is the truth. One sparse GAP in one basis is fitted to
every training set by the linear algebra of the replay. `docs/biased.md` has the results.

python config/studies/cu-biased/compare.py --folder results/cu-biased --seeds 5
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from ase import Atoms
from ase.build import bulk, fcc100
from scipy.stats import t as student

import gapdesign
from gapdesign.engines.eam import EamEngine, EamOptions
from gapdesign.files import read_csv, read_frames, write_csv, write_frames
from gapdesign.inputs.labels import Labelled, Values
from gapdesign.prototypes import Prototype
from gapdesign.replay.fits import differences, trained
from gapdesign.samplers import sample
from gapdesign.samplers.biased import BiasedOptions, BiasedSampler
from gapdesign.samplers.options import PoolOptions
from gapdesign.sets.linear import rows_in
from gapdesign.streams import stream

LATTICE = 3.615
MEAN, TRUTH = "Cu_u3.eam", "Cu_mishin1.eam.alloy"
TEMPERATURE, TESTED_AT = 900, 1250
BUDGETS = (4, 8, 12)
"""Structures per defect."""

POOL = 200
"""Frames of plain dynamics per defect, among which max-min and chance choose."""

TESTS = 20
"""Frames of the truth's own dynamics per defect."""

SLAB = 32
"""Atoms of the slab, which neither the vacancy nor the dumbbell has."""

MOVES = {"atoms": 1, "strain": 0, "temperature": TEMPERATURE, "timestep": 2, "equilibration": 500}
BIASED = MOVES | {
    "calculator": "eam",
    "arguments": {"potential": MEAN},
    "longest": 100,
    "structures_per_trajectory": BUDGETS[-1],
}
VARIANTS = {
    "updated": {},
    "not updated": {"update": False},
    "updated, bias 0.3": {"bias": 0.3},
}
"""Batches of biased dynamics."""

DESCRIBED = {"descriptor": {"soap": {"r_cut": 5.0, "n_max": 8, "l_max": 6}}, "kernel": {"pair": {"scale": 0}}}


def crystals() -> dict[str, Atoms]:
    """Return a vacancy, a <100> dumbbell, and a slab of eight layers, of about 32 atoms each."""
    vacancy = bulk("Cu", a=LATTICE, cubic=True).repeat(2)
    dumbbell = vacancy.copy()
    dumbbell.positions[0] += [0, 0, 0.3 * LATTICE]
    dumbbell.append("Cu")
    dumbbell.positions[-1] = vacancy.positions[0] - [0, 0, 0.3 * LATTICE]
    del vacancy[0]
    slab = fcc100("Cu", (2, 2, 8), a=LATTICE, vacuum=5.0)
    slab.pbc = True
    return {"vacancy": vacancy, "dumbbell": dumbbell, "slab": slab}


def made(path: Path, sampler: str, options: dict, atoms: Atoms, *, seed: int, count: int) -> list[Atoms]:
    """Return candidates of one prototype, made once and kept in a file."""
    if not path.is_file():
        chosen = PoolOptions(sampler=sampler, **{sampler: options}).of("A").sampling
        prototype = Prototype(path.stem, atoms, np.arange(len(atoms), dtype=np.int32))
        batch = sample(chosen, [prototype], seed=seed, pool=path.stem.replace(" ", "-"), start=0, stop=count)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_frames(path, [batch.atoms(k) for k in range(count)])
    return read_frames(path)


def frames_of(folder: Path, seed: int) -> dict[str, dict[str, list[Atoms]]]:
    """Return all structures of one seed, by their source and their defect."""
    place, found = folder / f"{seed}", {}

    def plain(temperature: int, potential: str, length: int, apart: int) -> dict:
        return MOVES | {
            "temperature": temperature,
            "calculator": "eam",
            "arguments": {"potential": potential},
            "interval": apart,
            "frames_per_trajectory": length,
        }

    perfect = bulk("Cu", a=LATTICE, cubic=True).repeat(2)
    warm = plain(300, MEAN, 1, 1) | {"strain": 0.03}
    found["core"] = {"perfect": made(place / "core.extxyz", "md", warm, perfect, seed=seed, count=5)}
    for name, atoms in crystals().items():
        md = made(place / f"md {name}.extxyz", "md", plain(TEMPERATURE, MEAN, POOL, 25), atoms, seed=seed, count=POOL)
        found.setdefault("md", {})[name] = md
        hot = plain(TESTED_AT, TRUTH, TESTS, 100)
        tests = made(place / f"test {name}.extxyz", "md", hot, atoms, seed=seed, count=TESTS)
        found.setdefault("test", {})[name] = tests
        for variant, changes in VARIANTS.items():
            options = BIASED | changes | {"existing": str(place / "core.extxyz")}
            # One stream for all variants: they differ by their rules alone.
            path = place / variant / f"biased {name}.extxyz"
            found.setdefault(variant, {})[name] = made(
                path, "biased", options, atoms, seed=seed, count=options["structures_per_trajectory"]
            )
    return found


def surrogate_of(folder: Path) -> BiasedSampler:
    """Return the sampler whose surrogate knows the core of a seed."""
    options = BiasedOptions.model_validate(BIASED | {"existing": str(folder / "core.extxyz")})
    return BiasedSampler(options, [Prototype("vacancy", crystals()["vacancy"], np.arange(31, dtype=np.int32))])


def by_sigma(sampler: BiasedSampler, pool: Sequence[Atoms], most: int, *, update: bool) -> list[Atoms]:
    """Return the structures of largest sigma per atom, all at once, or each after the one before is learnt."""
    surrogate, chosen = sampler._before.copy(), []
    rows = [sampler._rows(atoms)[0] / len(atoms) for atoms in pool]
    scores = np.array([surrogate.uncertainty(row)[0] for row in rows])
    for _ in range(most):
        chosen.append(int(scores.argmax()))
        if update:
            sampler._learn(surrogate, pool[chosen[-1]])
            scores = np.array([surrogate.uncertainty(row)[0] for row in rows])
        scores[chosen] = -1
    return [pool[k] for k in chosen]


def chosen_of(
    found: dict[str, dict[str, list[Atoms]]], seed: int, sampler: BiasedSampler
) -> dict[tuple[str, int], list[Atoms]]:
    """Return the structures to label by method and budget."""
    batches, defects = {}, list(found["md"])
    pool = [atoms for name in defects for atoms in found["md"][name]]
    most = len(defects) * BUDGETS[-1]
    order = gapdesign.select(pool, most, existing=found["core"]["perfect"], **DESCRIBED).indices
    by_score = {f"md, sigma, {name}": by_sigma(sampler, pool, most, update=update)
                for name, update in (("updated", True), ("not updated", False))}  # fmt: skip
    generator = np.random.Generator(stream(f"{seed}/random"))
    drawn = {name: generator.permutation(POOL) for name in defects}
    for budget in BUDGETS:
        batches["md, max-min", budget] = [pool[k] for k in order[: len(defects) * budget]]
        batches["md, random", budget] = [found["md"][name][k] for name in defects for k in drawn[name][:budget]]
        for method, ranked in by_score.items():
            batches[method, budget] = ranked[: len(defects) * budget]
        for variant in VARIANTS:
            batches[variant, budget] = [atoms for name in defects for atoms in found[variant][name][:budget]]
    return batches


def labelled(frames: Sequence[Atoms]) -> list[Labelled]:
    """Label structures by the truth."""
    engine = EamEngine(EamOptions(potential=TRUTH))
    labels = [engine.label(atoms) for atoms in frames]
    return [
        Labelled(atoms, Values(label.energy, label.forces, label.virial), "", False, False, "", k)
        for k, (atoms, label) in enumerate(zip(frames, labels, strict=True))
    ]


def errors(found: dict[str, dict[str, list[Atoms]]], batches: dict[tuple[str, int], list[Atoms]]) -> list[dict]:
    """Return the errors of a potential fitted to the core and each batch, on the tests of each defect."""
    core, table = found["core"]["perfect"], []
    tests = [atoms for frames in found["test"].values() for atoms in frames]
    training = list({id(atoms): atoms for batch in batches.values() for atoms in batch}.values())
    place = {id(atoms): k for k, atoms in enumerate([*core, *training, *tests])}
    with TemporaryDirectory() as folder:
        rows, start = rows_in(
            Path(folder), labelled([*core, *training, *tests]), DESCRIBED, seed=0, progress=lambda line: None
        )
        fits = [trained(start, {"all": rows}, {"all": [place[id(atoms)] for atoms in [*core, *batch]]})
                for batch in batches.values()]  # fmt: skip
        off = differences(rows, np.array([fit.coefficients() for fit in fits]))
    for number, (method, budget) in enumerate(batches):
        for defect, frames in {**found["test"], "all": tests}.items():
            mine = [place[id(atoms)] for atoms in frames]
            energies = off.energies[mine, number]
            table.append({
                "method": method,
                "labels": 3 * budget,
                "test": defect,
                "energy_rmse_mev": 1e3 * np.sqrt((energies**2).mean()),
                "force_rmse_mev": 1e3 * np.sqrt(off.squares[mine, number].sum() / off.components[mine].sum()),
            })  # fmt: skip
    return table


def spread(batches: dict[tuple[str, int], list[Atoms]], sampler: BiasedSampler) -> Iterator[dict]:
    """Yield how far the structures of each batch are apart, and how much a surrogate learns from them."""
    nothing = np.linalg.slogdet(sampler._before.covariance)[1]
    for method, budget in batches:
        batch = batches[method, budget]
        nearest = gapdesign.distances(gapdesign.features(batch, **DESCRIBED))
        np.fill_diagonal(nearest, np.inf)
        surrogate = sampler._before.copy()
        for atoms in batch:
            sampler._learn(surrogate, atoms)
        learnt = 0.5 * (nothing - np.linalg.slogdet(surrogate.covariance)[1])
        yield {
            "method": method,
            "labels": len(batch),
            "slabs": sum(len(atoms) == SLAB for atoms in batch),
            "nearest_median": np.median(nearest.min(axis=1)),
            "nearest_least": nearest.min(),
            "information_nats": learnt,
        }


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return errors over those of `updated`: geometric means of seeds, paired, with 95 % intervals."""
    wide = table[table["test"] == "all"].set_index(["labels", "method", "seed"]).drop(columns="test")
    logarithms = np.log(wide) - np.log(wide.xs("updated", level="method"))
    grouped = logarithms.groupby(["labels", "method"], sort=False)
    half = grouped.sem() * student.ppf(0.975, wide.index.unique("seed").size - 1)
    parts = {"ratio": grouped.mean(), "low": grouped.mean() - half, "high": grouped.mean() + half}
    return np.exp(pd.concat(parts, axis=1).swaplevel(axis=1).sort_index(axis=1, level=0, sort_remaining=False))


def main() -> None:
    """Compare, write `errors.csv` and `spread.csv` for each seed, and print their means and standard errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where everything is written")
    parser.add_argument("--seeds", type=int, default=5, help="number of independent repetitions")
    arguments = parser.parse_args()
    for seed in range(1, arguments.seeds + 1):
        place = arguments.folder / f"{seed}"
        if not (place / "spread.csv").is_file():
            found = frames_of(arguments.folder, seed)
            sampler = surrogate_of(place)
            batches = chosen_of(found, seed, sampler)
            write_csv(place / "errors.csv", pd.DataFrame(errors(found, batches)))
            write_csv(place / "spread.csv", pd.DataFrame(spread(batches, sampler)))
        print(f"seed {seed} is done", flush=True)
    for name, keys in {"errors": ["labels", "test", "method"], "spread": ["labels", "method"]}.items():
        places = {seed: arguments.folder / f"{seed}" / f"{name}.csv" for seed in range(1, arguments.seeds + 1)}
        whole = pd.concat([read_csv(place).assign(seed=seed) for seed, place in places.items()], ignore_index=True)
        means = whole.drop(columns="seed").groupby(keys, sort=False).agg(["mean", "sem"])
        print(means.round(4).to_string())
        if name == "errors" and arguments.seeds > 1:
            print(ratios(whole).round(2).to_string())


if __name__ == "__main__":
    main()
