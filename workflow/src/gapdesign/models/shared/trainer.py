"""Kinds of models that a program trains, epoch by epoch: what they have in common, and the run of that program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols

from gapdesign.errors import InputError, ProgramError
from gapdesign.files import write_bytes, write_csv
from gapdesign.models.base import Potential
from gapdesign.models.shared.labels import energies_of_atoms
from gapdesign.progress import Pace

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

_TAIL = 20


class Trained(NamedTuple):
    """Result of a training.

    Attributes
    ----------
    model : bytes
        Content of the model's file.
    epochs : DataFrame
        A row per epoch: `epoch`, `training_loss`, `validation_loss`, root mean square errors of the structures kept
        back (`energy_mev` and `virials_mev`, per atom, and `forces_mev`, in meV/angstrom), and `kept`, which is 1 for
        the epoch of the model and otherwise 0.
    seconds : float
        CPU seconds of an epoch, the median.
    """

    model: bytes
    epochs: pd.DataFrame
    seconds: float


class TrainedPotential(Potential):
    """A kind of model that is trained on most of a design; the rest chooses the epoch whose model is kept."""

    training = "training.csv"
    draws = True

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The options that hyperparameters belong to."""

    @abstractmethod
    def determine(self, frames: Sequence[Atoms]) -> dict[str, Any]:
        """Find what the labels determine besides energies of isolated atoms, and refuse those that are no good."""

    @abstractmethod
    def train(
        self,
        frames: Sequence[Atoms],
        hyperparameters: Mapping[str, Any],
        alone: Mapping[int, float],
        *,
        seed: int,
        memory: int | None,
        tell: Callable[[str], object],
    ) -> Trained:
        """Train a model; see :meth:`gapdesign.models.Potential.fit`.

        Parameters
        ----------
        alone
            Energies of isolated atoms by atomic number, in eV: of the elements of the study, in their order.
        seed
            Of all that is drawn.
        """

    def hyperparameters(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        *,
        rng: np.random.Generator,
        tell: Callable[[str], object],
    ) -> dict[str, Any]:
        """Find energies of isolated atoms, and what else the training begins with.

        Keys of the result, besides those of every kind of model (:class:`gapdesign.models.Potential`): ``isolated``
        (eV, by element), those of :meth:`determine`, and :attr:`settings`.
        """
        self.require()
        self.check(self.options, self.species)
        return self.statistics(frames, isolated)

    def statistics(self, frames: Sequence[Atoms], isolated: Sequence[Atoms]) -> dict[str, Any]:
        """Return what :meth:`hyperparameters` does, whether the program is installed or not."""
        energies = energies_of_atoms(isolated, self.species)
        return {
            "isolated": {chemical_symbols[z]: energy for z, energy in zip(self.species, energies, strict=True)},
            **self.determine(frames),
            "noise": None,
            "at_bound": [],
            **self.settings,
        }

    def fit(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        hyperparameters: Mapping[str, Any],
        outputs: Sequence[Path],
        *,
        rng: np.random.Generator,
        memory: int | None,
        tell: Callable[[str], object],
    ) -> None:
        """Train a model, and write it with a table of its epochs; see :class:`gapdesign.models.Potential`."""
        self.require()
        self.check(self.options, self.species)
        for key, wanted in self.settings.items():
            if hyperparameters.get(key) != wanted:
                raise InputError(
                    f"hyperparameters.json: found for {key} {hyperparameters.get(key)}, but the configuration has"
                    f" {wanted}; run the stage again."
                )
        alone = {z: hyperparameters["isolated"][chemical_symbols[z]] for z in self.species}
        seed = int(rng.integers(2**31))
        trained = self.train(frames, hyperparameters, alone, seed=seed, memory=memory, tell=tell)
        epochs = trained.epochs["epoch"]
        tell(
            f"epoch {epochs[trained.epochs['kept'].idxmax()]} of {epochs.iloc[-1]} was kept; an epoch took"
            f" {trained.seconds:.2f} CPU seconds"
        )
        model, table = outputs
        write_bytes(model, trained.model)
        write_csv(table, trained.epochs)


def refuse_beyond(memory: int | None, needed: int, key: str, lower: str) -> None:
    """Refuse a training that needs more than ``memory``; both are in MiB.

    Raises
    ------
    InputError
        If it does; the sentence begins with ``key``, and names the options to lower.
    """
    if memory is not None and needed > memory:
        raise InputError(
            f"{key}: this training needs {needed} MiB and may use {memory}; ask for more, by `--set-resources` with the"
            f" name of the rule, or lower {lower}."
        )


def table(rows: Iterable[Mapping[str, Any]], most: int, tell: Callable[[str], object]) -> tuple[pd.DataFrame, float]:
    """Return the epochs of :class:`Trained` and the CPU seconds of one, and tell of some.

    Parameters
    ----------
    rows
        The columns of an epoch, and ``seconds``, the CPU seconds up to then.
    most
        Number of epochs if the training does not end early.
    """
    import pandas as pd

    pace, best, least, found = Pace(), 0, np.inf, []
    for row in rows:
        if row["validation_loss"] < least:
            best, least = row["epoch"], row["validation_loss"]
        if pace.is_due():
            tell(
                f"epoch {row['epoch']} of {most} at most: {row['energy_mev']:.1f} meV/atom and"
                f" {row['forces_mev']:.1f} meV/angstrom off for the structures kept back; the best one is {best}"
            )
        found.append(row)
    epochs = pd.DataFrame(found)
    if epochs.empty:
        return epochs, 0.0
    epochs["kept"] = (epochs["epoch"] == best).astype(int)
    return epochs, float(np.median(np.diff(epochs.pop("seconds"))))


def run(program: Path, folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Run a training in a folder, and yield the lines that it says, which are JSON objects.

    Parameters
    ----------
    program
        Path of the Python program; its argument is the folder.
    folder
        Where its input is, and its output.
    name
        What trains, for messages.

    Raises
    ------
    ProgramError
        If it fails.
    """
    # One thread and the same order of everything, so that two runs write the same bytes; cuBLAS has to be asked.
    fixed = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    with (folder / "errors.txt").open("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", str(program), str(folder)],
            env=os.environ | fixed,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with process:
            try:
                for line in process.stdout:
                    if line.startswith("{"):  # the packages print, too
                        yield json.loads(line)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            errors.seek(0)
            tail = "\n".join(line[:500] for line in errors.read().splitlines()[-_TAIL:])
            raise ProgramError(
                f"{name}'s training ended with status {process.returncode}; its last lines were:\n{tail}"
            )


def check_counts(name: str, read: Mapping[str, int], labels: Mapping[str, np.ndarray]) -> None:
    """Check that the program has read all the labels that it was given.

    Raises
    ------
    ProgramError
        If a number differs, or the program does not report it.
    """
    expected = {
        "energies": labels["energies"].size,
        "forces": labels["forces"].size,
        "virials": 6 * int(labels["has_virial"].sum()),
    }
    for kind, number in expected.items():
        if read.get(kind) != number:
            raise ProgramError(f"{name} was given {number} {kind} and used {read.get(kind, 'an unknown number')}.")
