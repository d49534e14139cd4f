"""Error and cost of linear ACE models by the size of their basis.

    python benchmarks/ace_cells.py --labels results/zr-demo/labels/OPT1.extxyz
        --isolated results/zr-demo/labels/isolated.extxyz --r-cut 6.8 --degree 8 10 12
        --test results/zr-demo/labels/RND1.extxyz results/zr-demo/labels/RND2.extxyz

Needs ace-jax. Times are CPU seconds of one thread, beside those that the plan predicts. Memory is the largest so far,
so give degrees in ascending order. Without isolated atoms, energies count from the least squares of an energy per
element.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from gapdesign.files import read_frames
from gapdesign.models.ace import AcePotential, AcePotentialOptions
from gapdesign.models.ace.costs import Work
from gapdesign.models.base import Load
from gapdesign.properties.base import Evaluate


def labelled(path: Path, energy: str, forces: str) -> list[Atoms]:
    """Read structures with labels under other keys."""
    frames = read_frames(path)
    for atoms in frames:
        atoms.info["REF_energy"], atoms.arrays["REF_forces"] = atoms.info[energy], atoms.arrays[forces]
    return frames


def guessed(frames: Sequence[Atoms], species: Sequence[int]) -> list[Atoms]:
    """Return isolated atoms with the energies per element that fit the structures best."""
    counts = np.array([[np.sum(atoms.numbers == z) for z in species] for atoms in frames])
    energies, *_ = np.linalg.lstsq(counts, [atoms.info["REF_energy"] for atoms in frames])
    return [Atoms(numbers=[z], info={"REF_energy": energy}) for z, energy in zip(species, energies, strict=True)]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and the CPU seconds that it took."""
    before = time.process_time()
    return work(), time.process_time() - before


def errors(evaluate: Evaluate, frames: Sequence[Atoms]) -> str:
    """Return errors of energies (root mean square, 0.99 quantile) and root mean square errors of forces."""
    labels = [evaluate(atoms) for atoms in frames]
    energies = [
        1000 * abs(own.energy - atoms.info["REF_energy"]) / len(atoms)
        for own, atoms in zip(labels, frames, strict=True)
    ]
    forces = np.concatenate(
        [(own.forces - atoms.arrays["REF_forces"]).ravel() for own, atoms in zip(labels, frames, strict=True)]
    )
    rms, worst = np.sqrt(np.mean(np.square(energies))), np.quantile(energies, 0.99)
    return f"{rms:.1f} ({worst:.1f}) meV/atom, {1000 * np.sqrt(np.mean(forces**2)):.0f} meV/angstrom"


def main() -> None:
    """Print some lines for each degree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", required=True, type=Path, metavar="FILE", help="labelled design (.extxyz)")
    parser.add_argument("--isolated", type=Path, metavar="FILE", help="isolated atoms (.extxyz)")
    parser.add_argument(
        "--test", nargs="*", default=(), type=Path, metavar="FILE", help="labelled structures to predict"
    )
    parser.add_argument("--keys", nargs=2, default=("REF_energy", "REF_forces"), help="energy and forces in the files")
    parser.add_argument("--count", type=int, help="structures of the design, drawn at random (all)")
    parser.add_argument("--order", type=int, default=3, help="neighbours in a product (3)")
    parser.add_argument("--degree", nargs="+", type=int, default=(8, 10, 12), help="largest degrees of a product")
    parser.add_argument("--r-cut", type=float, default=6.0, help="radius of an environment, in angstrom (6)")
    given = parser.parse_args()
    frames = labelled(given.labels, *given.keys)
    if given.count:
        drawn = np.random.default_rng(0).permutation(len(frames))[: given.count]
        frames = [frames[k] for k in sorted(drawn)]
    tests = {path.stem: labelled(path, *given.keys) for path in given.test}
    species = sorted({int(z) for atoms in frames for z in atoms.numbers})
    isolated = read_frames(given.isolated) if given.isolated else guessed(frames, species)
    atoms = np.mean([len(each) for each in frames])
    density = float(np.mean([len(each) / each.get_volume() for each in frames]))
    print(f"{len(frames)} structures of {atoms:.1f} atoms, {density:.4f} per cubic angstrom")
    for degree in given.degree:
        options = AcePotentialOptions(order=given.order, degree=degree, r_cut=given.r_cut)
        load = Load(len(frames), float(atoms), density, float(atoms), len(species))
        report(AcePotential(options, species), frames, isolated, tests, Work.of(options, load))


def report(
    model: AcePotential, frames: list[Atoms], isolated: list[Atoms], tests: dict[str, list[Atoms]], work: Work
) -> None:
    """Print the errors and the cost of one basis."""
    rng, law = np.random.default_rng(0), work.seconds()

    def quiet(_: str) -> None:
        pass

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in AcePotential.files]
        found, search = timed(lambda: model.hyperparameters(frames, isolated, rng=rng, tell=quiet))
        _, fit = timed(lambda: model.fit(frames, isolated, found, files, rng=rng, memory=None, tell=quiet))
        evaluate = AcePotential.evaluator(files[0])
        _, each = timed(lambda: [evaluate(atoms) for atoms in frames])
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        names = [
            name for name in found if name.startswith(("noise", "prior", "smoothness")) and found[name] is not None
        ]
        print(f"degree {model.options.degree}, {work.coefficients} coefficients:", end=" ")
        print(f"log evidence {found['log_evidence']:.1f},", ", ".join(f"{name} {found[name]:.3g}" for name in names))
        for name, others in {"own fit": frames, **tests}.items():
            print(f"  {name:8s} {errors(evaluate, others)}")
    print(f"  hyperparameters {search:.1f} s ({found['evaluations']} evaluations), predicted {law.hyperparameters:.1f}")
    print(f"  fit {fit:.1f} s, predicted {law.fit:.1f}; {most:.0f} MiB, predicted {work.megabytes()}")
    print(f"  evaluation {1000 * each / len(frames):.1f} ms, predicted {1000 * law.predict:.1f}")


if __name__ == "__main__":
    main()
