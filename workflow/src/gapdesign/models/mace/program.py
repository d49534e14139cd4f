"""The training as a program of its own: its input, and what it says."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gapdesign.descriptors.mace import MISSING
from gapdesign.errors import InputError
from gapdesign.models.shared.trainer import Trained, check_counts, run, table

PROGRAM = Path(__file__).with_name("training.py")


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
        From :func:`gapdesign.models.shared.labels.arrays`.
    tell
        Receives sentences for the log, one every few seconds.

    Raises
    ------
    InputError
        If there is no GPU, or the training diverged.
    ProgramError
        If the program fails or does not use all the data.
    """
    with tempfile.TemporaryDirectory(prefix="gapdesign-fit-") as name:
        folder = Path(name)
        np.savez(folder / "frames.npz", **labels)
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        lines = map(_usable, run(PROGRAM, folder, "MACE"))
        check_counts("MACE", next(lines, {}), labels)
        epochs, seconds = table(lines, settings["epochs"], tell)
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
