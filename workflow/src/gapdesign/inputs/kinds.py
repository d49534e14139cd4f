"""Formats of structures, and what their readers assume where a file does not say it."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols

from gapdesign.errors import InputError
from gapdesign.inputs import extxyz
from gapdesign.inputs.unpacked import reason

_WHOLE = 1e-3
"""Largest difference of an occupancy from 1."""

_MASS = 5e-3
"""Largest relative difference of a mass from that of the element that it is taken for."""

_FORMULA = re.compile(r"^_chemical_formula_sum\s+(['\"]?)([^'\"\n]+)\1", re.M)


def kind_of(place: Path, path: str, key: str) -> str:
    """Return ASE's name of a file's format, found by its name and content.

    Parameters
    ----------
    place : Path
        The file itself.
    path, key : str
        Its name for the user and the key that names it, for messages.

    Raises
    ------
    InputError
        If ASE does not know the format.
    """
    from ase.io.formats import UnknownFileTypeError, filetype, get_ioformat

    if place.suffix.lower() in (".xyz", ".extxyz"):
        return "extxyz"
    if _is_lammps_data(place):
        return "lammps-data"
    try:
        kind = filetype(str(place))
        if get_ioformat(kind).can_read:
            return kind
    except (UnknownFileTypeError, ImportError):
        pass
    if extxyz.looks_alike(place):
        return "extxyz"
    raise InputError(f"{key}: '{path}' is in no format that ASE reads; convert it to extended XYZ.") from ValueError(
        "its format is unknown"
    )


def refuse_file(place: Path, kind: str, path: str, key: str) -> None:
    """Refuse files whose readers would guess what the file does not say.

    Raises
    ------
    InputError
        For a POSCAR or LAMMPS file that does not name its elements, or a ``vasprun.xml`` that is cut off.
    """
    check = {
        "vasp": _unnamed,
        "lammps-dump-text": _untyped,
        "lammps-dump-binary": lambda place: "does not name elements; dump text with a column `element`",
        "lammps-data": _massless,
        "vasp-xml": _unfinished,
    }.get(kind)
    try:
        problem = check(place) if check else None
    except (OSError, ValueError) as error:
        problem = f"cannot be read ({reason(error)}); repair or convert it"
    if problem:
        raise InputError(f"{key}: '{path}' {problem}.")


def refuse_frame(atoms: Atoms, kind: str, place: Path) -> str | None:
    """Return what is not believed of a structure that ASE read from a file, with a remedy; None if it is all there."""
    for site in atoms.info.get("occupancy", {}).values() if kind == "cif" else ():
        shares = dict(site)
        if len(shares) > 1 or abs(sum(shares.values()) - 1) > _WHOLE:
            named = ", ".join(f"{share:g} {symbol}" for symbol, share in shares.items())
            return (
                f"has a site occupied in part ({named}), which no single structure has; make an ordered structure of"
                " it, for instance a supercell"
            )
    if kind == "cif" and (formula := _formula(place)):
        elements = sorted({*formula, *atoms.symbols})
        found = np.array([(atoms.symbols == element).sum() for element in elements]) / len(atoms)
        stated = np.array([formula.get(element, 0) for element in elements]) / sum(formula.values())
        if np.abs(found - stated).max() > _WHOLE:
            said = " ".join(f"{element}{count:g}" for element, count in formula.items())
            return (
                f"is {atoms.get_chemical_formula()}, and its _chemical_formula_sum is {said}: atoms are missing, or the"
                " symmetry was misread; write all atoms out in P 1, or correct the formula"
            )
    occupied = atoms.arrays.get("occupancy")  # of a PDB file
    if occupied is not None and (np.abs(occupied.astype(float) - 1) > _WHOLE).any():
        return "has a site occupied in part, which no single structure has; keep one of its conformations"
    if kind == "lammps-data":
        expected = atomic_masses[atoms.numbers]
        off = np.flatnonzero((np.abs(atoms.get_masses() - expected) > _MASS * expected) | (atoms.numbers < 1))
        if len(off):
            symbol, mass = chemical_symbols[atoms.numbers[off[0]]], atoms.get_masses()[off[0]]
            return (
                f"has an atom of mass {mass:g}, which is no element's ({symbol} is nearest); convert it to extended XYZ"
            )
    return None


def _is_lammps_data(place: Path) -> bool:
    """Return whether a file begins as LAMMPS' data files do, whose names ASE does not know them by."""
    with place.open("rb") as stream:
        head = stream.read(2000)
    return re.search(rb"^\s*\d+\s+atoms\s*$", head, re.M) is not None and b"atom types" in head


def is_poscar(name: str) -> bool:
    """Return whether a file is a POSCAR by its name."""
    return any(word in name.upper() for word in ("POSCAR", "CONTCAR")) or name.lower().endswith(".vasp")


def without_inventions(atoms: Atoms, kind: str) -> Atoms:
    """Return a structure without values that its reader made up: the energy of zero that ASE gives LAMMPS' dumps."""
    if kind.startswith("lammps-dump") and atoms.calc is not None:
        atoms.calc.results.pop("energy", None)
    return atoms


@lru_cache(maxsize=1)
def _formula(place: Path) -> dict[str, float]:
    """Return the composition that a CIF of one structure states; empty if it states none."""
    text = place.read_text(encoding="utf-8", errors="replace")
    found = _FORMULA.search(text)
    if found is None or len(re.findall(r"^data_", text, re.M)) > 1:
        return {}
    formula: dict[str, float] = {}
    for symbol, count in re.findall(r"([A-Z][a-z]?)\s*(\d+\.?\d*)?", found[2]):
        element = {"D": "H", "T": "H"}.get(symbol, symbol)
        if element not in chemical_symbols:
            return {}
        formula[element] = formula.get(element, 0) + float(count or 1)
    return formula if sum(formula.values()) > 0 else {}


def _lines(place: Path, most: int) -> list[str]:
    with place.open(encoding="utf-8") as stream:
        return [line for line, _ in zip(iter(lambda: stream.readline(2**16), ""), range(most), strict=False)]


def _unnamed(place: Path) -> str | None:
    """Check line 6 of a POSCAR, or line 1 in the old way, for the elements that the numbers of atoms belong to."""
    lines = _lines(place, 6)
    if len(lines) < 6:
        return "is not a whole POSCAR; copy it again"
    counts = lines[5].split("!")[0].split()
    if not counts or not counts[0].isdigit():
        return None
    names = lines[0].split()
    if len(names) == len(counts) and all(name in chemical_symbols[1:] for name in names):
        return None
    return "does not name its elements; write them into line 6, above the numbers of atoms"


def _untyped(place: Path) -> str | None:
    """Check a dump of LAMMPS for a column of elements and, since ASE does not, for all atoms of each frame."""
    frame = count = 0
    with place.open(encoding="utf-8") as stream:
        lines = iter(lambda: stream.readline(2**16), "")
        for line in lines:
            if line.startswith("ITEM: NUMBER OF ATOMS"):
                count = int(next(lines, "0"))
            elif line.startswith("ITEM: ATOMS"):
                if "element" not in line.split():
                    return "has types and no elements; add a column `element` (LAMMPS: dump_modify ... element Zr)"
                for done in range(count):
                    if not (line := next(lines, "")).strip() or line.startswith("ITEM:"):
                        return f"is cut off: its frame {frame} has {done} of {count} atoms; repair it"
                frame += 1
    return None


def _massless(place: Path) -> str | None:
    with place.open(encoding="utf-8") as stream:
        for line in iter(lambda: stream.readline(2**16), ""):
            if line.split("#")[0].strip() == "Masses":
                return None
    return "has types and no masses to tell elements by; add a section `Masses`, or convert it to extended XYZ"


def _unfinished(place: Path) -> str | None:
    with place.open("rb") as stream:
        stream.seek(max(0, place.stat().st_size - 200))
        if b"</modeling>" in stream.read():
            return None
    return "is cut off: its calculation did not end; give whole results"
