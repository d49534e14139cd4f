"""Code shared by engines that run a program: its command, its time limit, and the check of what it computed."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.engines.base import NotConvergedError
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

TOLERANCE = 1e-4
"""Largest deviation, in angstrom, of the structure that a program reports from the one it was given. Programs print
lattice vectors and fractional coordinates with about eight digits."""

_GRACE_SECONDS = 30

_LAUNCHER = Path(__file__).with_name("launcher.py")
"""Program that runs another and ends it with this process, however that dies."""


class ProgramOptions(Options):
    """Options that every program has."""

    hours: float | None = Field(
        None,
        gt=0,
        description="Wall time limit per calculation, in hours. A calculation that takes longer is stopped and counts"
        " as failed. Default: no limit other than the job's.",
    )
    core_hours: float | None = Field(
        None,
        gt=0,
        description="Expected cost per structure, in core hours, for the estimate in quality.csv. Default: estimated"
        " from electrons, k-points and plane waves; see docs/engines.md.",
    )


def require(command: str, *, key: str, remedy: str) -> None:
    """Check that the first word of ``command`` is a program.

    Raises
    ------
    InputError
        If there is no such program, or no command.
    """
    words = split(command, key=key)
    if shutil.which(words[0]) is None:
        raise InputError(f"{key}: there is no program {words[0]!r} here; {remedy}.")


def split(command: str, *, key: str) -> list[str]:
    """Split a command into words as a shell does.

    Raises
    ------
    InputError
        If the command is empty, or a quote is left open.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"{key}: {command!r} is not a command ({error}); correct its quotes.") from None
    if not words:
        raise InputError(f"{key}: it is empty; give the command that starts the program.")
    return words


def run(words: list[str], folder: Path, log: str, *, results: Sequence[str], hours: float | None = None) -> int:
    """Run a program in ``folder``, with its output in the file ``log`` there, and return its exit status.

    The program ends with this process, however that dies; see :mod:`.launcher`.

    Parameters
    ----------
    words
        The command.
    folder
        Where it runs.
    log
        Name of the file for its output and errors.
    results
        Names of the files in which it leaves its results. They are removed first, so that no result of an earlier run
        is mistaken for its own.
    hours
        Wall time after which it is stopped, with all of its child processes.

    Raises
    ------
    NotConvergedError
        If it exceeded ``hours``.
    """
    for name in results:
        (folder / name).unlink(missing_ok=True)
    if shutil.which(words[0]) is None and not (folder / words[0]).is_file():  # relative ones start there
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), words[0])
    with (folder / log).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(_GRACE_SECONDS), *words],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(None if hours is None else hours * 3600)
        except subprocess.TimeoutExpired:
            raise NotConvergedError(f"{words[0]} was stopped after {hours:g} hours, as configured.") from None
        finally:
            process.stdin.close()  # it stops the program, if that still runs
            process.wait()


def number(value: Any) -> Any:
    """Convert text that spells a number, as YAML reads ``1e-6``; return any other value unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def last_lines(path: Path, count: int = 3) -> str:
    """Return the last ``count`` lines of a log that are not blank, joined into one."""
    if not path.is_file():
        return "no output"
    lines = [line.strip(" %*|-=\t") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return " / ".join([line for line in lines if line][-count:])[-400:] or "no output"


def compare_structures(sent: Atoms, back: Atoms) -> str | None:
    """Return how the structure that a program reports differs from the one sent, or None if it does not.

    Atoms are compared in order, up to a lattice vector, within :data:`TOLERANCE`.
    """
    if sent.numbers.tolist() != back.numbers.tolist():
        return f"it is of {back.get_chemical_formula()} in place of {sent.get_chemical_formula()}, or in another order"
    if (deviation := np.abs(sent.cell.array - back.cell.array).max()) > TOLERANCE:
        return f"its cell is another by {deviation:.2g} angstrom"
    steps = np.linalg.solve(sent.cell.array.T, (back.positions - sent.positions).T).T
    shifts = (steps - np.round(steps)) @ sent.cell.array
    if (deviation := np.linalg.norm(shifts, axis=1).max(initial=0)) > TOLERANCE:
        return f"an atom has moved by {deviation:.2g} angstrom"
    return None
