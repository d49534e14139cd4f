"""Where the files of the workflow are: in a clone, or in the package that a wheel has installed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "shipped"

FILES = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parents[2]
"""Folder of `workflow/`, `envs/` and `profiles/`."""

WORKFLOW = str(FILES / "workflow" / "Snakefile")
"""The workflow, for the `snakefile:` of a module."""


def library_alone(folder: Path) -> Path:
    """Return a folder from which this library can be imported and nothing else.

    That of an installed package holds all other packages too, which would hide those of other environments, so there is
    a link to it in a folder of its own.

    Parameters
    ----------
    folder : Path
        Where to put the link; it is the same for every run with this installation.
    """
    if not _SHIPPED.is_dir():
        return _PACKAGE.parent
    place = folder.absolute() / "gapdesign-library" / hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:8]
    link = place / "gapdesign"
    if not link.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        mine = place / f".{os.getpid()}"
        mine.symlink_to(_PACKAGE, target_is_directory=True)
        mine.replace(link)
    return place
