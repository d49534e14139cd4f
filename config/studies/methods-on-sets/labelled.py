"""Labelled sets that designs are replayed on: their frames, what is computed of them once, and the GAPs that judge.

`compare.py`, `measures.py` and `methods.py` use it. What it keeps is in `results/methods-on-sets/<set>/`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms
from ase.io import read

from gapdesign.descriptors import Descriptor, environments_of
from gapdesign.descriptors.covariance import Covariance, Layout
from gapdesign.descriptors.environments import EnvironmentFile, write_environments
from gapdesign.descriptors.kernel import CovarianceOptions, KernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.files import read_array, write_array, write_csv
from gapdesign.methods import Task
from gapdesign.methods.maxmin.compression import Directions
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
    functions : int
        Functions of the rows by which `information` chooses.
    held_out : str
        Beginning of the `config_type` of frames that `methods.py` keeps out of the pool, and tests apart.
    whole : bool
        Whether all of these are taken, besides ``most`` others.
    ordinary : tuple of int
        Numbers of atoms that frames in the pool have; those of others are held out.
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
    functions: int = 400
    held_out: str = ""
    whole: bool = False
    ordinary: tuple[int, ...] = ()


SMALLER = {"judge": {"r_cut": 5.0, "n_max": 6, "l_max": 4}, "functions": 200}

SETS = {
    "nbmota": Set(keep=("Nb", "Mo", "Ta"), judge=SMALLER["judge"], ordinary=(2, 54)),
    "molybdenum": Set(budgets=(5, 10, 20, 40, 80), held_out="Vacancy"),
    "silicon": Set(surfaces="surface", cost="castep_run_time", held_out="surface_110"),
    "tungsten": Set(fewest=1, most=1000, energy="REF_energy", forces="REF_forces", held_out="vacancy"),
    "zr-gpaw": Set(fewest=1, energy="REF_energy", forces="REF_forces", held_out="bcc", **SMALLER),
    "silicon-mlearn": Set(held_out="Vacancy", **SMALLER),
    "si-random": Set(held_out="random_si16", **SMALLER),
    "srtio3": Set(held_out="large", points=150, **SMALLER),
    "ag-au": Set(most=300, held_out="alloy_above", points=150, **SMALLER),
    "mgo": Set(most=250, held_out="large", points=150, **SMALLER),
    "nbmotaw": Set(most=600, held_out="TaNbMoW", whole=True, points=100, **SMALLER),
}


def frames_of(asked: Set, paths: list[str]) -> list[Atoms]:
    """Read the frames of a set that are to be compared."""
    frames = [atoms for path in paths for atoms in read(path, ":") if len(atoms) >= asked.fewest]
    frames = [atoms for atoms in frames if not asked.keep or str(atoms.info.get("config_type")) in asked.keep]
    frames = [atoms for atoms in frames if asked.energy in atoms.info and asked.forces in atoms.arrays]
    frames = [atoms for atoms in frames if atoms.info.get("config_type") != "isolated_atom"]
    if asked.cost:
        frames = [atoms for atoms in frames if asked.cost in atoms.info]
    for atoms in frames:
        atoms.info.setdefault("config_type", lattice_of(atoms))
    if asked.most:
        frames.sort(key=lambda atoms: str(atoms.info.get("config_type")))
        apart = [atoms for atoms in frames if asked.whole and atoms.info["config_type"].startswith(asked.held_out)]
        frames = [atoms for atoms in frames if not any(atoms is one for one in apart)]
        frames = apart + [frames[k] for k in np.arange(asked.most) * len(frames) // asked.most]
    return frames


def lattice_of(atoms: Atoms) -> str:
    """Return the lattice of a strained primitive cell that says nothing of it, as `zr-gpaw` has them."""
    if len(atoms) > 1:
        return "hcp"
    # ASE's primitive cells of bcc have -a/2 on their diagonal, those of fcc 0; strains are a quarter of that at most.
    return "bcc" if np.trace(atoms.cell.array) < -0.5 * atoms.get_volume() ** (1 / 3) else "fcc"


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
    functions = RowFunctions.chosen(sample, species, KERNEL.soap.zeta, asked.functions)
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


def by_all_labels(rows: RowFile) -> tuple[np.ndarray, Layout, CovarianceOptions]:
    """Return vectors of frames whose dot products are the kernel of all labels, and what the covariance needs for it.

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
    return points.astype(np.float32), Layout(1, points.shape[1], 0), linear


def without_empty(features: np.ndarray, layout: Layout) -> tuple[np.ndarray, Layout]:
    """Leave out columns of SOAP vectors that are zero in all frames, as most are where each frame is of one element."""
    used = [np.flatnonzero(features[:, block].any(axis=0)) for block in layout.soap]
    spectrum = max(map(len, used))
    blocks = np.zeros((len(features), layout.n_species * spectrum), features.dtype)
    for number, (block, columns) in enumerate(zip(layout.soap, used, strict=True)):
        start = number * spectrum
        blocks[:, start : start + len(columns)] = features[:, block][:, columns]
    others = features[:, layout.soap[-1].stop :]
    return np.hstack([blocks, others]), Layout(layout.n_species, spectrum, layout.pairs)


def read_frames(folder: Path) -> pd.DataFrame:
    """Read what is known of the frames of a prepared set."""
    return pd.read_csv(folder / "frames.csv", keep_default_na=False)


class Known:
    """A prepared set.

    Attributes
    ----------
    sizes : (n,) int
        Atoms of each frame.
    groups, octaves : (n,) str
        Its `config_type`, and the largest power of two that is no larger than its number of atoms.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.asked, self.table = SETS[name], read_frames(folder)
        self.sizes = self.table["atoms"].to_numpy()
        self.groups = self.table["group"].astype(str).to_numpy()
        self.octaves = (2 ** np.floor(np.log2(self.sizes))).astype(int).astype(str)
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
        species = self.species = sorted(Expansion.read(folder / "expansion.npz").soap)
        options = DescriptorOptions(backend="quippy", soap=self.asked.soap)
        alone, with_pairs = (Descriptor(options, pair, species).layout for pair in (None, PAIRS.pair.shape))
        self._compared = {
            "soap": lambda: (self.features, alone, KERNEL),
            "default kernel": lambda: (read_array(folder / "pairs.npy"), with_pairs, PAIRS),
            "all labels": lambda: by_all_labels(self.rows),
        }
        self._whole: dict[str, Task] = {}

    def compared(self, by: str, *, short: bool = False) -> tuple[np.ndarray, Covariance]:
        """Return the features and the covariance of one of several kernels, in short without empty columns."""
        features, layout, options = self._compared[by]()
        if short:
            features, layout = without_empty(features, layout)
        return features, Covariance(layout, options)

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
        if by not in self._whole:
            features, covariance = self.compared(by, short=True)
            basis = Directions.of(features[:: max(1, len(features) // 500)], covariance.layout)
            self._whole[by] = Task(
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
        whole = replace(self._whole[by], budget=budget)
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
