"""Designs by all labels against designs by averages, and by chance, replayed on labelled sets; see docs/information.md.

    python config/studies/all-labels/compare.py prepare nbmota data/nbmotaw/train.xyz.gz
    python config/studies/all-labels/compare.py compare nbmota
    python config/studies/all-labels/compare.py hours silicon
    python config/studies/all-labels/compare.py hours tungsten --law square
    python config/studies/all-labels/compare.py show nbmota

`prepare` keeps the frames of a set and computes, once, features and rows for the choice, and the rows of GAPs of
another basis, by which designs are judged. `compare` draws ten test sets, chooses designs of growing size from what is
left, fits a GAP to each and writes its errors; `hours` does the same with budgets of core-hours, where sets without
measured times have the law of silicon's, or the square of the number of atoms. All is kept in
`results/all-labels/<set>/`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from ase.io import read
from scipy.stats import t as student

from gapdesign.descriptors import Descriptor, environments_of
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.environments import EnvironmentFile, write_environments
from gapdesign.descriptors.kernel import CovarianceOptions, KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.files import read_array, write_array, write_csv
from gapdesign.methods import METHODS, Task
from gapdesign.methods.designs import select
from gapdesign.methods.information import InformationOptions
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.shared.costs import drawn_within
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.methods.shared.parts import among
from gapdesign.models.gap.basis import choose
from gapdesign.models.gap.expansion import Expansion, Model
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.shared import leastsquares
from gapdesign.rows.functions import RowFunctions
from gapdesign.rows.pool import RowFile, atoms_of, write_rows
from gapdesign.shards import HeldPool
from gapdesign.structures import pack

SPLITS = 10
TEST = 0.2
KERNEL = KernelOptions(soap={"zeta": 4, "scale": 1.0}, pair={"scale": 0.0})
PAIRS = KernelOptions()
"""The default kernel of a study, in which pairs count more than SOAP."""

ERRORS = {"energy": 0.002, "force": 0.1}
SMALL = 20
"""Atoms of the largest cells that count as small, where a set has no surfaces."""

RANDOM = 5
"""Random designs of each split."""

HOURS = {"silicon": "hours.csv", "square": "hours-square.csv"}
"""Files of designs within core-hours, by the law of these."""


class Set(NamedTuple):
    """A labelled set.

    Attributes
    ----------
    keep : sequence of str
        Values of `config_type`; all if there are none.
    fewest : int
        Atoms of the smallest frames that are taken.
    most : int
        Frames that are taken, evenly in the order of their `config_type` and of the file; 0 for all.
    surfaces : str
        Beginning of the `config_type` of surfaces, apart from which errors are given; by size if there is none.
    soap : dict
        Descriptor of the choice.
    judge : dict
        Descriptor of the GAPs that judge.
    points : int
        SOAP vectors per element of these.
    budgets : tuple of int
    core_hours : tuple of float
        Budgets, as shares of the costs of all frames that may be chosen.
    energy, forces, cost : str
        Keys of labels, and of measured seconds.
    """

    keep: tuple[str, ...] = ()
    fewest: int = 2
    most: int = 0
    surfaces: str = ""
    soap: dict = {"r_cut": 5.0, "n_max": 6, "l_max": 4}  # noqa: RUF012
    judge: dict = {"r_cut": 5.0, "n_max": 8, "l_max": 6}  # noqa: RUF012
    points: int = 300
    budgets: tuple[int, ...] = (10, 20, 40, 80, 160)
    core_hours: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    energy: str = "dft_energy"
    forces: str = "dft_force"
    cost: str = ""


SETS = {
    "nbmota": Set(keep=("Nb", "Mo", "Ta"), judge={"r_cut": 5.0, "n_max": 6, "l_max": 4}),
    "molybdenum": Set(budgets=(5, 10, 20, 40, 80)),
    "silicon": Set(surfaces="surface", cost="castep_run_time"),
    "tungsten": Set(fewest=1, most=1000, energy="REF_energy", forces="REF_forces"),
}


def frames_of(asked: Set, paths: list[str]) -> list[Atoms]:
    """Read the frames of a set that are to be compared."""
    frames = [atoms for path in paths for atoms in read(path, ":") if len(atoms) >= asked.fewest]
    frames = [atoms for atoms in frames if not asked.keep or str(atoms.info.get("config_type")) in asked.keep]
    frames = [atoms for atoms in frames if asked.energy in atoms.info and asked.forces in atoms.arrays]
    if asked.cost:
        frames = [atoms for atoms in frames if asked.cost in atoms.info]
    if asked.most:
        frames.sort(key=lambda atoms: str(atoms.info.get("config_type")))
        frames = [frames[k] for k in np.arange(asked.most) * len(frames) // asked.most]
    return frames


def prepare(name: str, folder: Path, paths: list[str]) -> None:
    """Compute all that does not depend on the split."""
    asked = SETS[name]
    frames = frames_of(asked, paths)
    species = sorted({int(z) for atoms in frames for z in atoms.numbers})
    batch = pack(frames)
    options = DescriptorOptions(backend="quippy", soap=asked.soap)
    describe = Descriptor(options, None, species)
    features, environments = describe.features_and_environments(batch)
    write_array(folder / "features.npy", features)
    write_array(folder / "pairs.npy", Descriptor(options, PAIRS.pair.shape, species).features(batch))
    write_environments(folder / "environments.npz", environments)
    step = max(1, sum(map(len, frames)) // (5000 * len(species)))
    sample = [environments_of(describe._environments, batch, k) for k in range(0, len(batch), step)]
    functions = RowFunctions.chosen(sample, species, KERNEL.soap.zeta, 400)
    write_rows(folder / "rows.npz", [functions.rows(describe, batch, k) for k in range(len(batch))])
    print(f"{name}: {len(frames)} frames, {len(functions)} functions", flush=True)
    model = Model(
        soap=DescriptorOptions(soap=asked.judge).soap,
        kernel=CovarianceOptions(soap={"zeta": 4, "scale": 1.0}, pair={"r_cut": 5.0, "length": 0.6, "scale": 1.0}),
        transition=0.5,
        jitter=1e-8,
    )
    expansion = choose(
        lambda: frames, species, model, points=asked.points, sample=5000, per_length=4.0, rng=np.random.default_rng(0)
    )
    write_array(folder / "prior.npy", expansion.covariance(model))
    judged = LabelRows(expansion, model)
    write_rows(folder / "judged.npz", [judged(atoms).astype(np.float32) for atoms in frames])
    expansion.write(folder / "expansion.npz")
    counts = np.array([[(atoms.numbers == z).sum() for z in species] for atoms in frames])
    energies = np.array([float(atoms.info[asked.energy]) for atoms in frames])
    # Energies above what the composition alone gives: the same for all designs.
    above = energies - counts @ np.linalg.lstsq(counts.astype(float), energies, rcond=None)[0]
    labels = [
        leastsquares.labels(len(atoms), energy=above[k], forces=np.asarray(atoms.arrays[asked.forces]))
        for k, atoms in enumerate(frames)
    ]
    write_array(folder / "labels.npy", np.concatenate(labels))
    sizes = [len(atoms) for atoms in frames]
    groups = [str(atoms.info.get("config_type", "")) for atoms in frames]
    measured = [float(atoms.info[asked.cost]) / 3600 if asked.cost else np.nan for atoms in frames]
    volumes = [atoms.get_volume() for atoms in frames]
    table = {"atoms": sizes, "volume": volumes, "group": groups, "core_hours": measured}
    write_csv(folder / "frames.csv", pd.DataFrame(table))
    print(f"{name}: {len(expansion)} functions of GAPs", flush=True)


def by_all_labels(rows: RowFile) -> tuple[np.ndarray, Covariance]:
    """Return vectors of frames whose dot products are the kernel of all labels, and the covariance that takes these.

    With Phi_p the rows of a frame's labels over their expected errors, the covariance of all labels of two frames is
    the matrix K = Phi_p Phi_q', and k(p, q) = |K|^2 / (|K_pp| |K_qq|) in Frobenius' norm: the cosine between what the
    two teach, the matrices Phi' Phi.
    """
    upper = np.triu_indices(rows.dimension)
    doubled = np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0))
    teaches = np.empty((len(rows), len(doubled)), np.float32)
    for k in range(len(rows)):
        own = rows.one(k).astype(float)
        errors = leastsquares.sigmas(atoms_of(own), energy=ERRORS["energy"], force=ERRORS["force"], virial=np.inf)
        own /= errors[:, None]
        flat = (own.T @ own)[upper] * doubled
        teaches[k] = flat / np.linalg.norm(flat)
    values, vectors = np.linalg.eigh(teaches.astype(float) @ teaches.T.astype(float))
    points = vectors * np.sqrt(np.maximum(values, 0.0))
    points /= np.linalg.norm(points, axis=1)[:, None]
    linear = CovarianceOptions(soap={"zeta": 1, "scale": 1.0}, pair={"scale": 0.0})
    return points.astype(np.float32), Covariance(Layout(1, points.shape[1], 0), linear)


def read_frames(folder: Path) -> pd.DataFrame:
    """Read what is known of the frames of a prepared set."""
    return pd.read_csv(folder / "frames.csv", keep_default_na=False)


class Known:
    """A prepared set."""

    def __init__(self, name: str, folder: Path) -> None:
        self.asked, self.table = SETS[name], read_frames(folder)
        self.sizes = self.table["atoms"].to_numpy()
        self.hours = pd.to_numeric(self.table["core_hours"], errors="coerce").to_numpy()
        if self.asked.surfaces:
            is_surface = self.table["group"].str.startswith(self.asked.surfaces).to_numpy()
            self.kinds = np.where(is_surface, "surface", "bulk")
        else:
            self.kinds = np.where(self.sizes > SMALL, "large", "small")
        self.features = read_array(folder / "features.npy")
        self.environments = EnvironmentFile(folder / "environments.npz")
        self.rows, self.judged = RowFile(folder / "rows.npz"), RowFile(folder / "judged.npz")
        labels, ends = read_array(folder / "labels.npy"), leastsquares.offsets(self.sizes)
        self.labels = [labels[a:b] for a, b in pairwise(ends)]
        self.start = leastsquares.prior(read_array(folder / "prior.npy"))
        species = sorted(Expansion.read(folder / "expansion.npz").soap)
        options = DescriptorOptions(backend="quippy", soap=self.asked.soap)
        alone, with_pairs = (Descriptor(options, pair, species).layout for pair in (None, PAIRS.pair.shape))
        self.compared = {
            "soap": (self.features, Covariance(alone, KERNEL)),
            "default kernel": (read_array(folder / "pairs.npy"), Covariance(with_pairs, PAIRS)),
            "all labels": by_all_labels(self.rows),
        }

    def task(
        self,
        budget: int,
        members: np.ndarray,
        costs: np.ndarray | None = None,
        *,
        by: str = "soap",
        **given,
    ) -> Task:
        """The task of choosing among some frames, which are compared by one of several kernels."""
        features, covariance = self.compared[by]
        basis = Directions.of(features[:: max(1, len(features) // 500)], covariance.layout)
        whole = Task(
            pool=HeldPool(features),
            covariance=covariance,
            mean=mean_descriptor(total(features), len(features), covariance.layout),
            budget=budget,
            compressed=HeldPool(basis.compress(features)),
            basis=basis,
            environments=self.environments,
            rows=self.rows,
            memory=6000,
            scale=KERNEL.soap.scale,
        )
        return replace(among(whole, members), costs=costs, **given)

    def split(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Frames that may be chosen and those of the test, increasing."""
        order = np.random.default_rng(seed).permutation(len(self.sizes))
        count = round(TEST * len(order))
        return np.sort(order[count:]), np.sort(order[:count])

    def errors(self, chosen: list[np.ndarray], test: np.ndarray) -> list[dict]:
        """Errors of the GAPs that are fitted to growing designs."""
        found, factor, done = [], self.start, np.zeros(0, np.int64)
        for design in chosen:
            factor = leastsquares.add(factor, (self._part(k) for k in np.setdiff1d(design, done)))
            coefficients, done = leastsquares.coefficients(factor), design
            off = [self._off(k, coefficients) for k in test]
            forces = np.concatenate([each[1] for each in off])
            energies = np.array([each[0] for each in off])
            own = {
                "energy_rmse": 1e3 * np.sqrt(np.mean(energies**2)),
                "energy_q95": 1e3 * np.quantile(np.abs(energies), 0.95),
                "force_rmse": 1e3 * np.sqrt(np.mean(forces**2)),
            }
            for kind in np.unique(self.kinds):
                mine = np.flatnonzero(self.kinds[test] == kind)
                own[f"energy_rmse_{kind}"] = 1e3 * np.sqrt(np.mean(energies[mine] ** 2)) if len(mine) else np.nan
                parts = [off[k][1] for k in mine]
                own[f"force_rmse_{kind}"] = 1e3 * np.sqrt(np.mean(np.concatenate(parts) ** 2)) if parts else np.nan
            found.append(own)
        return found

    def _part(self, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        errors = leastsquares.sigmas(self.sizes[k], energy=ERRORS["energy"], force=ERRORS["force"], virial=np.inf)
        return self.judged.one(k).astype(float), self.labels[k], errors

    def _off(self, k: int, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        off = self.judged.one(k).astype(float) @ coefficients - self.labels[k]
        return off[0] / self.sizes[k], off[leastsquares.OFFSET :]


def information(**errors: float | None) -> InformationOptions:
    """Options with expected errors of some labels only."""
    return InformationOptions(errors={"energy": None, "force": None, "virial": None} | errors)


CHOICES = {
    "random": ("random", None, "soap"),
    "maxmin, default kernel": ("maxmin", None, "default kernel"),
    "maxmin": ("maxmin", None, "soap"),
    "maxmin of all labels": ("maxmin", None, "all labels"),
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
    silicon = known.table if timed else read_frames(folder.parent / "silicon")
    for seed in range(SPLITS):
        members, test = known.split(seed)
        if priced_by == "square":
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
            for label in ("maxmin", "information", "information of energies"):
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
        each = np.log(table.groupby(["split", by, "choice"])[errors].mean())
        blind = each.xs("random", level="choice")
        ratios = (each - blind.reindex(each.index.droplevel("choice")).set_axis(each.index)).groupby([by, "choice"])
        half = student.ppf(0.975, SPLITS - 1) * ratios.std() / np.sqrt(SPLITS)
        middle, means = ratios.mean(), table.groupby([by, "choice"]).mean(numeric_only=True)
        print(means.drop(columns=["split", "draw"]).round(3).to_string(), end="\n\n")
        for column in errors:
            low, high = np.exp(middle[column] - half[column]), np.exp(middle[column] + half[column])
            text = [f"{np.exp(m):.2f} ({a:.2f} to {b:.2f})" for m, a, b in zip(middle[column], low, high, strict=True)]
            print(f"{column}, in units of random designs'")
            print(pd.Series(text, middle.index).unstack(by).drop("random").to_string(), end="\n\n")


def main() -> None:
    """Do one step for one set."""
    steps = {"prepare": prepare, "compare": compare, "hours": hours, "show": show}
    more = {"prepare": ["files"], "hours": ["law"]}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=steps, help="what to do")
    parser.add_argument("set", choices=SETS, help="labelled set")
    parser.add_argument("files", nargs="*", help="files of the set, for `prepare`")
    parser.add_argument("--law", choices=HOURS, default="silicon", help="what labels cost, for `hours` (%(default)s)")
    given = parser.parse_args()
    if missing := [path for path in given.files if not Path(path).is_file()]:
        parser.error(f"no file '{missing[0]}'; docs/information.md says where the sets are")
    if (given.step == "prepare") != bool(given.files):
        parser.error("`prepare` takes the files of the set, and no other step does")
    folder = Path("results/all-labels") / given.set
    folder.mkdir(parents=True, exist_ok=True)
    steps[given.step](given.set, folder, *[getattr(given, name) for name in more.get(given.step, [])])


if __name__ == "__main__":
    main()
