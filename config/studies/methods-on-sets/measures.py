"""Does what is known of a design before its labels predict the errors of its model? See docs/design-page.md.

    python config/studies/methods-on-sets/measures.py measure nbmota
    python config/studies/methods-on-sets/measures.py show nbmota molybdenum silicon tungsten

`measure` chooses the designs of `compare.py` again, whose errors are there, and measures each against the frames that
it was chosen from, without labels. `show` ranks the designs of each split and size by every measure, and prints how
that ranks them by their errors (Spearman), and what the error of the first is beside the mean of all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from compare import CHOICES, designs_of, draws_of
from labelled import ERRORS, KERNEL, SETS, SPLITS, Known
from ratios import in_words
from scipy.stats import spearmanr

from gapdesign.descriptors.environments import Environments
from gapdesign.files import write_csv
from gapdesign.models.shared import leastsquares
from gapdesign.quality.measures import measure as measured
from gapdesign.rows.pool import atoms_of
from gapdesign.shards import HeldPool

FRAMES, ATOMS = 100, 400
"""Frames, and environments of them, of those that may be chosen, against which rows and environments are measured."""

BETTER = {
    "nearest_mean": 1,
    "covering_radius": -1,
    "covering_mean": -1,
    "log_det": 1,
    "posterior_std_max": -1,
    "posterior_std_mean": -1,
    "information": 1,
    "information_of_energies": 1,
    "energy_deviation": -1,
    "force_deviation": -1,
    "environments_mean": -1,
    "environments_max": -1,
    "atoms": 1,
}
"""Measures, and whether a larger (1) or a smaller one (-1) should be better."""


class Yardsticks:
    """What designs of one split are measured against.

    Parameters
    ----------
    known : Known
    members : (n,) int64
        Frames that may be chosen.
    """

    def __init__(self, known: Known, members: np.ndarray) -> None:
        self.known, self.members = known, members
        self.features, self.covariance = known.compared("soap")
        self.pool = HeldPool(self.features[members])
        sample = members[:: max(1, len(members) // FRAMES)]
        rows = [known.rows.one(int(k)).astype(float) for k in sample]
        self.energies = np.array([own[0] / atoms_of(own) for own in rows])
        self.forces = np.concatenate([own[leastsquares.OFFSET :] for own in rows])[:: max(1, len(rows) // 50)]
        vectors, self.numbers = self._vectors(sample)
        step = max(1, len(vectors) // ATOMS)
        self.vectors, self.numbers = vectors[::step], self.numbers[::step]

    def _vectors(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        joined = Environments.joined([self.known.environments.one(int(k)) for k in frames])
        return joined.vectors, joined.species

    def measures(self, design: np.ndarray) -> dict[str, float]:
        """Return the measures of a design, by name."""
        quality = measured(self.features[design], self.pool, self.covariance, 4096)
        found = {name: getattr(quality, name) for name in BETTER if hasattr(quality, name)}
        whole, energies = (np.eye(self.known.rows.dimension) for _ in range(2))
        for k in design:
            rows = self.known.rows.one(int(k)).astype(float)
            errors = leastsquares.sigmas(atoms_of(rows), energy=ERRORS["energy"], force=ERRORS["force"], virial=np.inf)
            weighted = rows / errors[:, None]
            whole += weighted.T @ weighted
            energies += np.outer(weighted[0], weighted[0])
        found["information"] = 0.5 * np.linalg.slogdet(whole)[1]
        found["information_of_energies"] = 0.5 * np.linalg.slogdet(energies)[1]
        covariance = np.linalg.inv(whole)
        for name, rows in (("energy_deviation", self.energies), ("force_deviation", self.forces)):
            found[name] = float(np.sqrt(((rows @ covariance) * rows).sum(axis=1).mean()))
        vectors, numbers = self._vectors(design)
        farthest = []
        for z in np.unique(self.numbers):
            own, others = self.vectors[self.numbers == z], vectors[numbers == z]
            nearest = (own @ others.T).max(axis=1) if len(others) else np.zeros(len(own))
            farthest.append(np.sqrt(np.maximum(2 - 2 * np.clip(nearest, 0, 1) ** KERNEL.soap.zeta, 0)))
        distances = np.concatenate(farthest)
        found["environments_mean"], found["environments_max"] = float(distances.mean()), float(distances.max())
        found["atoms"] = float(self.known.sizes[design].sum())
        return found


def measure(name: str, folder: Path) -> None:
    """Measure the designs of every split."""
    known, found = Known(name, folder), []
    budgets = known.asked.budgets
    for seed in range(SPLITS):
        members, _ = known.split(seed)
        against = Yardsticks(known, members)
        for label in CHOICES:
            for draw in range(draws_of(label)):
                chosen = designs_of(known, label, members, f"{seed}/{draw}")
                for budget, own in zip(budgets, chosen, strict=True):
                    place = {"split": seed, "choice": label, "draw": draw, "budget": budget}
                    found.append(place | against.measures(own))
        write_csv(folder / "measures.csv", pd.DataFrame(found))
        print(f"{name}: split {seed + 1} of {SPLITS}", flush=True)


def joined(folder: Path) -> pd.DataFrame:
    """Return measures and errors of designs, a row each."""
    keys = ["split", "choice", "draw", "budget"]
    return pd.read_csv(folder / "measures.csv").merge(pd.read_csv(folder / "compare.csv"), on=keys, suffixes=("", "_"))


def show(tables: dict[str, pd.DataFrame]) -> None:
    """Print rank correlations, and the error of the design that a measure ranks first."""
    for title, some in (("all designs", None), ("random designs", "random")):
        for error in ("energy_rmse", "force_rmse"):
            rows = {}
            for name, table in tables.items():
                mine = table if some is None else table[table["choice"] == some]
                for column, sign in BETTER.items():
                    ranked, first = [], []
                    for (split, _), group in mine.groupby(["split", "budget"]):
                        if group[column].nunique() < 2:
                            continue
                        rho = spearmanr(-sign * group[column], group[error]).statistic
                        best = group.loc[(sign * group[column]).idxmax(), error]
                        ranked.append((split, rho))
                        first.append((split, np.log(best) - np.log(group[error]).mean()))
                    by_split = pd.DataFrame(ranked, columns=["split", "rho"]).groupby("split")["rho"].mean()
                    ratio = pd.DataFrame(first, columns=["split", "ratio"]).groupby("split")["ratio"].mean()
                    rows.setdefault(column, {})[name] = (
                        f"{in_words(by_split.dropna(), float)}  {np.exp(ratio.mean()):.2f}"
                    )
            print(f"\n{title}, {error}: rank correlation (interval over splits), error of the first over the mean")
            print(pd.DataFrame(rows).T.to_string())


def main() -> None:
    """Do one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["measure", "show"], help="what to do")
    parser.add_argument("sets", choices=SETS, nargs="+", help="labelled sets that `compare.py` has compared")
    given = parser.parse_args()
    folders = {name: Path("results/methods-on-sets") / name for name in given.sets}
    if missing := [folder for folder in folders.values() if not (folder / "compare.csv").is_file()]:
        parser.error(f"no file '{missing[0]}/compare.csv'; run compare.py first")
    if given.step == "measure":
        for name, folder in folders.items():
            measure(name, folder)
    else:
        show({name: joined(folder) for name, folder in folders.items()})


if __name__ == "__main__":
    main()
