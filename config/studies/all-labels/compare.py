"""Designs by all labels against designs by averages, and by chance, replayed on labelled sets; see docs/all-labels.md.

    python config/studies/all-labels/compare.py prepare nbmota data/nbmotaw/train.xyz.gz
    python config/studies/all-labels/compare.py compare nbmota
    python config/studies/all-labels/compare.py hours silicon

`prepare` keeps the frames of a set and computes, once, features and rows for the choice, and the rows of GAPs of
another basis, by which designs are judged. `compare` draws ten test sets, chooses designs of growing size from what is
left, fits a GAP to each and writes its errors; `hours` does the same with budgets of core-hours. Everything is kept in
`results/all-labels/<set>/`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from ase.io import read

from gapdesign.descriptors import Descriptor, environments_of
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.environments import EnvironmentFile, write_environments
from gapdesign.descriptors.kernel import CovarianceOptions, KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.files import read_array, write_array, write_csv
from gapdesign.methods import METHODS, Task
from gapdesign.methods.designs import select
from gapdesign.methods.information import InformationOptions
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.shared.distance import mean_descriptor, total
from gapdesign.methods.shared.parts import among
from gapdesign.models.gap.basis import choose
from gapdesign.models.gap.expansion import Expansion, Model
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.shared import leastsquares
from gapdesign.rows.functions import RowFunctions
from gapdesign.rows.pool import RowFile, write_rows
from gapdesign.shards import HeldPool
from gapdesign.structures import pack

SPLITS = 10
TEST = 0.2
KERNEL = KernelOptions(soap={"zeta": 4, "scale": 1.0}, pair={"scale": 0.0})
ERRORS = {"energy": 0.002, "force": 0.1}
RANDOM = 5
"""Random designs of each split."""


class Set(NamedTuple):
    """A labelled set.

    Attributes
    ----------
    keep : sequence of str
        Values of `config_type`; all if there are none.
    most : int
        Frames that are taken, evenly; 0 for all.
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
    most: int = 0
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
    "silicon": Set(cost="castep_run_time"),
    "tungsten": Set(most=1000, energy="energy_dft", forces="forces_dft"),
}


def frames_of(asked: Set, paths: list[str]) -> list[Atoms]:
    """Read the frames of a set that are to be compared."""
    frames = [atoms for path in paths for atoms in read(path, ":") if len(atoms) > 1]
    frames = [atoms for atoms in frames if not asked.keep or str(atoms.info.get("config_type")) in asked.keep]
    frames = [atoms for atoms in frames if asked.energy in atoms.info and asked.forces in atoms.arrays]
    if asked.cost:
        frames = [atoms for atoms in frames if asked.cost in atoms.info]
    if asked.most:
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
    write_csv(folder / "frames.csv", pd.DataFrame({"atoms": sizes, "group": groups, "core_hours": measured}))
    print(f"{name}: {len(expansion)} functions of GAPs", flush=True)


class Known:
    """A prepared set."""

    def __init__(self, name: str, folder: Path) -> None:
        self.asked, self.table = SETS[name], pd.read_csv(folder / "frames.csv", keep_default_na=False)
        self.sizes = self.table["atoms"].to_numpy()
        self.features, self.environments = (
            read_array(folder / "features.npy"),
            EnvironmentFile(folder / "environments.npz"),
        )
        self.rows, self.judged = RowFile(folder / "rows.npz"), RowFile(folder / "judged.npz")
        labels, ends = read_array(folder / "labels.npy"), leastsquares.offsets(self.sizes)
        self.labels = [labels[a:b] for a, b in pairwise(ends)]
        self.start = leastsquares.prior(read_array(folder / "prior.npy"))
        species = sorted(Expansion.read(folder / "expansion.npz").soap)
        layout = Descriptor(DescriptorOptions(backend="quippy", soap=self.asked.soap), None, species).layout
        self.covariance = Covariance(layout, KERNEL)
        self.basis = Directions.of(self.features[:: max(1, len(self.features) // 500)], layout)

    def task(self, budget: int, members: np.ndarray, **given) -> Task:
        """The task of choosing among some frames."""
        whole = Task(
            pool=HeldPool(self.features),
            covariance=self.covariance,
            mean=mean_descriptor(total(self.features), len(self.features), self.covariance.layout),
            budget=budget,
            compressed=HeldPool(self.basis.compress(self.features)),
            basis=self.basis,
            environments=self.environments,
            rows=self.rows,
            memory=6000,
            scale=KERNEL.soap.scale,
        )
        return replace(among(whole, members), **given)

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
            small = np.concatenate([each[1] for each in off if len(each[1]) <= 3 * 20] or [np.zeros(0)])
            large = np.concatenate([each[1] for each in off if len(each[1]) > 3 * 20] or [np.zeros(0)])
            energies = np.array([each[0] for each in off])
            found.append(
                {
                    "energy_rmse": 1e3 * np.sqrt(np.mean(energies**2)),
                    "energy_q95": 1e3 * np.quantile(np.abs(energies), 0.95),
                    "force_rmse": 1e3 * np.sqrt(np.mean(forces**2)),
                    "force_rmse_small": 1e3 * np.sqrt(np.mean(small**2)) if len(small) else np.nan,
                    "force_rmse_large": 1e3 * np.sqrt(np.mean(large**2)) if len(large) else np.nan,
                }
            )
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
    "random": ("random", None),
    "maxmin": ("maxmin", None),
    "k_medoids": ("k_medoids", None),
    "information": ("information", information(**ERRORS)),
    "information of energies": ("information", information(energy=ERRORS["energy"])),
    "information of forces": ("information", information(force=ERRORS["force"])),
}


def compare(name: str, folder: Path) -> None:
    """Errors of designs of several sizes, in every split."""
    known, found = Known(name, folder), []
    budgets = known.asked.budgets
    for seed in range(SPLITS):
        members, test = known.split(seed)
        for label, (method, options) in CHOICES.items():
            member = METHODS[method]
            for draw in range(RANDOM if member.by_chance and member.is_baseline else 1):
                task = partial(known.task, members=members, options=options, seed=f"{seed}/{draw}")
                if member.is_prefix:
                    order = members[select(member, task(budgets[-1])).candidates]
                    chosen = [order[:budget] for budget in budgets]
                else:
                    chosen = [members[select(member, task(budget)).candidates] for budget in budgets]
                errors = (
                    known.errors(chosen, test) if member.is_prefix else [known.errors([own], test)[0] for own in chosen]
                )
                for budget, own, each in zip(budgets, chosen, errors, strict=True):
                    atoms = known.sizes[own].mean()
                    place = {"split": seed, "choice": label, "draw": draw, "budget": budget, "atoms": atoms}
                    found.append(place | each)
        write_csv(folder / "compare.csv", pd.DataFrame(found))
        print(f"{name}: split {seed + 1} of {SPLITS}", flush=True)


def main() -> None:
    """Do one step for one set."""
    steps = {"prepare": prepare, "compare": compare}
    if len(sys.argv) < 3 or sys.argv[1] not in steps or sys.argv[2] not in SETS:
        sys.exit(__doc__)
    folder = Path("results/all-labels") / sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "prepare":
        prepare(sys.argv[2], folder, sys.argv[3:])
    else:
        steps[sys.argv[1]](sys.argv[2], folder)


if __name__ == "__main__":
    main()
