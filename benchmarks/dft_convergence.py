"""Compare labels of GPAW with those of a larger basis and a denser mesh, errors and costs, in a Markdown table.

    python benchmarks/dft_convergence.py --config config/studies/zr-gpaw.yaml --structures 6 \
        --settings 600/50 340/20 340/30 400/30 450/30 450/40

A setting is a cut-off in eV, the length in angstrom that the mesh of k-points follows from and, where it is not the
study's, the width of the smearing in eV. All others are compared with the first, on the same candidates of the study's
first pool: its first ones, or with `--spread` denser and less dense ones too. Energies are compared after their mean
difference, which no potential sees, is subtracted; forces and stresses are compared as they are.
"""

import argparse
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np

from gapdesign import samplers
from gapdesign.config import study as config
from gapdesign.engines import gpaw
from gapdesign.engines.shared.planewaves import KpointOptions, meshes
from gapdesign.properties.base import GPA
from gapdesign.prototypes import prototypes

SPREAD = (0.0228, 0.9772)
"""Quantiles of the volume per atom with `--spread`: two standard deviations of a normal distribution each way."""


def candidates(study: config.Study, count: int, spread: bool):
    """Return the first candidates of the study's first pool, shared evenly among the prototypes.

    With ``spread``, return three candidates per prototype: the first, and two at the quantiles :data:`SPREAD` of the
    volume per atom, among the first 400 candidates of all prototypes.
    """
    pool = study.pools.names[0]
    crystals = prototypes(study.prototypes)
    batch = samplers.sample(
        study.pools.of(pool).sampling, crystals, seed=study.seed, pool=pool, start=0, stop=400 if spread else 20 * count
    )
    frames = [batch.atoms(k) for k in range(len(batch))]
    chosen: list = []
    for name in study.prototypes:
        mine = [atoms for atoms in frames if atoms.info["prototype"] == name]
        if spread:
            volumes = np.array([atoms.get_volume() / len(atoms) for atoms in mine])
            edges = np.quantile(volumes, SPREAD, method="nearest")
            chosen += [mine[0], *(mine[int(np.argmin(np.abs(volumes - edge)))] for edge in edges)]
        else:
            chosen += mine[: -(-count // len(crystals))]
    return chosen if spread else chosen[:count]


def labels(study: config.Study, frames, ecut: float, length: float, width: float):
    """Return energies per atom (n,) in eV, forces in eV/angstrom, stresses (n, 3, 3) in GPa, CPU seconds per label."""
    options = study.labels.gpaw.model_copy(
        update={"ecut": ecut, "kpoints": KpointOptions(length=length), "width": width}
    )
    engine, begun = gpaw.GpawEngine(options), getrusage(RUSAGE_CHILDREN).ru_utime
    energies, forces, stresses = [], [], []
    for atoms in frames:
        with tempfile.TemporaryDirectory() as folder:
            label = engine.label(atoms, Path(folder))
        energies.append(label.energy / len(atoms))
        forces.append(label.forces.ravel())
        stresses.append(-GPA * label.virial / atoms.get_volume())
    seconds = (getrusage(RUSAGE_CHILDREN).ru_utime - begun) / len(frames)
    return np.array(energies), np.concatenate(forces), np.array(stresses), seconds


def main() -> None:
    """Print the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="a study with settings of the engine gpaw")
    parser.add_argument("--structures", type=int, default=6)
    parser.add_argument("--spread", action="store_true", help="three of each crystal: first, dense, less dense")
    parser.add_argument("--settings", nargs="+", required=True, metavar="ECUT/LENGTH[/WIDTH]")
    arguments = parser.parse_args()
    study = config.load(arguments.config)
    frames = candidates(study, arguments.structures, arguments.spread)
    print(
        "| cut-off, eV | length, Å | width, eV | meshes | energy, meV/atom | its standard deviation | force, meV/Å"
        " | stress, GPa | CPU s a label |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    tightest = None
    for setting in arguments.settings:
        ecut, length, width = (*map(float, setting.split("/")), study.labels.gpaw.width)[:3]
        energies, forces, stresses, seconds = labels(study, frames, ecut, length, width)
        tightest = (energies, forces, stresses) if tightest is None else tightest
        off = energies - tightest[0]
        points = [meshes(atoms.cell.array, KpointOptions(length=length))[0] for atoms in frames]
        cells = [
            f"{ecut:g}",
            f"{length:g}",
            f"{width:g}",
            f"{min(map(np.prod, points))} to {max(map(np.prod, points))} points",
            f"{1000 * np.abs(off - off.mean()).max():.2f}",
            f"{1000 * off.std():.2f}",
            f"{1000 * np.abs(forces - tightest[1]).max():.1f}",
            f"{np.abs(stresses - tightest[2]).max():.2f}",
            f"{seconds:.1f}",
        ]
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
