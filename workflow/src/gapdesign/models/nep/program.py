"""The training as a program of its own: its input, and what it says."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.errors import InputError, ProgramError
from gapdesign.models.nep import data
from gapdesign.models.shared.labels import arrays, kept_back
from gapdesign.models.shared.trainer import Trained, check_counts, run, table

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.models.nep.options import NepPotentialOptions

PROGRAM, NAME = Path(__file__).with_name("training.py"), "torchnep"

SHARE = "models.nep.validation"

LARGEST = 1e6
"""The loss beyond which a training has diverged, for weights of one: errors of a thousand eV."""

MISSING = (
    "torchnep, nep-adapters or torch is not installed; run `pip install torchnep==1.0.7 nep-adapters==1.0.3` and"
    " install torch (without CUDA: see docs/features.md), run the workflow with --sdm conda, or choose another one."
)
"""What a message says, after a key of the configuration, where the program is missing."""


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
        has_virials = bool(labels["has_virial"][back].any())
        epochs, seconds = table((_epoch(line, options, has_virials) for line in lines), options.epochs, tell)
        best = folder / "out" / "nep_best.txt"
        if epochs.empty or not best.exists():
            raise ProgramError(f"{NAME} ended without a model; run the fit again, and look at the log of the job.")
        text = data.with_energies_of_atoms(best, list(isolated.values()))
        return Trained(text.encode(), epochs, seconds)


def _usable(line: dict[str, Any]) -> dict[str, Any]:
    """Return what the program says, unless it is a mistake."""
    if line.get("mistake") == "diverged":
        raise InputError(
            f"models.nep.learning_rate: the loss after epoch {line['epoch']} is beyond all bounds; lower it, and look"
            " at the largest forces among the labels."
        )
    return line


def _epoch(line: Mapping[str, Any], options: NepPotentialOptions, has_virials: bool) -> dict[str, Any]:
    """Return the columns of an epoch."""
    ours, others = line["training"], line["validation"]
    return {
        "epoch": line["epoch"],
        "training_loss": sum(weight * ours[kind] ** 2 for kind, weight in options.weights.model_dump().items()),
        "validation_loss": line["validation_loss"],
        "energy_mev": 1000 * others["energies"],
        "forces_mev": 1000 * others["forces"],
        "virials_mev": 1000 * others["virials"] if has_virials else None,
        "seconds": line["seconds"],
    }
