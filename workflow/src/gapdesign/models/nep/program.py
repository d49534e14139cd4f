"""The training as a program of its own: its input, and what it says."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gapdesign.errors import InputError, ProgramError
from gapdesign.models.labels import arrays, kept_back
from gapdesign.models.nep import data
from gapdesign.models.trainer import check_counts, run
from gapdesign.progress import Pace

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.models.nep.options import NepPotentialOptions

PROGRAM, NAME = Path(__file__).with_name("training.py"), "torchnep"

SHARE = "models.nep.validation"

LARGEST = 1e6
"""The loss beyond which a training has diverged, for weights of one: errors of a thousand eV."""

MISSING = (
    "torchnep, nep-adapters or torch is not installed; run `pip install torchnep==1.0.7 nep-adapters==1.0.3` and"
    " install torch (without CUDA: see docs/potentials.md), run the workflow with --sdm conda, or choose another one."
)
"""What a message says, after a key of the configuration, where the program is missing."""


class Trained(NamedTuple):
    """Result of a training.

    Attributes
    ----------
    model : str
        Content of the model's file, of total energies.
    epochs : DataFrame
        A row per epoch, from 1: `epoch`, `training_loss`, `validation_loss`, root mean square errors of the structures
        kept back (`energy_mev` and `virials_mev`, per atom, and `forces_mev`, in meV/angstrom), and `kept`, which is 1
        for the epoch of the model and otherwise 0.
    seconds : float
        CPU seconds of an epoch, the median.
    """

    model: str
    epochs: pd.DataFrame
    seconds: float


def require() -> None:
    """Check that torchnep, torch and nep-adapters are installed.

    Raises
    ------
    InputError
        If one is not.
    """
    if any(find_spec(name) is None for name in ("torch", "torchnep", "nep_adapters")):
        raise InputError(f"models.nep: {MISSING}")


def train(
    frames: Sequence[Atoms],
    options: NepPotentialOptions,
    isolated: Mapping[int, float],
    *,
    seed: int,
    tell: Callable[[str], object],
) -> Trained:
    """Train a model.

    Parameters
    ----------
    frames
        Labelled structures.
    options
        Of the model.
    isolated
        Energies of isolated atoms by atomic number, in eV: of the elements of the model, in their order.
    seed
        Of the initial weights and the order of structures.
    tell
        Receives sentences for the log, one every few seconds.

    Raises
    ------
    InputError
        If a label is missing, or the training diverged.
    ProgramError
        If the program fails or does not use all the data.
    """
    import pandas as pd

    labels = arrays(frames)
    back = kept_back(len(frames), options.validation, SHARE)
    seen = [k for k in range(len(frames)) if k not in back]
    with tempfile.TemporaryDirectory(prefix="gapdesign-fit-") as name:
        folder = Path(name)
        texts = {
            "nep.in": data.settings(options, list(isolated)),
            "train.xyz": data.extended_xyz(frames, labels, seen, isolated, options.r_cut),
            "valid.xyz": data.extended_xyz(frames, labels, back, isolated, options.r_cut),
            "settings.json": json.dumps({"seed": seed, "limit": LARGEST * sum(options.weights.model_dump().values())}),
        }
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        lines = map(_usable, run(PROGRAM, folder, NAME))
        check_counts(NAME, next(lines, {}), labels)
        epochs = pd.DataFrame(_epochs(lines, options, bool(labels["has_virial"][back].any()), tell))
        best = folder / "out" / "nep_best.txt"
        if epochs.empty or not best.exists():
            raise ProgramError(f"{NAME} ended without a model; run the fit again, and look at the log of the job.")
        epochs["kept"] = (epochs["epoch"] == epochs.pop("best").iloc[-1]).astype(int)
        seconds = float(np.median(np.diff(epochs.pop("seconds"))))
        return Trained(data.with_energies_of_atoms(best, list(isolated.values())), epochs, seconds)


def _usable(line: dict[str, Any]) -> dict[str, Any]:
    """Return what the program says, unless it is a mistake."""
    if line.get("mistake") == "diverged":
        raise InputError(
            f"models.nep.learning_rate: the loss after epoch {line['epoch']} is beyond all bounds; lower it, and look"
            " at the largest forces among the labels."
        )
    return line


def _epochs(
    lines: Iterator[dict[str, Any]], options: NepPotentialOptions, has_virials: bool, tell: Callable[[str], object]
) -> Iterator[dict[str, Any]]:
    """Yield a row per epoch, with the best one so far, and tell of some."""
    pace, best, least, weights = Pace(), 0, np.inf, options.weights.model_dump()
    for line in lines:
        epoch, ours, others = line["epoch"], line["training"], line["validation"]
        if line["validation_loss"] < least:
            best, least = epoch, line["validation_loss"]
        if pace.is_due():
            tell(
                f"epoch {epoch} of {options.epochs} at most: {1000 * others['energies']:.1f} meV/atom and"
                f" {1000 * others['forces']:.1f} meV/angstrom off for the structures kept back; the best one is {best}"
            )
        yield {
            "epoch": epoch,
            "training_loss": sum(weight * ours[kind] ** 2 for kind, weight in weights.items()),
            "validation_loss": line["validation_loss"],
            "energy_mev": 1000 * others["energies"],
            "forces_mev": 1000 * others["forces"],
            "virials_mev": 1000 * others["virials"] if has_virials else None,
            "seconds": line["seconds"],
            "best": best,
        }
