"""A training as a program of its own: its run, and a check that it used all data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.errors import ProgramError

if TYPE_CHECKING:
    import numpy as np

_TAIL = 20


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
