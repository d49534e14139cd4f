"""Folders that a run writes to besides its results: whether it can is known before it begins."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from gapdesign.errors import InputError

LEAST = 2**20
"""Bytes that must be free for temporary files: Snakemake's scheduler writes some before every job."""


def check_temporary() -> None:
    """Check that temporary files can be written.

    Raises
    ------
    InputError
        If their folder is missing or full.
    """
    # Not `tempfile.gettempdir`, which passes over a full folder in silence; other programs do not.
    named = [name for name in ("TMPDIR", "TEMP", "TMP") if os.environ.get(name)]
    folder = os.environ[named[0]] if named else tempfile.gettempdir()
    what = f"{folder}: the folder of temporary files" + (f", by the variable {named[0]}," if named else "")
    if not Path(folder).is_dir():
        raise InputError(f"{what} does not exist; make it, or set TMPDIR to another one.")
    if shutil.disk_usage(folder).free < LEAST:
        raise InputError(f"{what} is full; make room there, or set TMPDIR to another one.")


def refusal(folder: str | Path, error: OSError) -> InputError:
    """Return the mistake that ``.snakemake`` in ``folder`` cannot be written, with what to do."""
    records = Path(folder) / ".snakemake"
    place = records if records.exists() else Path(folder)
    return InputError(
        f"{place}: {error.strerror or error} ({_owner(place)}), and Snakemake keeps its records there, those of a"
        " dry run too; start it in a folder in which you may write, or ask the owner to let you."
    )


def _owner(path: Path) -> str:
    try:
        return f"owner {path.owner()}"
    except (KeyError, OSError, NotImplementedError):
        return "unknown owner"
