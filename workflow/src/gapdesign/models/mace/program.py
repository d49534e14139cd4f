"""The training as a program of its own: its input, and what it says."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gapdesign.descriptors.mace import MISSING
from gapdesign.errors import InputError
from gapdesign.models.trainer import check_counts, run
from gapdesign.progress import Pace

if TYPE_CHECKING:
    import pandas as pd

PROGRAM = Path(__file__).with_name("training.py")


class Trained(NamedTuple):
    """Result of a training.

    Attributes
    ----------
    model : bytes
        Content of the model's file.
    epochs : DataFrame
        A row per epoch, from 0, before the first step: `epoch`, `training_loss`, `validation_loss`, root mean square
        errors of the structures kept back (`energy_mev` and `virials_mev`, per atom, and `forces_mev`, in
        meV/angstrom), and `kept`, which is 1 for the epoch of the model and otherwise 0.
    seconds : float
        CPU seconds of an epoch, the median.
    """

    model: bytes
    epochs: pd.DataFrame
    seconds: float


def require() -> None:
    """Check that mace-torch is installed.

    Raises
    ------
    InputError
        If it is not.
    """
    if any(find_spec(name) is None for name in ("torch", "mace")):
        raise InputError(f"models.mace: {MISSING}")


def train(settings: Mapping[str, Any], labels: Mapping[str, np.ndarray], tell: Callable[[str], object]) -> Trained:
    """Train a model.

    Parameters
    ----------
    settings
        What ``training.py`` reads.
    labels
        From :func:`gapdesign.models.labels.arrays`.
    tell
        Receives sentences for the log, one every few seconds.

    Raises
    ------
    InputError
        If there is no GPU, or the training diverged.
    ProgramError
        If the program fails or does not use all the data.
    """
    import pandas as pd

    with tempfile.TemporaryDirectory(prefix="gapdesign-fit-") as name:
        folder = Path(name)
        np.savez(folder / "frames.npz", **labels)
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        lines = map(_usable, run(PROGRAM, folder, "MACE"))
        check_counts("MACE", next(lines, {}), labels)
        epochs = pd.DataFrame(_epochs(lines, settings, tell))
        epochs["kept"] = (epochs["epoch"] == epochs.pop("best").iloc[-1]).astype(int)
        seconds = float(np.median(np.diff(epochs.pop("seconds"))))
        return Trained((folder / "mace.model").read_bytes(), epochs, seconds)


def _usable(line: dict[str, Any]) -> dict[str, Any]:
    """Return what the program says, unless it is a mistake."""
    match line.get("mistake"):
        case "device":
            raise InputError(
                "models.mace.device: torch finds no GPU here; run the fit on a node that has one, with a torch built"
                " for CUDA, or choose cpu."
            )
        case "diverged":
            raise InputError(
                f"models.mace.learning_rate: the loss after epoch {line['epoch']} is not finite; lower it, and look at"
                " the largest forces among the labels."
            )
    return line


def _epochs(
    lines: Iterator[dict[str, Any]], settings: Mapping[str, Any], tell: Callable[[str], object]
) -> Iterator[dict[str, Any]]:
    """Yield a row per epoch, with the best one so far, and tell of some."""
    pace, best, least = Pace(), 0, np.inf
    for row in lines:
        if row["validation_loss"] < least:
            best, least = row["epoch"], row["validation_loss"]
        if pace.is_due():
            tell(
                f"epoch {row['epoch']} of {settings['epochs']} at most: {row['energy_mev']:.1f} meV/atom and"
                f" {row['forces_mev']:.1f} meV/angstrom off for the structures kept back; the best one is {best}"
            )
        yield row | {"best": best}
