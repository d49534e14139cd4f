"""Why can max-min be worse than random draws? Which cells it takes by which distance, and what leaving some out costs.

    python config/studies/methods-on-sets/why.py describe nbmota
    python config/studies/methods-on-sets/why.py show nbmota

`describe` computes the features that a study has by default for every third frame of a set that `methods.py frames` has
prepared. `show` chooses a fifth of these by several distances, counts what kinds of cells each design has, and prints
the errors of its GAP on cells of each kind, for a large basis, a small one, and other expected errors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from ase.io import read
from labelled import PAIRS, SETS, SPLITS, Known
from methods import ROOT, Chooser, Judge

from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.files import read_array, write_array
from gapdesign.structures import pack

EVERY = 3
SHARE = 0.2
CHOICES = ("random", "k_medoids", "maxmin", "maxmin_pairs", "maxmin_environment")


def default(known: Known) -> Descriptor:
    """Return the descriptor of a study by default."""
    return Descriptor(DescriptorOptions(), PAIRS.pair.shape, known.species)


def describe(known: Known, folder: Path) -> None:
    """Compute the features of a study by default; those of other frames are zero."""
    frames = read(folder / "frames.extxyz", ":")
    some = np.arange(0, len(frames), EVERY)
    features = default(known).features(pack([frames[k] for k in some]))
    whole = np.zeros((len(frames), features.shape[1]), np.float32)
    whole[some] = features
    write_array(folder / "default.npy", whole)


def show(known: Known, folder: Path) -> None:
    """Print the cells that designs have, and errors by the kind of cell, as means over splits."""
    names = list(CHOICES)
    if (folder / "default.npy").is_file():
        covariance = Covariance(default(known).layout, PAIRS)
        known.add("default study", lambda: (read_array(folder / "default.npy"), covariance))
        names.append("default_study")
    names.append("maxmin_without_54")
    chooser = Chooser(known)
    sizes = known.sizes
    kinds = np.select([sizes == 2, sizes == 54], ["2 atoms", "54 atoms"], "slabs")
    judges = {"as all": {}, "a tenth of the points": {"every": 10}, "energies 0.1 meV": {"energy": 1e-4}}
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(np.arange(0, len(sizes), EVERY))
        count = round(0.2 * len(order))
        test, candidates = np.sort(order[:count]), np.sort(order[count:])
        budget = round(SHARE * len(candidates))
        for name in names:
            pool = candidates[sizes[candidates] != 54] if name.endswith("54") else candidates
            label = "maxmin" if name.endswith("54") else name
            design = chooser.designs(label, pool, [min(budget, len(pool))], f"{seed}/0")[0]
            counts = {f"{kind}": int((kinds[design] == kind).sum()) for kind in np.unique(kinds)}
            found.append({"split": seed, "design": name, "test": test, "chosen": design} | counts)
    counts = pd.DataFrame(found).groupby("design")[list(np.unique(kinds))].mean()
    print(counts.round(1).to_string(), "\n")
    for title, options in judges.items():
        judge = Judge(known, folder, **options)
        rows = []
        for one in found:
            parts = {kind: one["test"][kinds[one["test"]] == kind] for kind in np.unique(kinds)}
            parts = {"all": one["test"]} | {kind: some for kind, some in parts.items() if len(some)}
            rows.append({"design": one["design"]} | judge.errors([one["chosen"]], parts)[0])
        table = pd.DataFrame(rows).groupby("design").mean()
        columns = [column for column in table if not column.endswith("worst")]
        print(title, "\n", table[columns].round(0).astype(int).to_string(), "\n", sep="")


def main() -> None:
    """Do one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["describe", "show"], help="what to do")
    parser.add_argument("set", choices=SETS, help="labelled set")
    given = parser.parse_args()
    folder = ROOT / given.set
    if not (folder / "frames.extxyz").is_file():
        parser.error(f"no file '{folder}/frames.extxyz'; run methods.py frames first")
    {"describe": describe, "show": show}[given.step](Known(given.set, folder), folder)


if __name__ == "__main__":
    main()
