"""Which method should I use? All methods replayed on labelled sets, with groups held out; see docs/which-method.md.

    python config/studies/methods-on-sets/methods.py frames molybdenum data/mlearn/Mo_*.xyz.gz
    python config/studies/methods-on-sets/methods.py run molybdenum silicon --splits 10
    python config/studies/methods-on-sets/methods.py judge molybdenum silicon
    python config/studies/methods-on-sets/methods.py measure molybdenum silicon --splits 3
    python config/studies/methods-on-sets/methods.py warned silicon tungsten
    python config/studies/methods-on-sets/methods.py show

`frames` writes the frames of a set, `frames.extxyz`, and its ten splits, `splits.json`, which other programs read, and
prepares what choice and judgement need, unless that is there. `run` chooses designs by every method and fits a GAP to
each; it goes on where it stopped. `judge` does the latter alone, for designs of other programs too: `designs/*.csv` has
columns split, draw, budget, rank and frame. `measure` measures the designs before their labels, `warned` says whether
groups or sizes of the pool are hardly in them, and `show` prints the tables of the page, of all sets that have errors.
All is kept in `results/methods-on-sets/<set>/`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase.io import write
from labelled import ERRORS, KERNEL, SETS, SPLITS, TEST, Known, frames_of, in_words, interval, prepare
from measures import BETTER, Yardsticks
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.stats import spearmanr

from gapdesign.config.options import Options
from gapdesign.descriptors.environments import Environments
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.structure_distances import StructurePool
from gapdesign.files import read_array, write_csv, write_text
from gapdesign.methods import METHODS
from gapdesign.methods.bayesian import BayesianOptions
from gapdesign.methods.designs import select
from gapdesign.methods.information import InformationOptions
from gapdesign.models.shared import leastsquares
from gapdesign.quality.groups import hardly_there
from gapdesign.shards import HeldPool

ROOT = Path("results/methods-on-sets")
SHARES = (0.01, 0.02, 0.05, 0.10, 0.20)
"""Budgets, as shares of the frames that may be chosen."""

MEASURED = 5
"""Random draws of each split that are measured before their labels."""

FEWEST = 2
"""Structures of the smallest design."""


class Choice(NamedTuple):
    """A method, its options, the kernel by which frames are compared, and the number of designs of each split."""

    method: str
    options: Options | None = None
    by: str = "soap"
    draws: int = 1


NO_ERRORS = {"energy": None, "force": None, "virial": None}

CHOICES = {
    "random": Choice("random", draws=10),
    "maxmin": Choice("maxmin"),
    "maxmin_pairs": Choice("maxmin", by="default kernel"),
    "maxmin_environment": Choice("maxmin", by="environment"),
    "fps": Choice("fps"),
    "maxent": Choice("maxent"),
    "d_optimal": Choice("d_optimal"),
    "variance": Choice("variance"),
    "k_medoids": Choice("k_medoids"),
    "cur": Choice("cur"),
    "cur_environments": Choice("cur_environments"),
    "bayesian": Choice("bayesian"),
    "bayesian_environments": Choice("bayesian", BayesianOptions(rows="environments")),
    "information": Choice("information", InformationOptions(errors=NO_ERRORS | ERRORS)),
    "information_energies": Choice("information", InformationOptions(errors=NO_ERRORS | {"energy": ERRORS["energy"]})),
}
"""`maxmin_pairs` has the kernel that a study has by default, `maxmin_environment` kernel.structure: environment."""

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
        for k in range(len(known.sizes)):
            rows = known.judged.one(k).astype(float)
            white = solve_triangular(factor, rows.T, trans="T", check_finite=False)
            keep = np.isfinite(known.labels[k])
            errors = leastsquares.sigmas(known.sizes[k], **ERRORS, virial=np.inf)
            self._rows.append((white.T[keep], known.labels[k][keep], errors[keep]))

    def errors(self, designs: list[np.ndarray], parts: dict[str, np.ndarray]) -> list[dict[str, float]]:
        """Return errors on parts of the frames, for designs of which each may begin with the one before."""
        width = self._rows[0][0].shape[1]
        gram, moment, done, found = np.eye(width), np.zeros(width), np.zeros(0, int), []
        for design in designs:
            if not np.isin(done, design).all():
                gram, moment, done = np.eye(width), np.zeros(width), np.zeros(0, int)
            some = [self._rows[k] for k in np.setdiff1d(design, done)]
            if some:
                weighted = np.concatenate([rows / errors[:, None] for rows, _, errors in some])
                gram = gram + weighted.T @ weighted
                moment = moment + weighted.T @ np.concatenate([labels / errors for _, labels, errors in some])
            done = design
            weights = cho_solve(cho_factor(gram, check_finite=False), moment, check_finite=False)
            found.append({key: value for part, some in parts.items() for key, value in self._of(weights, some, part)})
        return found

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


class Chooser:
    """Choice of designs in a prepared set."""

    def __init__(self, known: Known) -> None:
        self._known, self._structures = known, None

    def designs(self, label: str, candidates: np.ndarray, budgets: list[int], seed: str) -> list[np.ndarray]:
        """Return a design of each size, of frames."""
        method, options, by, _ = CHOICES[label]
        member, given = METHODS[method], {"options": options, "seed": seed}
        if by == "environment":
            by, given["structures"] = "soap", self._by_environment().among(candidates)
        sizes = budgets[-1:] if member.is_prefix else budgets
        found = []
        for budget in sizes:
            task = self._known.task(budget, candidates, by=by, **given)
            found.append(candidates[select(member, task).candidates])
        return [found[0][:budget] for budget in budgets] if member.is_prefix else found

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


def choose(known: Known, folder: Path, count: int) -> None:
    """Choose designs of every method in the first splits; those that are there stay."""
    told, chooser = json.loads((folder / "splits.json").read_text()), Chooser(known)
    (folder / "designs").mkdir(exist_ok=True)
    for label, choice in CHOICES.items():
        path = folder / "designs" / f"{label}.csv"
        table = read_table(path)
        missing = [seed for seed in range(count) if seed not in set(table["split"])]
        new = [table] if len(table) else []
        for seed in missing:
            candidates = np.array(told["splits"][seed]["candidates"])
            for draw in range(choice.draws):
                designs = chooser.designs(label, candidates, told["budgets"], f"{seed}/{draw}")
                for budget, design in zip(told["budgets"], designs, strict=True):
                    place = {"split": seed, "draw": draw, "budget": budget}
                    new.append(pd.DataFrame(place | {"rank": np.arange(len(design)), "frame": design}))
        if missing:
            write_csv(path, pd.concat(new)[COLUMNS])
            print(f"{folder.name}: {label}, {count} splits", flush=True)


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


def results() -> pd.DataFrame:
    """Return errors of all sets, the random draws of a split as their mean, with the share of each budget."""
    found = []
    for path in sorted(ROOT.glob("*/errors.csv")):
        table = pd.read_csv(path)
        budgets = json.loads((path.parent / "splits.json").read_text())["budgets"]
        table = table.groupby(["method", "split", "budget"]).mean(numeric_only=True).drop(columns="draw").reset_index()
        # The smallest budgets of a small set coincide, so shares count from the largest.
        shares = dict(zip(budgets[::-1], SHARES[::-1], strict=False))
        found.append(table.assign(set=path.parent.name, share=table["budget"].map(shares)))
    return pd.concat(found, ignore_index=True)


TESTED = {"energy_rmse": "test_energy_rmse", "force_rmse": "test_force_rmse"}

NAMES = {"maxmin, default kernel": "maxmin_pairs", "information of energies": "information_energies"}
"""Names of `compare.py` that differ from those here."""


def compared() -> pd.DataFrame:
    """Return the errors that `compare.py` found, as :func:`results` does, at the sizes nearest to the shares."""
    found = []
    for path in sorted(ROOT.glob("*/compare.csv")):
        table = pd.read_csv(path).replace({"choice": NAMES}).rename(columns={"choice": "method"})
        whole = table[table["method"] == "all"]["budget"].iloc[0]
        table = table[table["method"].isin(CHOICES)]
        table = table.groupby(["method", "split", "budget"]).mean(numeric_only=True).drop(columns="draw").reset_index()
        sizes = table["budget"].unique()
        for share in SHARES[2:]:
            size = sizes[np.argmin(np.abs(np.log(sizes / whole / share)))]
            found.append(table[table["budget"] == size].assign(set=path.parent.name, share=share))
    return pd.concat(found, ignore_index=True).rename(columns=TESTED)


def ratios(table: pd.DataFrame, error: str) -> pd.DataFrame:
    """Return the log of each error over that of random draws, by set, share, method and split."""
    each = np.log(table.set_index(["set", "share", "split", "method"])[error].dropna()).unstack()
    return each.sub(each["random"], axis=0).drop(columns="random").stack().dropna().rename("log").reset_index()


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    head = ["method", *map(str, table.columns)]
    rows = [
        head,
        ["---"] * len(head),
        *([f"`{name}`", *row] for name, row in zip(table.index, table.values, strict=True)),
    ]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


ERRORS_SHOWN = {"energies": "energy_rmse", "worst energies": "energy_worst", "forces": "force_rmse"}


def show(*, by_compare: bool) -> None:
    """Print ratios to random draws over sets and for each, ranks, and where methods harm without a warning."""
    table = compared() if by_compare else results()
    print(table.groupby("set").agg(splits=("split", "nunique"), methods=("method", "nunique")).to_string(), "\n")
    for what, error in ERRORS_SHOWN.items():
        for share in (0.05, 0.20):
            for where in ("test", "held"):
                some = table[table["share"] == share]
                if f"{where}_{error}" in some:
                    title = f"{what}, {share:.0%}" + ("" if where == "test" else ", group held out")
                    print(f"{title}\n\n{markdown(by_set(some, f'{where}_{error}'))}\n")
    if not by_compare:
        harmful(table)
        predicted(table)


def by_set(table: pd.DataFrame, error: str) -> pd.DataFrame:
    """Return ratios to random draws for each set, in words, a row for each method; over all, for those of every set."""
    logs = ratios(table, error)
    each = logs.groupby(["method", "set"])["log"]
    everywhere = logs.groupby("method")["set"].nunique() == table["set"].nunique()
    everywhere = ["random", *everywhere.index[everywhere]]
    found = each.apply(in_words).unstack()
    found["all sets"] = each.mean().groupby("method").apply(in_words)
    wide = table.dropna(subset=[error]).set_index(["set", "split", "method"])[error].unstack()
    rank = wide[everywhere].dropna().rank(axis=1).groupby("set").mean()
    found.loc[~found.index.isin(everywhere), "all sets"] = np.nan
    found["worse"] = each.apply(lambda own: interval(own)[1] > 0).groupby("method").sum().astype(str)
    found.loc["random"] = "1"
    found["rank"] = rank.apply(lambda own: in_words(own.dropna(), float))
    found.loc["random", "worse"] = "–"
    return found.loc[[*rank.mean().sort_values().index, *found.index.difference(everywhere)]].fillna("–")


def harmful(table: pd.DataFrame) -> None:
    """Print every method, set and size that is worse than random draws, and what was known of it before labels."""
    found = []
    for what in ("energies", "forces"):
        each = ratios(table, f"test_{ERRORS_SHOWN[what]}").groupby(["set", "method", "share"])["log"]
        for (name, method, share), own in each:
            mean, low, high = interval(own)
            if low > 0:
                told = {"ratio": f"{np.exp(mean):.2f} ({np.exp(low):.2f} to {np.exp(high):.2f})"}
                found.append({"set": name, "method": method, "share": share, "error": what} | told)
    worse = pd.DataFrame(found)
    if not len(worse):
        return
    before = measured(table)
    if len(before):
        own = before.groupby(["set", "method", "share"])
        for column in ("warned", "warned_of_sizes"):
            worse = worse.merge(own[column].apply(lambda some: (some > 0).mean()).reset_index(), how="left")
        for column in ("environments_mean", "covering_mean", "energy_deviation", "force_deviation"):
            blind = before[before["method"] == "random"].groupby(["set", "share"])[column].mean()
            mean = own[column].mean()
            worse = worse.merge((mean / blind).rename(column).reset_index(), how="left")
    print("worse than random draws, and measures before labels over those of random draws\n")
    print(worse.round(2).to_string(index=False), "\n")


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return what was measured of designs before their labels, draw by draw, with the share of each budget."""
    shares = table.drop_duplicates(["set", "budget"])[["set", "budget", "share"]]
    parts = [pd.read_csv(path).assign(set=path.parent.name) for path in sorted(ROOT.glob("*/before.csv"))]
    return pd.concat(parts).merge(shares, on=["set", "budget"]) if parts else pd.DataFrame()


def predicted(table: pd.DataFrame) -> None:
    """Print rank correlations of measures with errors within one split and size, as `measures.py` does."""
    before = measured(table)
    if not len(before):
        return
    errors = pd.concat([pd.read_csv(path).assign(set=path.parent.name) for path in sorted(ROOT.glob("*/errors.csv"))])
    keys = ["set", "method", "split", "draw", "budget"]
    joined = before.merge(errors, on=keys, suffixes=("", "_"))
    for what in ("energies", "forces"):
        rows = {}
        for column, sign in BETTER.items():
            own = joined.groupby(["set", "split", "budget"]).apply(
                lambda some, column=column, sign=sign, what=what: (
                    spearmanr(-sign * some[column], some[f"test_{ERRORS_SHOWN[what]}"]).statistic
                    if some[column].nunique() > 1
                    else np.nan
                ),
                include_groups=False,
            )
            by_set = own.dropna().groupby("set").mean()
            rows[column] = by_set.map("{:.2f}".format).to_dict() | {"all sets": in_words(by_set, float)}
        print(f"rank correlation with the error of {what}\n\n{markdown(pd.DataFrame(rows).T.fillna('–'))}\n")


def run(sets: list[str], splits: int) -> None:
    """Choose and judge, set after set."""
    for name in sets:
        known = Known(name, ROOT / name)
        choose(known, ROOT / name, splits)
        judge(known, ROOT / name)


def warned(name: str, methods: list[str], splits: int) -> None:
    """Print how many atoms designs have in the mean, and in how many splits groups, or sizes, are hardly in them."""
    known, budgets = Known(name, ROOT / name), SETS[name].budgets
    chooser = Chooser(known)
    for method in methods:
        rows: dict[int, list] = {budget: [] for budget in budgets}
        for split in range(splits):
            members, _ = known.split(split)
            chosen = chooser.designs(method, members, budgets, f"{split}/0")
            for budget, design in zip(budgets, chosen, strict=True):
                sizes = known.sizes[design].mean(), known.sizes[members].mean()
                there = (missing(own, members, design) for own in (known.groups, known.octaves))
                rows[budget].append([*sizes, *there])
        for budget, found in rows.items():
            atoms, candidates, by_group, by_size = np.array(found, float).T
            print(
                f"{name}, {method}, {budget} structures: {atoms.mean():.0f} atoms in the mean, candidates"
                f" {candidates.mean():.0f}; a group is hardly there in {(by_group > 0).sum()} of {splits} splits, sizes"
                f" between powers of two in {(by_size > 0).sum()}"
            )


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
    step = steps.add_parser("judge", help="judge designs that are there")
    step.add_argument("sets", choices=SETS, nargs="+", help="labelled sets")
    step = steps.add_parser("measure", help="measure designs before their labels")
    step.add_argument("sets", choices=SETS, nargs="+", help="labelled sets")
    step.add_argument("--splits", type=int, default=3, help="the first splits only (%(default)s)")
    step = steps.add_parser("warned", help="say whether groups and sizes of the pool are hardly in designs")
    step.add_argument("sets", choices=SETS, nargs="+", help="labelled sets")
    step.add_argument("--methods", nargs="+", default=["maxmin", "maxmin_pairs"], help="methods (%(default)s)")
    step.add_argument("--splits", type=int, default=5, help="the first splits only (%(default)s)")
    step = steps.add_parser("show", help="print the tables")
    step.add_argument("--compare", action="store_true", help="of the designs of compare.py, without groups held out")
    given = parser.parse_args()
    if given.step == "frames":
        if missing := [path for path in given.files if not Path(path).is_file()]:
            parser.error(f"no file '{missing[0]}'; docs/which-method.md says where the sets are")
        (ROOT / given.set).mkdir(parents=True, exist_ok=True)
        frames(given.set, ROOT / given.set, given.files)
    elif given.step == "run":
        run(given.sets, given.splits)
    elif given.step == "show":
        show(by_compare=given.compare)
    elif given.step == "warned":
        for name in given.sets:
            warned(name, given.methods, given.splits)
    elif given.step == "measure":
        for name in given.sets:
            measure(Known(name, ROOT / name), ROOT / name, given.splits)
    else:
        for name in given.sets:
            judge(Known(name, ROOT / name), ROOT / name)


if __name__ == "__main__":
    main()
