"""Max-min against random designs under settings that the paper leaves open, over many pools; see docs/zr-elastic.md.

    python config/studies/zr-elastic/settings.py designs published
    python config/studies/zr-elastic/settings.py judge published --size 150
    python config/studies/zr-elastic/settings.py show published --size 150

`designs` makes pools of the study zr-elastic, chooses a max-min and a random design from each, and labels them by its
embedded-atom potential. `judge` fits a potential to each design under several balances of expected errors, by the least
squares that gap_fit solves, and tests it on the designs of all other pools and on rattled crystals, which neither
method made. `show` prints errors and the ratios of random to max-min ones. `curves` fits potentials to growing designs.
`check` compares a fit with that of gap_fit, and L-BFGS with CMA-ES. `dft` judges the 600 labels of zr-gpaw. What is
there in `results/zr-elastic-settings` is not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from scipy.sparse import csr_array

import gapdesign
from gapdesign.config import study as config
from gapdesign.crossval.between import between
from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.base import Centers
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.pairs import PairFeatures
from gapdesign.deviations import tail, worst_twentieth
from gapdesign.engines.eam import EamEngine
from gapdesign.files import read_frames, write_csv, write_frames
from gapdesign.labels.labelling import isolated_atom
from gapdesign.methods.shared.chance import shuffled
from gapdesign.models.gap.environments import GapStructures, boxed, energies_above_atoms, environments
from gapdesign.models.gap.evidence import Evidence, labelled
from gapdesign.models.gap.expansion import Expansion, Model, pair_covariance, soap_covariance
from gapdesign.models.gap.fit import fit
from gapdesign.models.gap.optimise import STARTS, lbfgs, optimise
from gapdesign.models.gap.options import GapOptions
from gapdesign.models.gap.points import expand, model_of
from gapdesign.models.gap.predict import energies as gap_energies
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.gap.training import training_frame
from gapdesign.models.shared import leastsquares
from gapdesign.prototypes import prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.rattle import RattleOptions
from gapdesign.samplers.strain import StrainOptions
from gapdesign.structures import Batch

STUDY = "config/studies/zr-elastic.yaml"
RESULTS = Path("results/zr-elastic-settings")
POOLS = "ABCDEFGHIJ"
METHODS = {"OPT": "maxmin", "RND": "random"}
DFT = "config/studies/zr-gpaw/labels.extxyz"
BUDGET, LARGEST = 150, 500
"""Structures of the designs that are judged by default, and of those that are made; smaller ones are their first."""

GROWING = (50, 100, 200, 500, 1000, 2000)
"""Structures of growing designs."""

NEITHER = "RATTLED"
"""Name of the test set that neither method made."""

RATTLED, RATTLE = 200, RattleOptions(atoms=8, strain=0.05, amplitude=0.1)
"""Number of its structures, and their sampling."""


@dataclass(frozen=True)
class Setting:
    """What designs are chosen from, and by; the descriptor is that of the potentials, too.

    Attributes
    ----------
    sigma
        Width of the Gaussians of SOAP, in angstrom.
    strain
        Largest strain of the pools.
    size
        Candidates of each pool.
    normalised
        Whether the covariance of pairs is normalised for each structure. Otherwise it is that of energies per atom.
    pools
        Names of the pools.
    labelled
        Whether the designs are those that were labelled for zr-gpaw, so that none need be chosen.
    """

    sigma: float = 0.15
    strain: float = 0.15
    size: int = 10_000
    normalised: bool = True
    pools: str = POOLS
    labelled: bool = False


SETTINGS = {
    "published": Setting(),
    "sigma-0.3": Setting(sigma=0.3),
    "sigma-0.5": Setting(sigma=0.5),
    "strain-0.10": Setting(strain=0.10),
    "strain-0.23": Setting(strain=0.23),
    "pairs": Setting(normalised=False),
    "sigma-0.5-strain-0.23": Setting(sigma=0.5, strain=0.23),
    "large": Setting(size=100_000, pools="AB", labelled=True),
}


@dataclass(frozen=True)
class Balance:
    """Expected errors of labels.

    Attributes
    ----------
    force, virial
        Those of forces (eV/angstrom) and virials (eV per atom).
    noise
        Bound of that of energies, which their likelihood finds, in eV per atom.
    all_labels
        Whether the likelihood of all labels finds all three.
    """

    force: float = 0.05
    virial: float = 0.05
    noise: float = 0.1
    all_labels: bool = False


BALANCES = {
    "published": Balance(),
    "energies alone": Balance(force=5.0, virial=5.0),
    "noise up to 1 meV": Balance(noise=1e-3),
    "noise up to 1 meV, energies alone": Balance(noise=1e-3, force=5.0, virial=5.0),
    "all labels": Balance(all_labels=True),
}


class Settled:
    """The study under one setting."""

    def __init__(self, name: str) -> None:
        self.name, self.setting, self.study = name, SETTINGS[name], config.load(STUDY)
        self.soap = self.study.descriptor.soap.model_copy(update={"sigma": self.setting.sigma})
        self.kernel = self.study.kernel
        self.folder = RESULTS / name

    @cached_property
    def engine(self) -> EamEngine:
        """The engine of labels."""
        return EamEngine(self.study.labels.eam)

    @cached_property
    def isolated(self) -> list[Atoms]:
        """The isolated atom with its label."""
        return [self.label(isolated_atom("Zr", self.engine.isolated_box))]

    @property
    def names(self) -> list[str]:
        """Names of the designs."""
        return [f"{method}_{pool}" for pool in self.setting.pools for method in METHODS]

    def label(self, atoms: Atoms) -> Atoms:
        """Label a structure."""
        found = self.engine.label(atoms)
        atoms.info["REF_energy"], atoms.info["REF_virial"] = found.energy, found.virial.ravel()
        atoms.arrays["REF_forces"] = found.forces
        return atoms

    def batch(self, pool: str, size: int, **options: object) -> Batch:
        """Make structures of a pool, strained unless other options are given."""
        sampling = self.study.pools.of("A").sampling
        own = options or {"strain": StrainOptions(max=self.setting.strain)}
        sampling = sampling.model_copy(update={"options": own, "shares": dict.fromkeys(own, 1.0)})
        made = prototypes(self.study.prototypes)
        return sample(sampling, made, seed=self.study.seed, pool=pool, start=0, stop=size)

    def features(self, batch: Batch) -> gapdesign.Features:
        """Describe structures."""
        options = self.study.descriptor.model_copy(update={"soap": self.soap})
        describe = Descriptor(options, self.kernel.pair.shape, [40])
        values, kernel = describe.features(batch), self.kernel
        if not self.setting.normalised:
            raw = PairFeatures(self.kernel.pair.shape, [40])(batch, Centers.of(batch)) / np.diff(batch.offsets)[:, None]
            largest = np.linalg.norm(raw, axis=1).max()
            values[:, describe.layout.pair] = raw / largest
            pair = kernel.pair.model_copy(update={"scale": kernel.pair.scale * largest})
            kernel = kernel.model_copy(update={"pair": pair})
        return gapdesign.Features(values=values, covariance=Covariance(describe.layout, kernel), kernel=kernel)

    def designs(self) -> None:
        """Choose designs and label them."""
        if self.setting.labelled:
            for name, frames in of_dft(self)[0].items():
                write_frames(self.folder / f"{name}.extxyz", [self.label(atoms) for atoms in frames])
            return
        for number, pool in enumerate(self.setting.pools):
            paths = {name: self.folder / f"{name}_{pool}.extxyz" for name in METHODS}
            if all(path.is_file() for path in paths.values()):
                continue
            batch = self.batch(pool, self.setting.size)
            features = self.features(batch)
            for name, method in METHODS.items():
                chosen = gapdesign.select(features, LARGEST, method=method, seed=number).indices
                frames = []
                for k in chosen:
                    atoms = batch.atoms(int(k))
                    atoms.info = {"pool": pool, "candidate": int(k)}
                    try:
                        frames.append(self.label(atoms))
                    except ValueError as error:  # denser than the potential's table
                        print(f"{self.name}: candidate {k} of pool {pool} left out: {error}", flush=True)
                write_frames(paths[name], frames)
            print(f"{self.name}: designs of pool {pool}", flush=True)

    def frames(self, name: str, size: int) -> list[Atoms]:
        """Read the first structures of a design."""
        path = self.folder / f"{name}.extxyz"
        if not path.is_file():
            raise SystemExit(f"{path}: no such design; run `designs {self.name}` first")
        return read_frames(path)[:size]

    def rattled(self) -> list[Atoms]:
        """Make the test set that neither method made."""
        batch = self.batch("T", RATTLED, rattle=RATTLE)
        return [self.label(batch.atoms(k)) for k in range(len(batch))]

    def judge(self, size: int) -> None:
        """Fit potentials to all designs and test them."""
        folder = self.folder / f"errors-{size}"
        missing = [name for name in self.names if not (folder / f"{name}.csv").is_file()]
        if not missing:
            return
        designs = {name: self.frames(name, size) for name in self.names}
        others = Settled("published")
        more = {name: others.frames(name, size) for name in others.names if name[-1] not in self.setting.pools}
        tests = Tests({**designs, **more, NEITHER: self.rattled()}, self.isolated, soap=self.soap, kernel=self.kernel)
        folder.mkdir(parents=True, exist_ok=True)
        for name in missing:
            if (folder / f"{name}.csv").is_file():  # by another process
                continue
            found = errors_of(designs[name], tests, soap=self.soap, kernel=self.kernel)
            write_csv(folder / f"{name}.csv", found.assign(model=name))
            print(f"{self.name}: {name} of {size} judged", flush=True)

    def errors(self, size: int) -> pd.DataFrame:
        """Read all errors that there are, as one table."""
        paths = sorted((self.folder / f"errors-{size}").glob("*.csv"))
        if not paths:
            raise SystemExit(f"{self.folder}: nothing judged; run `judge {self.name} --size {size}` first")
        return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)


class Tests:
    """Labelled structures in sets, described once."""

    def __init__(self, sets: Mapping[str, Sequence[Atoms]], isolated: Sequence[Atoms], **settings: object) -> None:
        self.isolated, self._settings = isolated, settings
        frames = [atoms for own in sets.values() for atoms in own]
        self.names = np.repeat(list(sets), [len(own) for own in sets.values()])
        self.seen = environments(frames, **settings, transition=0.5)
        self.energies = energies_above_atoms(frames, isolated) / self.seen.sizes

    def off(self, basis: Expansion, model: Model, coefficients: np.ndarray) -> np.ndarray:
        """Return the errors (n,) of energies, in meV per atom."""
        predicted = energy_rows(self.seen, basis, model) @ coefficients / self.seen.sizes
        return 1000 * (predicted - self.energies)


def energy_rows(seen: GapStructures, basis: Expansion, model: Model) -> np.ndarray:
    """Return the rows (n, m) of the energies of structures, those of LabelRows without derivatives."""
    rows = np.zeros((len(seen.sizes), len(basis)))
    for key, span in basis.columns():
        if isinstance(key, tuple):
            block = seen.pairs[key]
            places = np.arange(len(block.distances))
            weights = csr_array((block.weights, (block.structures, places)), shape=(len(rows), len(places)))
            rows[:, span] = weights @ pair_covariance(block.distances, basis.pairs[key], model)
        else:
            block = seen.soap[key]
            rows[:, span] = block.counts @ soap_covariance(block.vectors, basis.soap[key], model)
    return rows


class SharedRows:
    """Rows of all labels of structures under several scales and lengths: those of SOAP are computed once.

    Attributes
    ----------
    points : dict of int to (m, d)
        SOAP vectors of the basis.
    """

    def __init__(self, frames: Sequence[Atoms], basis: Expansion, model: Model) -> None:
        self.points, self._frames = basis.soap, frames
        kernel = model.kernel.model_copy(update={"soap": model.kernel.soap.model_copy(update={"scale": 1.0})})
        unit = Model(soap=model.soap, kernel=kernel, transition=model.transition, jitter=model.jitter)
        rows = LabelRows(Expansion({}, basis.soap), unit)
        self._soap = [rows(atoms) for atoms in frames]

    def parts(self, basis: Expansion, model: Model, energies: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the rows and labels of each structure."""
        pairs, scale = LabelRows(Expansion(basis.pairs, {}), model), model.kernel.soap.scale
        whole = (np.hstack([pairs(atoms), scale**2 * own]) for atoms, own in zip(self._frames, self._soap, strict=True))
        return list(labelled(self._frames, energies, lambda _: next(whole)))


def errors_of(frames: Sequence[Atoms], tests: Tests, **settings: object) -> pd.DataFrame:
    """Fit potentials to a design under all balances, and return their errors on every test set, in meV per atom."""
    frames = [*map(training_frame, frames)]
    boxes = boxed(tests.isolated, cutoff=max(settings["soap"].r_cut, settings["kernel"].pair.r_cut))
    data = [*frames, *boxes]
    energies, seen = energies_above_atoms(data, boxes), environments(data, **settings, transition=0.5)
    rows, known, table = None, {}, []
    for balance, asked in BALANCES.items():
        options = options_of(asked)
        if asked.noise not in known:
            rng = np.random.default_rng(0)
            found = optimise(frames, tests.isolated, **settings, options=options, rng=rng)
            model = model_of(found, **settings, options=options)
            basis = expand(seen, model, options.sparse)
            rows = rows or SharedRows(data, basis, model)
            known[asked.noise] = found, model, basis, rows.parts(basis, model, energies)
        found, model, basis, parts = known[asked.noise]
        expected = found.expected_errors(options)
        prior = basis.covariance(model)
        if asked.all_labels:
            expected = most_likely(Evidence(prior, parts), options, expected)
        factor = leastsquares.add(leastsquares.prior(prior), leastsquares.weighed(parts, **expected))
        coefficients = leastsquares.coefficients(factor)
        off = tests.off(basis, model, coefficients)
        for name in dict.fromkeys(tests.names):
            mine = off[tests.names == name]
            kinds = {"std": mine.std(), "q99": tail(np.abs(mine)), "twentieth": worst_twentieth(np.abs(mine))}
            stated = {f"expected_{key}": value for key, value in expected.items()}
            table.append({"balance": balance, "test": name, "n": len(mine), **kinds, **stated})
    return pd.DataFrame(table)


def options_of(balance: Balance) -> GapOptions:
    """Return the options of models under a balance."""
    usual = config.load(STUDY).model.gap
    bounds = usual.bounds.model_copy(update={"noise": (usual.bounds.noise[0], balance.noise)})
    sigma = usual.sigma.model_copy(update={"force": balance.force, "virial": balance.virial})
    return usual.model_copy(update={"optimizer": "lbfgs", "bounds": bounds, "sigma": sigma})


def most_likely(evidence: Evidence, options: GapOptions, expected: Mapping[str, float]) -> dict[str, float]:
    """Return the expected errors under which all labels are most likely."""
    kinds = {"noise": "energy", "noise_force": "force", "noise_virial": "virial"}
    box = np.log([getattr(options.bounds, name) for name in evidence.names])
    first = np.log([expected[kinds[name]] for name in evidence.names])
    starts = options.lbfgs.model_copy(update={"starts": STARTS})
    records = lbfgs(evidence, options=starts, bounds=box, rng=np.random.default_rng(0), first=first)
    best = max(records, key=lambda record: record.value)
    values = np.exp(best.theta)
    return dict(expected) | {kinds[name]: float(value) for name, value in zip(evidence.names, values, strict=True)}


def of_dft(settled: Settled) -> tuple[dict[str, list[Atoms]], list[Atoms]]:
    """Return the designs that were labelled for zr-gpaw, in no order, and the isolated atom.

    The file of labels holds no names. A structure belongs to the pool that has its cell, and there to the random design
    if it is among the first of the study's random order.
    """
    frames = read_frames(DFT)
    isolated = [atoms for atoms in frames if atoms.info.get("config_type") == "isolated_atom"]
    places = {}
    for number, pool in enumerate(settled.setting.pools, 1):
        batch = settled.batch(pool, settled.setting.size)
        drawn = set(shuffled(f"{settled.study.seed}/design/RND{number}", len(batch))[:BUDGET].tolist())
        for k, cell in enumerate(np.round(batch.cells, 8)):
            places[cell.tobytes()] = f"{'RND' if k in drawn else 'OPT'}_{pool}", pool, k
    designs = {name: [] for name in settled.names}
    for atoms in frames:
        if atoms.info.get("config_type") != "isolated_atom":
            name, pool, k = places[np.round(atoms.cell[:], 8).tobytes()]
            atoms.info |= {"pool": pool, "candidate": k}
            designs[name].append(atoms)
    return designs, isolated


def judge_dft(sigmas: Sequence[float]) -> None:
    """Judge the labels of zr-gpaw under all balances."""
    settled = Settled("large")
    designs, isolated = of_dft(settled)
    for sigma in sigmas:
        path = RESULTS / f"dft-{sigma}.csv"
        if not path.is_file():
            settings = {"soap": settled.soap.model_copy(update={"sigma": sigma}), "kernel": settled.kernel}
            tests = Tests(designs, isolated, **settings)
            found = [errors_of(frames, tests, **settings).assign(model=name) for name, frames in designs.items()]
            write_csv(path, pd.concat(found, ignore_index=True))
        print(f"\nsigma {sigma}, {', '.join(f'{name}: {len(frames)}' for name, frames in designs.items())}")
        print(f"| balance | {' | '.join(COLUMNS)} |")
        errors = pd.read_csv(path)
        for balance, own in errors.groupby("balance", sort=False):
            print(Comparison(own, same_pool=True).line(balance))


COLUMNS = (
    "expected error",
    "own fit",
    "worst 0.99 quantile",
    "ratio",
    "worst twentieth",
    "ratio",
    "on random designs",
    "on max-min designs",
    "on rattled crystals",
)
"""Columns of the tables; where there are two numbers, those of max-min and of random designs, in meV per atom."""


class Comparison:
    """Errors of the models of designs under one balance, each on the designs of other pools.

    Parameters
    ----------
    errors
        A row for each model and test set.
    same_pool
        Whether models are tested on the other design of their pool, too.
    """

    def __init__(self, errors: pd.DataFrame, *, same_pool: bool = False) -> None:
        self._own = errors[errors["model"] == errors["test"]].set_index("model")
        is_other = errors["model"] != errors["test"]
        self._off = errors[is_other & (same_pool | (errors["model"].str[-1] != errors["test"].str[-1]))]

    def of(self, statistic: str, tests: str = "") -> dict[str, np.ndarray]:
        """Return the error of each model: the worst over sets, or the geometric mean over those of a family."""
        off = self._off[self._off["test"] != NEITHER] if not tests else self._off
        off = off[off["test"].str.startswith(tests)].assign(log=lambda one: np.log(one[statistic]))
        by_model = off.groupby("model")["log"]
        values = np.exp(by_model.mean() if tests else by_model.max())
        return {name: values[values.index.str.startswith(name)].to_numpy() for name in METHODS}

    def ratio(self, statistic: str, tests: str = "", *, p: bool = True) -> str:
        """Return how many times larger errors of random designs are, with its interval between designs."""
        errors = self.of(statistic, tests)
        if not len(errors["OPT"]) or not len(errors["RND"]):
            return "-"
        middle = np.exp(np.log(errors["RND"]).mean() - np.log(errors["OPT"]).mean())
        found = between(errors["OPT"], errors["RND"])
        told = "" if found is None else f" ({found.low:.2f} to {found.high:.2f})"
        return f"{middle:.2f}{told}" + (
            f", p = {found.p:.1g}" if p and found is not None and found.p is not None else ""
        )

    def means(self, statistic: str) -> str:
        """Return the geometric means of the errors of both methods."""
        return ", ".join(f"{np.exp(np.log(values).mean()):.3g}" for values in self.of(statistic).values())

    def fit(self) -> str:
        """Return the geometric means over designs of the standard deviation of their own fit, of both methods."""
        logs = np.log(self._own["std"])
        return ", ".join(f"{np.exp(logs[logs.index.str.startswith(name)].mean()):.2g}" for name in METHODS)

    def expected(self) -> str:
        """Return the medians of the expected errors of energies of both methods, in meV per atom."""
        column = 1000 * self._own["expected_energy"]
        return ", ".join(f"{column[column.index.str.startswith(name)].median():.2g}" for name in METHODS)

    def line(self, title: str) -> str:
        """Return a row of the table of the page."""
        worst = [cell for kind in ("q99", "twentieth") for cell in (self.means(kind), self.ratio(kind))]
        families = [self.ratio("twentieth", tests, p=False) for tests in ("RND", "OPT", NEITHER)]
        return "| " + " | ".join([title, self.expected(), self.fit(), *worst, *families]) + " |"


def show(names: Sequence[str], size: int) -> None:
    """Print a row for each setting and balance."""
    print(f"| setting | balance | {' | '.join(COLUMNS)} |\n|{' --- |' * (len(COLUMNS) + 2)}")
    for name in names:
        for balance, own in Settled(name).errors(size).groupby("balance", sort=False):
            counts = own.groupby(own["model"].str[:3])["model"].nunique()
            if set(counts) != {len(SETTINGS[name].pools)}:
                balance += f" (so far {' and '.join(map(str, counts))} designs)"
            print(Comparison(own).line(f"{name} | {balance}"))


def curves(pools: str, size: int) -> None:
    """Fit potentials to growing designs of large pools, and print their errors."""
    settled, path = Settled("published"), RESULTS / "curves.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["model"])
    for pool in pools:
        names = [f"{name}_{pool}" for name in METHODS]
        if set(names) <= set(table["model"]):
            continue
        batch = settled.batch(pool, size)
        features = settled.features(batch)
        chosen = {
            name: gapdesign.select(features, max(GROWING), method=METHODS[name[:3]], seed=ord(pool)).indices
            for name in names
        }
        del features
        sets = {name: settled.frames(name, BUDGET) for name in settled.names}
        tests = Tests({**sets, NEITHER: settled.rattled()}, settled.isolated, soap=settled.soap, kernel=settled.kernel)
        for name, which in chosen.items():
            frames = [training_frame(settled.label(batch.atoms(int(k)))) for k in which]
            table = pd.concat([table, growing(frames, tests, settled).assign(model=name)], ignore_index=True)
            write_csv(path, table)
            print(f"curves: {name}", flush=True)
    table["method"], table["family"] = table["model"].str[:3], table["test"].str[:3]
    logs = table.assign(log=np.log(table["twentieth"])).groupby(["balance", "family", "size", "method"])["log"].mean()
    print(np.exp(logs).unstack(["family", "method"]).round(1).to_string())


def growing(frames: list[Atoms], tests: Tests, settled: Settled) -> pd.DataFrame:
    """Fit potentials to the first structures of a design, with hyperparameters found from its first 500."""
    settings = {"soap": settled.soap, "kernel": settled.kernel}
    boxes = boxed(tests.isolated, cutoff=max(settled.soap.r_cut, settled.kernel.pair.r_cut))
    data = [*boxes, *frames]
    energies, seen = energies_above_atoms(data, boxes), environments(data, **settings, transition=0.5)
    rows, table = None, []
    for balance in ("published", "noise up to 1 meV"):
        options = options_of(BALANCES[balance])
        rng = np.random.default_rng(0)
        found = optimise(frames[:LARGEST], tests.isolated, **settings, options=options, rng=rng)
        model = model_of(found, **settings, options=options)
        basis = expand(seen, model, options.sparse)
        rows = rows or SharedRows(data, basis, model)
        basis = Expansion(basis.pairs, rows.points)
        parts, expected = rows.parts(basis, model, energies), found.expected_errors(options)
        factor, done = leastsquares.prior(basis.covariance(model)), 0
        for size in GROWING:
            count = len(boxes) + size
            factor = leastsquares.add(factor, leastsquares.weighed(parts[done:count], **expected))
            off, done = np.abs(tests.off(basis, model, leastsquares.coefficients(factor))), count
            for name in dict.fromkeys(tests.names):
                mine = off[tests.names == name]
                table.append({"balance": balance, "size": size, "test": name, "q99": tail(mine)})
                table[-1] |= {"twentieth": worst_twentieth(mine), "rmse": np.sqrt(np.mean(mine**2))}
    return pd.DataFrame(table)


def check() -> None:
    """Compare a fit with that of gap_fit, and the likelihood by L-BFGS with that by CMA-ES."""
    settled = Settled("published")
    settings = {"soap": settled.soap, "kernel": settled.kernel}
    frames, options = settled.frames("OPT_A", BUDGET), options_of(BALANCES["published"])
    sets = {name: settled.frames(name, BUDGET) for name in ("OPT_B", "RND_B")}
    tests = Tests(sets, settled.isolated, **settings)
    for optimizer in ("lbfgs", "cma"):
        own = options.model_copy(update={"optimizer": optimizer})
        rng = np.random.default_rng(0)
        found = optimise(frames, settled.isolated, **settings, options=own, rng=rng)
        print(
            f"{optimizer}: log likelihood {found.log_likelihood}, noise {found.noise}, scales {found.pair_scale}",
            end="",
        )
        print(f" and {found.soap_scale}, length {found.pair_length}; {found.evaluations} evaluations", flush=True)
        if optimizer == "lbfgs":
            by_gap_fit = found
    boxes = boxed(settled.isolated, cutoff=max(settled.soap.r_cut, settled.kernel.pair.r_cut))
    data = [*map(training_frame, frames), *boxes]
    energies, seen = energies_above_atoms(data, boxes), environments(data, **settings, transition=0.5)
    model = model_of(by_gap_fit, **settings, options=options)
    basis = expand(seen, model, options.sparse)
    parts = SharedRows(data, basis, model).parts(basis, model, energies)
    training = leastsquares.weighed(parts, **by_gap_fit.expected_errors(options))
    coefficients = leastsquares.coefficients(leastsquares.add(leastsquares.prior(basis.covariance(model)), training))
    ours = tests.off(basis, model, coefficients)
    path = RESULTS / "check.xml"
    fit(frames, settled.isolated, by_gap_fit, **settings, options=options, output=path)
    labelled_frames = [atoms for own in sets.values() for atoms in own]
    labels = np.array([atoms.info["REF_energy"] for atoms in labelled_frames])
    theirs = 1000 * (gap_energies(path, labelled_frames) - labels) / tests.seen.sizes
    print(f"gap_fit: energies differ by at most {np.abs(ours - theirs).max():.2g} meV per atom; 0.99 quantiles", end="")
    for name in sets:
        mine = tests.names == name
        print(f" {tail(np.abs(ours[mine])):.2f} and {tail(np.abs(theirs[mine])):.2f} on {name}", end=";")
    print()


def main() -> None:
    """Do one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    for name, does in (
        ("designs", "choose and label designs"),
        ("judge", "fit potentials and test them"),
        ("show", "print errors and their ratios"),
    ):
        step = steps.add_parser(name, help=does)
        step.add_argument("setting", nargs="+", choices=SETTINGS, help="settings: %(choices)s", metavar="setting")
        if name != "designs":
            step.add_argument("--size", type=int, default=BUDGET, help="structures of each design (%(default)s)")
    step = steps.add_parser("curves", help="fit potentials to growing designs")
    step.add_argument("--pools", default="KL", help="names of pools, a letter each (%(default)s)")
    step.add_argument("--pool-size", type=int, default=50_000, help="candidates of each pool (%(default)s)")
    step = steps.add_parser("dft", help="judge the labels of zr-gpaw")
    step.add_argument("--sigma", type=float, nargs="+", default=[0.15, 0.5], help="widths of SOAP (0.15 0.5)")
    steps.add_parser("check", help="compare with gap_fit and CMA-ES")
    given = parser.parse_args()
    if given.step == "curves":
        curves(given.pools, given.pool_size)
    elif given.step == "dft":
        judge_dft(given.sigma)
    elif given.step == "check":
        check()
    elif given.step == "show":
        show(given.setting, given.size)
    else:
        for name in given.setting:
            settled = Settled(name)
            settled.designs() if given.step == "designs" else settled.judge(given.size)


if __name__ == "__main__":
    main()
