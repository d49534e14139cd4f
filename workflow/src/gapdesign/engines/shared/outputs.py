"""Results in the outputs of programs, which say how they were made and must have converged."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.engines.base import NotConvergedError
from gapdesign.engines.shared.convergence import refuse_outcar, refuse_pw
from gapdesign.engines.shared.programs import compare_structures
from gapdesign.engines.shared.sources import Source
from gapdesign.errors import InputError
from gapdesign.inputs.labels import Values, bare, symmetric
from gapdesign.inputs.unpacked import reason, unpacked

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.engines.base import Label

OUTPUTS = ("vasprun", "outcar", "espresso", "schema")
"""Kinds of sources that are outputs of programs."""

PRINTED = 1e-6
"""Precision, in eV per atom, with which the text output of pw.x gives an energy."""

_TEXTS: Mapping[str, tuple[str, Callable[[Iterable[str]], str | None]]] = {
    "outcar": ("vasp-out", refuse_outcar),
    "espresso": ("espresso-out", refuse_pw),
}
"""ASE's name of each format, and the function that says why a calculation gives no label."""

Output = tuple["Atoms | None", "Values | None", str]
"""Structure, as far as it can be read, its labels, and the reason why there are none."""


def read(source: Source) -> Output:
    """Read the last ionic step of an output."""
    if source.kind in _TEXTS:
        found = _text(source)
        return found if source.exact is None else _to_all_digits(found, source.exact)
    return _parsed(source.path, source.kind)


def _parsed(path: Path, kind: str) -> Output:
    """Read a program's XML file as the program's engine does."""
    from gapdesign.engines.shared import pwscf, vasprun

    try:
        with unpacked(path, "labels.file.paths") as place:
            found = vasprun.parse(place) if kind == "vasprun" else pwscf.parse(place)
    except (NotConvergedError, InputError) as error:
        return None, None, str(error)
    return found.atoms, _values(found.label), ""


def _values(label: Label) -> Values:
    return Values(label.energy, label.forces, label.virial)


def _to_all_digits(text: Output, path: Path) -> Output:
    """Return the result of the XML file, if the text output converged and both come from one calculation."""
    atoms, values, _ = text
    exact, digits, _ = _parsed(path, "schema")
    if values is None or digits is None or compare_structures(exact, atoms):
        return text
    return (exact, digits, "") if abs(digits.energy - values.energy) <= PRINTED * len(exact) else text


def _text(source: Source) -> Output:
    """Read the last structure of a program's text output."""
    from ase.io import read

    name, refuse = _TEXTS[source.kind]
    refused = None
    try:
        with unpacked(source.path, "labels.file.paths") as place, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with place.open(encoding="utf-8", errors="replace") as lines:
                refused = refuse(lines)
            atoms = read(place, index=-1, format=name)
        values = None if refused else _of_calculator(atoms, unit=_rydberg() if source.kind == "espresso" else 1.0)
    except Exception as error:  # of ASE's parsers, which raise anything
        return None, None, refused or reason(error)
    return bare(atoms), values, refused or ""


def _rydberg() -> float:
    """Return the rydberg in units of ASE's for text output of pw.x; the difference matters for large energies."""
    from ase.io.espresso import units
    from ase.units import Ry

    return Ry / units["Ry"]


def _of_calculator(atoms: Atoms, *, unit: float) -> Values:
    found = atoms.calc.results if atoms.calc is not None else {}
    missing = [name for name in ("energy", "forces", "stress") if name not in found]
    if missing:
        raise ValueError(f"It holds no {missing[0]}.")
    # Forces and stress are derivatives of the free energy, where a program reports it.
    energy = found.get("free_energy", found["energy"])
    forces = np.array(found["forces"], dtype=float)
    return Values(float(energy) * unit, forces, symmetric(found["stress"], -atoms.get_volume()))
