"""Which method should I use? All methods replayed on labelled sets, with groups held out; see docs/which-method.md.

    python config/studies/methods-on-sets/methods.py frames molybdenum data/mlearn/Mo_*.xyz.gz
    python config/studies/methods-on-sets/methods.py run molybdenum silicon --splits 10
    python config/studies/methods-on-sets/methods.py judge molybdenum silicon
    python config/studies/methods-on-sets/methods.py measure molybdenum silicon --splits 3
    python config/studies/methods-on-sets/methods.py show

`frames` writes the frames of a set, `frames.extxyz`, and its ten splits, `splits.json`, which other programs read, and
prepares what choice and judgement need, unless that is there. `run` chooses designs by every method and fits a GAP to
each; it goes on where it stopped. `judge` does the latter alone, for designs of other programs too: `designs/*.csv` has
columns split, draw, budget, rank and frame. `measure` measures the designs before their labels, and looks whether
groups or sizes of the pool are hardly in them; `show` prints the tables of the page, of some sets or of all that have
errors. All is kept in `results/methods-on-sets/<set>/`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase.io import write
from labelled import ERRORS, KERNEL, SETS, SPLITS, TEST, Known, frames_of, prepare
from measures import Yardsticks
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from tables import SHARES, show

from gapdesign.config.options import Options
from gapdesign.descriptors.environments import Environments
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.structure_distances import StructurePool
from gapdesign.files import read_array, write_csv, write_text
from gapdesign.methods import METHODS
from gapdesign.methods.base import Method, Task
from gapdesign.methods.bayesian import BayesianOptions
from gapdesign.methods.designs import select
from gapdesign.methods.information import InformationOptions
from gapdesign.methods.quotas import Quotas
from gapdesign.methods.shared.groups import Groups
from gapdesign.methods.shared.parts import among, beside
from gapdesign.models.shared import leastsquares
from gapdesign.quality.groups import hardly_there
from gapdesign.shards import HeldPool

ROOT = Path("results/methods-on-sets")
MEASURED = 5
"""Random draws of each split that are measured before their labels."""

FEWEST = 2
"""Structures of the smallest design."""


class Choice(NamedTuple):
    """A choice of designs.

    Attributes
    ----------
    method : str
    options : Options
    by : str
        Kernel by which frames are compared.
    draws : int
        Designs of each split.
    strata : str
        Attribute of :class:`Known` whose values have quotas: their shares of the budget, rounded down.
    after : str
        Method that chooses the first half.
    """

    method: str
    options: Options | None = None
    by: str = "soap"
    draws: int = 1
    strata: str = ""
    after: str = ""


NO_ERRORS = {"energy": None, "force": None, "virial": None}

CHOICES = {
    "random": Choice("random", draws=10),
    "maxmin": Choice("maxmin"),
    "maxmin_pairs": Choice("maxmin", by="default kernel"),
    "maxmin_environment": Choice("maxmin", by="environment"),
    "maxmin_groups": Choice("maxmin", strata="groups"),
    "maxmin_sizes": Choice("maxmin", strata="octaves"),
    "maxmin_after_medoids": Choice("maxmin", after="k_medoids"),
    "fps": Choice("fps"),
    "maxent": Choice("maxent"),
    "d_optimal": Choice("d_optimal"),
    "variance": Choice("variance"),
    "greedy_medoids": Choice("greedy_medoids"),
    "k_medoids": Choice("k_medoids"),
    "k_medoids_pairs": Choice("k_medoids", by="default kernel"),
    "cur": Choice("cur"),
    "cur_environments": Choice("cur_environments"),
    "bayesian": Choice("bayesian"),
    "bayesian_environments": Choice("bayesian", BayesianOptions(rows="environments")),
    "information": Choice("information", InformationOptions(errors=NO_ERRORS | ERRORS)),
    "information_energies": Choice("information", InformationOptions(errors=NO_ERRORS | {"energy": ERRORS["energy"]})),
}
"""`..._pairs` have the kernel that a study has by default, `maxmin_environment` has `kernel.structure: environment`."""

COLUMNS = ["split", "draw", "budget", "rank", "frame"]


def held_out(known: Known) -> np.ndarray:
    """Return the frames of the group that no design may have."""
    if known.asked.ordinary:
        return np.flatnonzero(~np.isin(known.sizes, known.asked.ordinary))
    return np.flatnonzero(known.table["group"].astype(str).str.startswith(known.asked.held_out))


def frames(name: str, folder: Path, paths: list[str]) -> None:
    """Write the frames of a set and its splits, and compute what does not depend on these."""
    if not (folder / "frames.csv").is_file():
        prepare(name, folder, paths)
    known = Known(name, folder)
    given = frames_of(known.asked, paths)
    same = [len(given) == len(known.sizes)]
    same += [len(atoms) == size for atoms, size in zip(given, known.sizes, strict=False)]
    volumes = [atoms.get_volume() for atoms in given]
    if not all(same) or not np.allclose(volumes, known.table["volume"], rtol=1e-6):
        raise SystemExit(f"{name}: these are not the frames that were prepared; remove {folder}/frames.csv")
    for atoms in given:
        atoms.calc = None
        atoms.info = {"dft_energy": float(atoms.info[known.asked.energy]), "config_type": atoms.info["config_type"]}
        forces = np.asarray(atoms.arrays[known.asked.forces])
        atoms.arrays = {"numbers": atoms.numbers, "positions": atoms.positions, "dft_force": forces}
    write(folder / "frames.extxyz", given, format="extxyz")
    apart = held_out(known)
    rest = np.setdiff1d(np.arange(len(given)), apart)
    count = round(TEST * len(rest))
    splits = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(rest)
        parts = {"candidates": order[count:], "test": order[:count], "held_out": apart}
        splits.append({part: np.sort(some).tolist() for part, some in parts.items()})
    budgets = sorted({max(FEWEST, round(share * (len(rest) - count))) for share in SHARES})
    write_text(folder / "splits.json", json.dumps({"budgets": budgets, "splits": splits}) + "\n")
    print(f"{name}: {len(rest)} frames and {len(apart)} held out, budgets {budgets}", flush=True)


class Judge:
    """GAPs of designs, by the normal equations of whitened rows.

    With R'R the covariance of the basis's points, A the rows of labels and s their expected errors, R c = w minimises
    |(y - A R^-1 w) / s|^2 + |w|^2: the problem of :mod:`gapdesign.models.shared.leastsquares`.

    Parameters
    ----------
    known : Known
    folder : Path
        Its files.
    """

    def __init__(self, known: Known, folder: Path) -> None:
        self._known = known
        factor = leastsquares.prior(read_array(folder / "prior.npy"))[:-1, :-1]
        self._rows = []
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for k in range(len(known.sizes)):
            rows = known.judged.one(k).astype(float)
            white = solve_triangular(factor, rows.T, trans="T", check_finite=False)
            keep = np.isfinite(known.labels[k])
            errors = leastsquares.sigmas(known.sizes[k], **ERRORS, virial=np.inf)
            self._rows.append((white.T[keep], known.labels[k][keep], errors[keep]))

    def errors(self, designs: list[np.ndarray], parts: dict[str, np.ndarray]) -> list[dict[str, float]]:
        """Return errors on parts of the frames, for designs of which each may begin with the one before."""
        width, found = self._rows[0][0].shape[1], []
        upper, gram = np.triu_indices(width), np.eye(width)
        done = np.zeros(0, int)
        for design in designs:
            if not len(done) or not np.isin(done, design).all():
                total, moment, done = np.eye(width)[upper], np.zeros(width), np.zeros(0, int)
            for k in np.setdiff1d(design, done):
                own = self._equations(int(k), upper)
                total, moment = total + own[0], moment + own[1]
            done = design
            gram[upper] = total
            weights = cho_solve(cho_factor(gram, check_finite=False), moment, check_finite=False)
            found.append({key: value for part, some in parts.items() for key, value in self._of(weights, some, part)})
        return found

    def _equations(self, k: int, upper: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return what a frame adds to the upper triangle of the normal equations, and to their right side.

        Frames are in many designs, so it is kept.
        """
        if k not in self._kept:
            rows, labels, errors = self._rows[k]
            weighted = rows / errors[:, None]
            self._kept[k] = (weighted.T @ weighted)[upper], weighted.T @ (labels / errors)
        return self._kept[k]

    def _of(self, weights: np.ndarray, some: np.ndarray, part: str) -> list[tuple[str, float]]:
        off = [self._rows[k][0] @ weights - self._rows[k][1] for k in some]
        energies = np.abs([one[0] / self._known.sizes[k] for k, one in zip(some, off, strict=True)])
        forces = np.concatenate([one[1:] for one in off])
        worst = np.sort(energies)[-max(1, round(len(energies) / 20)) :]
        return [
            (f"{part}_energy_rmse", 1e3 * np.sqrt(np.mean(energies**2))),
            (f"{part}_energy_worst", 1e3 * worst.mean()),
            (f"{part}_force_rmse", 1e3 * np.sqrt(np.mean(forces**2))),
        ]


def in_proportion(strata: np.ndarray, budget: int) -> Quotas:
    """Return quotas that give every stratum (n,) its share of a budget, rounded down."""
    groups = Groups.named([strata.tolist()])
    wanted = {name: budget * size // len(strata) for name, size in groups.sizes.items()}
    return Quotas.checked(groups, {name: count for name, count in wanted.items() if count})


def after(first: type[Method], method: type[Method], task: Task) -> np.ndarray:
    """Return a design (n,) of which one method chooses half, and another the rest, knowing these."""
    half = select(first, replace(task, budget=task.budget // 2)).candidates
    rest = np.setdiff1d(np.arange(task.pool.size), half)
    others = select(method, replace(among(beside(task, half), rest), budget=task.budget - len(half)))
    return np.concatenate([half, rest[others.candidates]])


class Chooser:
    """Choice of designs in a prepared set."""

    def __init__(self, known: Known) -> None:
        self._known, self._structures = known, None

    def designs(self, label: str, candidates: np.ndarray, budgets: list[int], seed: str) -> list[np.ndarray]:
        """Return a design of each size, of frames."""
        choice = CHOICES[label]
        by, member, given = choice.by, METHODS[choice.method], {"options": choice.options, "seed": seed}
        if by == "environment":
            by, given["structures"] = "soap", self._by_environment().among(candidates)
        grows = member.is_prefix and not choice.strata and not choice.after
        found = []
        for budget in budgets[-1:] if grows else budgets:
            task = self._known.task(budget, candidates, by=by, **given)
            if choice.after:
                design = after(METHODS[choice.after], member, task)
            else:
                strata = getattr(self._known, choice.strata)[candidates] if choice.strata else None
                quotas = None if strata is None else in_proportion(strata, budget)
                design = select(member, task, quotas=quotas).candidates
            found.append(candidates[design])
        return [found[0][:budget] for budget in budgets] if grows else found

    def _by_environment(self) -> StructurePool:
        if self._structures is None:
            features, covariance = self._known.compared("soap")
            file = self._known.environments
            held = Environments.joined([file.one(k) for k in range(len(features))])
            options = KernelOptions(soap=KERNEL.soap, pair=KERNEL.pair, structure="environment")
            self._structures = StructurePool(HeldPool(features), held, covariance, options, memory=4000)
        return self._structures


def read_table(path: Path) -> pd.DataFrame:
    """Read a table, without rows if there is none."""
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=COLUMNS)


def choose(known: Known, folder: Path, count: int, without: list[str]) -> None:
    """Choose designs of every method in the first splits; those that are there stay."""
    told, chooser = json.loads((folder / "splits.json").read_text()), Chooser(known)
    (folder / "designs").mkdir(exist_ok=True)
    for label, choice in CHOICES.items():
        if label in without:
            continue
        path = folder / "designs" / f"{label}.csv"
        table = read_table(path)
        missing = [seed for seed in range(count) if seed not in set(table["split"])]
        new = [table] if len(table) else []
        started = time.process_time()
        for seed in missing:
            candidates = np.array(told["splits"][seed]["candidates"])
            for draw in range(choice.draws):
                designs = chooser.designs(label, candidates, told["budgets"], f"{seed}/{draw}")
                for budget, design in zip(told["budgets"], designs, strict=True):
                    place = {"split": seed, "draw": draw, "budget": budget}
                    new.append(pd.DataFrame(place | {"rank": np.arange(len(design)), "frame": design}))
        if missing:
            write_csv(path, pd.concat(new)[COLUMNS])
            took = (time.process_time() - started) / len(missing)
            print(f"{folder.name}: {label}, {count} splits, {took:.1f} CPU seconds each", flush=True)


def judge(known: Known, folder: Path) -> None:
    """Errors of all designs in `designs/` that have none yet."""
    told, path = json.loads((folder / "splits.json").read_text()), folder / "errors.csv"
    old = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["method", "split"])
    done, judging, found = set(zip(old["method"], old["split"], strict=True)), None, []
    for file in sorted((folder / "designs").glob("*.csv")):
        for (seed, draw), rows in pd.read_csv(file).groupby(["split", "draw"]):
            if (file.stem, seed) in done:
                continue
            split = {part: np.array(some) for part, some in told["splits"][seed].items()}
            budgets = [budget for budget in told["budgets"] if budget in set(rows["budget"])]
            designs = [rows[rows["budget"] == budget].sort_values("rank")["frame"].to_numpy() for budget in budgets]
            if not all(np.isin(design, split["candidates"]).all() for design in designs):
                raise SystemExit(f"{file}: split {seed} has frames that may not be chosen")
            judging = judging or Judge(known, folder)
            parts = {"test": split["test"]} | ({"held": split["held_out"]} if len(split["held_out"]) else {})
            for budget, design, errors in zip(budgets, designs, judging.errors(designs, parts), strict=True):
                place = {"method": file.stem, "split": seed, "draw": draw, "budget": budget}
                found.append(place | {"structures": len(design), "atoms": known.sizes[design].mean()} | errors)
    if found:
        write_csv(path, pd.concat([old, pd.DataFrame(found)]) if len(old) else pd.DataFrame(found))
        print(f"{folder.name}: {len(found)} designs judged", flush=True)


def missing(groups: np.ndarray, candidates: np.ndarray, design: np.ndarray) -> int:
    """Return of how many groups the design page says that they are hardly in a design."""
    table = pd.Series(groups[candidates]).value_counts().rename_axis("group").rename("candidates").reset_index()
    taken = table["group"].map(pd.Series(groups[design]).value_counts()).fillna(0).astype(int)
    return len(hardly_there(table.assign(design="A", structures=taken)).get("A", []))


def measure(known: Known, folder: Path, count: int) -> None:
    """Measure designs of the first splits before their labels, and see whether the design page warns of them."""
    told, path = json.loads((folder / "splits.json").read_text()), folder / "before.csv"
    old = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["method", "split"])
    done, found = set(zip(old["method"], old["split"], strict=True)), []
    for seed in range(count):
        candidates = np.array(told["splits"][seed]["candidates"])
        against = None
        for file in sorted((folder / "designs").glob("*.csv")):
            table = pd.read_csv(file)
            table = table[(table["split"] == seed) & (table["draw"] < MEASURED)]
            if (file.stem, seed) in done or not len(table):
                continue
            against = against or Yardsticks(known, candidates)
            for (draw, budget), rows in table.groupby(["draw", "budget"]):
                design = rows["frame"].to_numpy()
                place = {"method": file.stem, "split": seed, "draw": draw, "budget": budget}
                place["warned"] = missing(known.groups, candidates, design)
                place["warned_of_sizes"] = missing(known.octaves, candidates, design)
                found.append(place | against.measures(design))
    if found:
        write_csv(path, pd.concat([old, pd.DataFrame(found)]) if len(old) else pd.DataFrame(found))
        print(f"{folder.name}: {len(found)} designs measured", flush=True)


def run(sets: list[str], splits: int, without: list[str]) -> None:
    """Choose and judge, set after set."""
    for name in sets:
        known = Known(name, ROOT / name)
        choose(known, ROOT / name, splits, without)
        judge(known, ROOT / name)


def main() -> None:
    """Do one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    step = steps.add_parser("frames", help="write the frames and splits of a set, and prepare it")
    step.add_argument("set", choices=SETS, help="labelled set")
    step.add_argument("files", nargs="+", help="its files")
    step = steps.add_parser("run", help="choose designs by every method, and judge them")
    step.add_argument("sets", choices=SETS, nargs="+", help="labelled sets")
    step.add_argument("--splits", type=int, default=SPLITS, help="the first splits only (%(default)s)")
    step.add_argument("--without", choices=CHOICES, nargs="+", default=[], help="methods to leave out")
    step = steps.add_parser("judge", help="judge designs that are there")
    step.add_argument("sets", choices=SETS, nargs="+", help="labelled sets")
    step = steps.add_parser("measure", help="measure designs before their labels")
    step.add_argument("sets", choices=SETS, nargs="+", help="labelled sets")
    step.add_argument("--splits", type=int, default=3, help="the first splits only (%(default)s)")
    step = steps.add_parser("show", help="print the tables")
    step.add_argument("--sets", choices=SETS, nargs="+", default=[], help="of these alone, and not of all with errors")
    given = parser.parse_args()
    if given.step == "frames":
        if missing := [path for path in given.files if not Path(path).is_file()]:
            parser.error(f"no file '{missing[0]}'; docs/which-method.md says where the sets are")
        (ROOT / given.set).mkdir(parents=True, exist_ok=True)
        frames(given.set, ROOT / given.set, given.files)
    elif given.step == "run":
        run(given.sets, given.splits, given.without)
    elif given.step == "show":
        show(ROOT, given.sets)
    elif given.step == "measure":
        for name in given.sets:
            measure(Known(name, ROOT / name), ROOT / name, given.splits)
    else:
        for name in given.sets:
            judge(Known(name, ROOT / name), ROOT / name)


if __name__ == "__main__":
    main()
