"""Errors and cost of a model of a labelled design, for the commands that measure one kind of model."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
import yaml
from ase import Atoms

from gapdesign.config.options import Options
from gapdesign.engines.base import Label
from gapdesign.files import read_csv, read_frames
from gapdesign.models.base import Potential


class Work(Protocol):
    """What a training has to do, by which the plan predicts its cost."""

    def epoch(self) -> float:
        """Return the CPU seconds of an epoch."""

    def prediction(self) -> float:
        """Return the CPU seconds of a prediction."""

    def megabytes(self) -> int:
        """Return the most MiB of the training."""


def milli(values: Sequence[np.ndarray]) -> float:
    """Return a thousand times the root mean square."""
    return 1000 * float(np.sqrt(np.mean(np.concatenate([np.ravel(each) for each in values]) ** 2)))


def errors(evaluate: Callable[[Atoms], Label], frames: Sequence[Atoms]) -> str:
    """Return the errors of predictions, in words."""
    before = time.process_time()
    found = [evaluate(atoms) for atoms in frames]
    seconds = (time.process_time() - before) / len(frames)
    pairs = list(zip(found, frames, strict=True))
    energies = [(own.energy - atoms.info["REF_energy"]) / len(atoms) for own, atoms in pairs]
    forces = [own.forces - atoms.arrays["REF_forces"] for own, atoms in pairs]
    virials = [
        (own.virial.ravel() - np.ravel(atoms.info["REF_virial"])) / len(atoms)
        for own, atoms in pairs
        if "REF_virial" in atoms.info
    ]
    told = [
        f"{milli(energies):.1f} meV/atom (worst {1000 * np.abs(energies).max():.1f})",
        f"{milli(forces):.1f} meV/angstrom",
        f"virials {milli(virials):.1f} meV/atom" if virials else "no virials",
    ]
    return ", ".join(told) + f"; {1000 * seconds:.1f} ms a structure"


def measure(member: type[Potential], about: str, expected: Callable[[float, float, Any, Options], Work]) -> None:
    """Fit a kind of model as the command line says, and print errors and costs.

    Parameters
    ----------
    member
        The kind.
    about
        Description of the command.
    expected
        What a training has to do, from the number of structures, their mean number of atoms, the numbers of neighbours
        that the labels determine, and options.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", required=True, type=Path, metavar="FILE", help="labelled design (.extxyz)")
    parser.add_argument("--isolated", required=True, type=Path, metavar="FILE", help="isolated atoms (.extxyz)")
    parser.add_argument(
        "--test", nargs="*", default=(), type=Path, metavar="FILE", help="labelled structures to predict"
    )
    parser.add_argument("--count", type=int, help="structures of the design, from its beginning (all)")
    parser.add_argument("--set", nargs="*", default=(), metavar="KEY=VALUE", help=f"options of models.{member.name}")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (0)")
    given = parser.parse_args()
    chosen = {key: yaml.safe_load(value) for key, _, value in (each.partition("=") for each in given.set)}
    options = member.Options.model_validate(chosen)
    frames, isolated = read_frames(given.labels)[: given.count], read_frames(given.isolated)
    model = member(options, sorted({z for atoms in frames for z in atoms.numbers.tolist()}))
    rng = np.random.default_rng(given.seed)
    found = model.hyperparameters(frames, isolated, rng=rng, tell=print)
    atoms = sum(map(len, frames))
    work = expected(len(frames), atoms / len(frames), found["neighbours"], options)
    print(f"{len(frames)} structures of {atoms} atoms, {np.round(found['neighbours'], 1)} neighbours each; {options!r}")
    with TemporaryDirectory() as folder:
        outputs = [Path(folder, name) for name in model.files]
        model.fit(frames, isolated, found, outputs, rng=rng, memory=None, tell=print)
        used, table = resource.getrusage(resource.RUSAGE_CHILDREN), read_csv(outputs[1])
        seconds, epochs = used.ru_utime + used.ru_stime, int(table["epoch"].iloc[-1])
        print(
            f"{seconds:.0f} CPU s for {epochs} epochs, {work.epoch():.2f} s an epoch predicted;"
            f" {used.ru_maxrss / 1024:.0f} MiB, {work.megabytes()} predicted;"
            f" {1000 * work.prediction():.1f} ms a prediction predicted"
        )
        evaluate = model.evaluator(outputs[0])
        for path in (given.labels, *given.test):
            print(f"{path.stem}: {errors(evaluate, frames if path == given.labels else read_frames(path))}")
