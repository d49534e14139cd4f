"""The program that trains: run by its path in a process of its own, so that two runs write the same bytes.

    python -P training.py FOLDER

``FOLDER`` holds torchnep's ``nep.in``, ``train.xyz`` and ``valid.xyz``, and ``settings.json``: the ``seed``, and the
``limit`` of the loss beyond which a training has diverged. torchnep writes ``nep_best.txt`` into the folder
``out``, the model of the epoch with the smallest validation loss. Every line of the output that is a JSON object is one
of ours: what was read, then each epoch as in torchnep's ``loss.out``, with the CPU seconds so far; or a mistake and
nothing more.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

COLUMNS = ("energies", "forces", "virials", "stress")
"""Root mean square errors in a line of `loss.out`, after epoch and loss: of the training, then of what is kept back."""


def say(**values: Any) -> None:
    """Print a line for the process that runs this program."""
    print(json.dumps(values), file=sys.__stdout__, flush=True)


class Followed(io.TextIOBase):
    """Stands in for the output of torchnep, and says what each epoch brought when its line comes."""

    def __init__(self, losses: Path, limit: float) -> None:
        self._losses, self._limit = losses, limit

    def write(self, text: str) -> int:
        """Receive what torchnep prints; its line comes after that of `loss.out`."""
        if text.startswith("Epoch "):
            self._say(self._losses.read_text(encoding="utf-8").splitlines()[-1].split())
        return len(text)

    def _say(self, words: list[str]) -> None:
        epoch, loss, *errors = int(words[0]), *map(float, words[1:])
        if not loss < self._limit:  # nor where it is no number
            say(mistake="diverged", epoch=epoch)
            sys.exit()
        ours, others = (dict(zip(COLUMNS, errors[start : start + 4], strict=True)) for start in (0, 4))
        say(seconds=time.process_time(), epoch=epoch, validation_loss=loss, training=ours, validation=others)


def train(folder: Path) -> None:
    """Train until the epochs or the patience end."""
    import torch
    from torchnep import train_nep
    from torchnep.data import read_xyz

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    files = folder / "train.xyz", folder / "valid.xyz"
    frames = [frame for path in files for frame in read_xyz(str(path))]
    say(
        energies=sum("energy" in frame for frame in frames),
        forces=sum(frame["forces"].size for frame in frames if "forces" in frame),
        virials=6 * sum("virial" in frame for frame in frames),
    )
    out, settings = folder / "out", json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(Followed(out / "loss.out", settings["limit"])):
        train_nep(
            str(folder / "nep.in"),
            str(files[0]),
            str(out),
            device="cpu",
            precision="float64",
            restart=False,
            checkpoint_interval=sys.maxsize,
            prediction_interval=0,
            run_seed=settings["seed"],
            valid_file=str(files[1]),
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    train(Path(sys.argv[1]))
