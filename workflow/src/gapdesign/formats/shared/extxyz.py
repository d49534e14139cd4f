"""Extended XYZ with all digits: what is read is what was written, to the last bit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.formats.base import Datum

_PLAIN = re.compile(r"[\w.+-]+")
"""Text that needs no quotation marks."""


def frame(
    atoms: Atoms, info: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, pbc: Sequence[bool] | None = None
) -> str:
    """Return one structure.

    Parameters
    ----------
    atoms
        Elements, positions and cell.
    info
        Text, numbers and arrays of numbers for the second line, in order; None stands for nothing.
    arrays
        Vectors of the atoms by name, (n, 3), to be written behind the positions.
    pbc
        Periodicity to write; not written if None.
    """
    words = [f'Lattice="{written(atoms.cell.array)}"'] if atoms.cell.array.any() else []
    words += [f"{key}={_value(value)}" for key, value in info.items() if value is not None]
    words += [] if pbc is None else [f'pbc="{" ".join("FT"[bool(is_periodic)] for is_periodic in pbc)}"']
    words.append("Properties=species:S:1:pos:R:3" + "".join(f":{name}:R:3" for name in arrays))
    numbers = np.hstack([atoms.positions, *arrays.values()])
    rows = [f"{symbol} {written(row)}" for symbol, row in zip(atoms.symbols, numbers, strict=True)]
    return "\n".join([str(len(atoms)), " ".join(words), *rows]) + "\n"


def written(numbers: np.ndarray) -> str:
    """Return numbers in as many digits as they have."""
    return " ".join(map(repr, np.ravel(numbers).tolist()))


def frames(data: Iterable[Datum], energy: str, forces: str, *, stress: str = "", virial: str = "") -> str:
    """Return structures with their labels under these names, and all else that their files say of them.

    A stress is minus the virial by the volume, in eV/angstrom^3, so positive under tension.
    """
    return "".join(_labelled(each, energy, forces, stress, virial) for each in data)


def _labelled(datum: Datum, energy: str, forces: str, stress: str, virial: str) -> str:
    values, info = datum.values, datum.said | {energy: datum.values.energy}
    if stress:
        info[stress] = datum.stress
    if virial:
        info[virial] = values.virial
    arrays = {} if values.forces is None else {forces: values.forces}
    return frame(datum.atoms, info, arrays, pbc=datum.atoms.pbc)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "FT"[value]
    return repr(value) if isinstance(value, int | float) else f'"{written(value)}"'
