"""Members of designs as files give them: names and numbers that become parts of paths are checked first."""

from __future__ import annotations

import re
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.config.options import NAME
from gapdesign.errors import InputError
from gapdesign.files import read_frames

if TYPE_CHECKING:
    from ase import Atoms

LARGEST = 10**9
"""Largest rank or candidate."""


def read_members(path: str | Path, *, ranked: bool = True) -> list[Atoms]:
    """Read a design, in selection order.

    Parameters
    ----------
    path : path
    ranked : bool
        Require a file that is named after its design, and the rank of every structure.

    Raises
    ------
    InputError
        If the file is missing or cannot be parsed, if the name of the design or of a pool is none, or if a rank or a
        candidate is no whole number from 0.
    """
    path = Path(path)
    if ranked:
        _check_name(path.name.removesuffix(path.suffix), f"{path}: the name of a design")
    frames = read_frames(path)
    for number, atoms in enumerate(frames):
        where = f"{path}, frame {number}"
        if ranked and "rank" not in atoms.info:
            raise InputError(f"{where}: it has no rank; give the file of a design, as `gapdesign select` writes it.")
        for key in ("rank", "candidate"):
            if key in atoms.info:
                _check_number(atoms.info[key], f"{where}: {key}")
        if "pool" in atoms.info:
            _check_name(str(atoms.info["pool"]), f"{where}: pool")
    return frames


def _check_number(value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= value <= LARGEST:
        raise InputError(f"{what} is {_shown(value)}, not a whole number from 0; choose the design again.")


def _check_name(name: str, what: str) -> None:
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{what} is {_shown(name)}, which is no name: it must begin with a letter or digit and may hold those, '_',"
            " '.' and '-'."
        )


def _shown(value: Any) -> str:
    return repr(getattr(value, "item", lambda: value)())[:60]
