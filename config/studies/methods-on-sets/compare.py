"""Designs by all labels against designs by averages, and by chance, replayed on labelled sets; see docs/information.md.

    python config/studies/methods-on-sets/compare.py prepare nbmota data/nbmotaw/train.xyz.gz
    python config/studies/methods-on-sets/compare.py compare nbmota
    python config/studies/methods-on-sets/compare.py hours silicon
    python config/studies/methods-on-sets/compare.py hours tungsten --law square
    python config/studies/methods-on-sets/compare.py show nbmota
    python config/studies/methods-on-sets/compare.py count

`prepare` keeps the frames of a set and computes, once, features and rows for the choice, and the rows of GAPs of
another basis, by which designs are judged. `compare` draws ten test sets, chooses designs of growing size from what is
left, fits a GAP to each and writes its errors; `hours` does the same with budgets of core-hours, where sets without
measured times have the law of silicon's, or the square of the number of atoms. `count` says over all budgets of
core-hours how good each choice was, and how often beyond doubt better or worse than random. All is kept in
`results/methods-on-sets/<set>/`.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from labelled import ERRORS, SETS, SPLITS, Known, prepare, read_frames
from ratios import better_and_worse, in_words, intervals, markdown

from gapdesign.files import write_csv
from gapdesign.methods import METHODS
from gapdesign.methods.designs import select
from gapdesign.methods.information import InformationOptions
from gapdesign.methods.shared.costs import drawn_within

RANDOM = 5
"""Random designs of each split."""

HOURS = {"silicon": "hours.csv", "square": "hours-square.csv"}
"""Files of designs within core-hours, by the law of these."""


def information(**errors: float | None) -> InformationOptions:
    """Options with expected errors of some labels only."""
    return InformationOptions(errors={"energy": None, "force": None, "virial": None} | errors)


CHOICES = {
    "random": ("random", None, "soap"),
    "maxmin, default kernel": ("maxmin", None, "default kernel"),
    "maxmin": ("maxmin", None, "soap"),
    "maxmin of all labels": ("maxmin", None, "all labels"),
    "greedy_medoids": ("greedy_medoids", None, "soap"),
    "k_medoids": ("k_medoids", None, "soap"),
    "information": ("information", information(**ERRORS), "soap"),
    "information of energies": ("information", information(energy=ERRORS["energy"]), "soap"),
    "information of forces": ("information", information(force=ERRORS["force"]), "soap"),
}
"""The method, its options, and the kernel by which frames are compared."""


def draws_of(label: str) -> int:
    """Return the number of designs of a choice in each split."""
    member = METHODS[CHOICES[label][0]]
    return RANDOM if member.by_chance and member.is_baseline else 1


def designs_of(known: Known, label: str, members: np.ndarray, seed: str) -> list[np.ndarray]:
    """Choose designs of every size from the frames that may be chosen; those of a prefix order grow."""
    method, options, by = CHOICES[label]
    member, budgets = METHODS[method], known.asked.budgets
    task = partial(known.task, members=members, by=by, options=options, seed=seed)
    if member.is_prefix:
        order = members[select(member, task(budgets[-1])).candidates]
        return [order[:budget] for budget in budgets]
    return [members[select(member, task(budget)).candidates] for budget in budgets]


def compare(name: str, folder: Path) -> None:
    """Errors of designs of several sizes, in every split."""
    known, output = Known(name, folder), folder / "compare.csv"
    budgets = known.asked.budgets
    found = pd.read_csv(output).to_dict("records") if output.is_file() else []
    done = {(row["split"], row["choice"]) for row in found}
    for seed in range(SPLITS):
        members, test = known.split(seed)
        if (seed, "all") not in done:
            place = {"split": seed, "choice": "all", "draw": 0, "budget": len(members)}
            found.append(place | {"atoms": known.sizes[members].mean()} | known.errors([members], test)[0])
        for label, (method, *_) in CHOICES.items():
            if (seed, label) in done:
                continue
            for draw in range(draws_of(label)):
                chosen = designs_of(known, label, members, f"{seed}/{draw}")
                if METHODS[method].is_prefix:
                    errors = known.errors(chosen, test)
                else:
                    errors = [known.errors([own], test)[0] for own in chosen]
                for budget, own, each in zip(budgets, chosen, errors, strict=True):
                    atoms = known.sizes[own].mean()
                    place = {"split": seed, "choice": label, "draw": draw, "budget": budget, "atoms": atoms}
                    found.append(place | each)
        write_csv(output, pd.DataFrame(found))
        print(f"{name}: split {seed + 1} of {SPLITS}", flush=True)


def law(table: pd.DataFrame) -> np.ndarray:
    """Return the coefficients of log core-hours in what a law knows of frames, by least squares."""
    return np.linalg.lstsq(known_before(table), np.log(pd.to_numeric(table["core_hours"])), rcond=None)[0]


def known_before(table: pd.DataFrame) -> np.ndarray:
    """Return what a law knows of frames (n, 4): powers of the log of the number of atoms, and the volume of one."""
    atoms = np.log(table["atoms"].to_numpy())
    return np.column_stack([np.ones(len(table)), atoms, atoms**2, np.log(table["volume"].to_numpy()) - atoms])


def hours(name: str, folder: Path, priced_by: str) -> None:
    """Errors of designs within several budgets of core-hours, in every split.

    Costs are those of a law that is fitted to the frames of the test, of which none is chosen; what a design really
    cost is the sum of its measured times. Sets without these have the law of all of silicon, or the square of the
    number of atoms, by which designs are chosen and by which their cost is told.
    """
    known, found = Known(name, folder), []
    timed = np.isfinite(known.hours).all()
    by_square = priced_by == "square"
    silicon = known.table if timed or by_square else read_frames(folder.parent / "silicon")
    for seed in range(SPLITS):
        members, test = known.split(seed)
        if by_square:
            costs = known.sizes[members].astype(float) ** 2
        else:
            costs = np.exp(known_before(known.table.iloc[members]) @ law(silicon.iloc[test] if timed else silicon))
        paid = known.hours[members] if timed else costs
        rng = np.random.default_rng(seed)
        for share in known.asked.core_hours:
            budget = share * costs.sum()
            priced = {"budget": len(members), "core_hours": budget, "costs": costs}
            chosen: list[tuple[str, int, np.ndarray]] = []
            for draw in range(RANDOM):
                chosen.append(("random", draw, drawn_within(costs, budget, rng.permutation(len(members)))))
            order = np.lexsort([rng.random(len(members)), costs])
            chosen.append(("small cells first", 0, drawn_within(costs, budget, order)))
            for label in ("maxmin", "greedy_medoids", "information", "information of energies"):
                method, options, by = CHOICES[label]
                task = known.task(members=members, options=options, by=by, **priced)
                chosen.append((f"{label} per hour" if options else label, 0, select(METHODS[method], task).candidates))
            for label, draw, own in chosen:
                place = {"split": seed, "choice": label, "draw": draw, "share": share, "structures": len(own)}
                place |= {"hours": costs[own].sum() / costs.sum(), "paid": paid[own].sum() / paid.sum()}
                found.append(
                    place | {"atoms": known.sizes[members[own]].mean()} | known.errors([members[own]], test)[0]
                )
        write_csv(folder / HOURS[priced_by], pd.DataFrame(found))
        print(f"{name}: split {seed + 1} of {SPLITS}", flush=True)


def show(name: str, folder: Path) -> None:
    """Print errors, and their ratios to those of random designs with 95 % intervals over the splits."""
    for file, by in [("compare.csv", "budget"), *((file, "share") for file in HOURS.values())]:
        if not (folder / file).is_file():
            continue
        table = pd.read_csv(folder / file)
        errors = [column for column in table if column.startswith(("energy_", "force_"))]
        print(table[table["choice"] == "all"][errors].mean().round(1).to_frame("all frames").T.to_string(), end="\n\n")
        table = table[table["choice"] != "all"]
        ratios = against_random(table, by, errors).groupby([by, "choice"])
        means = table.groupby([by, "choice"]).mean(numeric_only=True)
        print(means.drop(columns=["split", "draw"]).round(3).to_string(), end="\n\n")
        for column in errors:
            print(f"{column}, in units of random designs'")
            print(ratios[column].apply(in_words).unstack(by).drop("random").to_string(), end="\n\n")


def against_random(table: pd.DataFrame, by: str, errors: list[str]) -> pd.DataFrame:
    """Return logarithms of errors over those of random designs of the same split and size, of each choice."""
    each = np.log(table.groupby(["split", by, "choice"])[errors].mean())
    blind = each.xs("random", level="choice")
    return each - blind.reindex(each.index.droplevel("choice")).set_axis(each.index)


def count(results: Path) -> None:
    """Print what each choice within core-hours was worth, and its cases whose whole interval is at one side of 1."""
    files = sorted(path for file in HOURS.values() for path in results.glob(f"*/{file}"))
    if not files:
        raise SystemExit("no designs within core-hours yet; the step `hours` makes those of a set")
    errors = ["energy_rmse", "force_rmse"]
    each = {f"{path.parent.name}, {path.stem}": against_random(pd.read_csv(path), "share", errors) for path in files}
    ratios = pd.concat(each, names=["set"]).drop("random", level="choice")
    cases = pd.concat([intervals(ratios[error], ["choice", "set", "share"]).assign(error=error) for error in errors])
    found = np.exp(cases.pivot_table(index="choice", columns="error", values="mean")).map("{:.2f}".format)
    print(markdown(found.join(better_and_worse(cases, "choice")), "choice"))
    worse = cases[cases["low"] > 0].reset_index().set_index("choice").sort_index(kind="stable")
    worse["mean"] = np.exp(worse["mean"]).map("{:.2f}".format)
    print(markdown(worse[["set", "share", "error", "mean"]].astype(str), "worse"))


def main() -> None:
    """Do one step for one set, or count over all sets."""
    steps = {"prepare": prepare, "compare": compare, "hours": hours, "show": show}
    more = {"prepare": ["files"], "hours": ["law"]}
    results = Path("results/methods-on-sets")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=[*steps, "count"], help="what to do")
    parser.add_argument("set", choices=SETS, nargs="?", help="labelled set, of every step but `count`")
    parser.add_argument("files", nargs="*", help="files of the set, for `prepare`")
    parser.add_argument("--law", choices=HOURS, default="silicon", help="what labels cost, for `hours` (%(default)s)")
    given = parser.parse_args()
    if missing := [path for path in given.files if not Path(path).is_file()]:
        parser.error(f"no file '{missing[0]}'; docs/information.md says where the sets are")
    if (given.step == "prepare") != bool(given.files):
        parser.error("`prepare` takes the files of the set, and no other step does")
    if (given.step == "count") != (given.set is None):
        parser.error("`count` takes no set, and every other step takes one")
    if given.step == "count":
        count(results)
    else:
        folder = results / given.set
        folder.mkdir(parents=True, exist_ok=True)
        steps[given.step](given.set, folder, *[getattr(given, name) for name in more.get(given.step, [])])


if __name__ == "__main__":
    main()
