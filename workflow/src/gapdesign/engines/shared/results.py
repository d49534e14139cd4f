"""Results of calculations made elsewhere: finding them in files and folders, and reading them."""

from __future__ import annotations

import fnmatch
import glob
import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from gapdesign.engines.base import Label, NotConvergedError
from gapdesign.engines.shared.convergence import refuse_outcar, refuse_pw
from gapdesign.engines.shared.programs import compare_structures
from gapdesign.errors import InputError
from gapdesign.files import read_json

if TYPE_CHECKING:
    from ase import Atoms

IDENTITY = "gapdesign.json"
"""File in an exported folder that identifies its structure."""

INPUT = "structure.extxyz"
"""File in an exported folder that holds the structure alone."""

ISOLATED = "isolated_atom"
"""``config_type`` of a frame that is an isolated atom."""

KINDS = {
    "vasprun": ("vasprun*.xml", "vasprun*.xml.gz"),
    "outcar": ("OUTCAR", "OUTCAR.gz", "*.OUTCAR"),
    "espresso": ("*.pwo", "pw.out", "*.pw.out"),
    "schema": ("data-file-schema.xml",),
    "frames": ("*.extxyz", "*.xyz"),
}
"""Files that are looked for in folders; if a calculation left several kinds, the first one counts."""


PRINTED = 1e-6
"""Precision, in eV per atom, with which the text output of pw.x gives an energy."""


@dataclass(frozen=True)
class Keys:
    """Names of the values in frames.

    Attributes
    ----------
    energy, forces, virial, stress : str
        Keys in ``info`` and, for forces, ``arrays``. Where a key is missing, the results that ASE reads for the
        calculation are taken.
    """

    energy: str
    forces: str
    virial: str
    stress: str


@dataclass(frozen=True)
class Result:
    """One result.

    Attributes
    ----------
    source : str
        File, and frame where it has several.
    atoms : Atoms or None
        The structure, as far as it can be read.
    isolated : bool
        Whether it is declared to be an isolated atom.
    label : Label or None
    reason : str
        Why there is no label.
    """

    source: str
    atoms: Atoms | None
    isolated: bool
    label: Label | None
    reason: str = ""


@dataclass(frozen=True)
class Source:
    """One file of results.

    Attributes
    ----------
    path : Path
    kind : str
        One of :data:`KINDS`, or ``other`` for any other format that ASE reads.
    identity : mapping
        Content of the :data:`IDENTITY` beside it; empty if there is none.
    exact : Path, optional
        Another file that gives the same values to more digits: the XML file beside the text output of pw.x.
    """

    path: Path
    kind: str
    identity: Mapping[str, Any]
    exact: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All files that it is read from."""
        return [self.path] if self.exact is None else [self.path, self.exact]


def find(paths: Sequence[str]) -> list[Source]:
    """Find the files of results that the paths lead to, sorted by name.

    Parameters
    ----------
    paths
        Files, folders (which are searched recursively), and patterns of either.

    Raises
    ------
    InputError
        If a path leads nowhere, or a folder holds no results.
    """
    sources: dict[Path, Source] = {}
    for given in paths:
        found = sorted(Path(name) for name in glob.glob(str(Path(given).expanduser()), recursive=True))
        if not found:
            raise InputError(
                f"labels.file.paths: there is no '{given}'; paths are relative to where snakemake is called."
            )
        mine = [source for path in found for source in _below(path)]
        if not mine:
            known = ", ".join(name for names in KINDS.values() for name in names)
            raise InputError(f"labels.file.paths: '{given}' holds no results; files of results are named {known}.")
        sources |= {source.path: source for source in mine}
    return [sources[path] for path in sorted(sources)]


def _below(path: Path) -> Iterator[Source]:
    if path.is_file():
        # pw.x puts its XML file into a folder of its own.
        home = path.parent.parent if path.parent.suffix == ".save" else path.parent
        yield Source(path, _kind(path.name) or _content(path), _identity(home))
        return
    folders = [path, *(inner for inner in path.rglob("*") if inner.is_dir() and inner.suffix != ".save")]
    for folder in sorted(folders):
        files = sorted(item for item in folder.iterdir() if item.is_file() and item.name != INPUT)
        files += sorted(folder.glob("*.save/data-file-schema.xml"))
        kinds = [kind for kind in KINDS if any(_kind(item.name) == kind for item in files)]
        if not kinds:
            continue
        chosen = [item for item in files if _kind(item.name) == kinds[0]]
        schemas = [item for item in files if _kind(item.name) == "schema"]
        exact = schemas[0] if kinds[0] == "espresso" and len(chosen) == len(schemas) == 1 else None
        for item in chosen:
            yield Source(item, kinds[0], _identity(folder), exact)


def _kind(name: str) -> str | None:
    matches = (kind for kind, patterns in KINDS.items() if any(fnmatch.fnmatchcase(name, p) for p in patterns))
    return next(matches, None)


_BEGINNINGS = (
    ("outcar", r"\s*vasp\.\d"),
    ("vasprun", r"(<\?xml[^>]*>)?\s*<modeling>"),
    ("schema", r"(<\?xml[^>]*>)?\s*<qes:espresso"),
    ("espresso", r"(?s).*Program PWSCF v"),
)
"""The beginnings of outputs whose convergence is judged, whatever the files are called."""


def _content(path: Path) -> str:
    """Return the kind of a file by its content."""
    try:
        with _text(path) as lines:
            head = lines.read(1000)
    except (OSError, EOFError):
        return "other"
    return next((kind for kind, pattern in _BEGINNINGS if re.match(pattern, head)), "other")


def _identity(folder: Path) -> Mapping[str, Any]:
    path = folder / IDENTITY
    return read_json(path) if path.is_file() else {}


def read(source: Source, keys: Keys) -> list[Result]:
    """Read all results of a file.

    Raises
    ------
    InputError
        If ASE does not read its format, or a frame has no energy, forces or stress.
    """
    isolated = bool(source.identity.get("isolated", False))
    if source.kind in ("vasprun", "schema"):
        return [_parsed(source.path, source.kind, isolated)]
    if source.kind in _OUTPUTS:
        result = _output(source, isolated)
        return [_to_all_digits(result, source.exact) if source.exact is not None else result]
    results = []
    for number, atoms in enumerate(read_frames(source.path)):
        where = f"{source.path}, frame {number}"
        lone = isolated or atoms.info.get("config_type") == ISOLATED
        results.append(Result(where, atoms, lone, _label(atoms, keys, where, isolated=lone)))
    return results


def _parsed(path: Path, kind: str, isolated: bool) -> Result:
    """Read a program's XML file as the program's engine does."""
    from gapdesign.engines.shared import pwscf, vasprun

    try:
        found = vasprun.parse(path) if kind == "vasprun" else pwscf.parse(path)
    except NotConvergedError as error:
        return Result(str(path), None, isolated, None, str(error))
    return Result(str(path), found.atoms, isolated, found.label)


def _to_all_digits(result: Result, path: Path) -> Result:
    """Return the result of the XML file, if the text output converged and both come from one calculation."""
    exact = _parsed(path, "schema", result.isolated)
    if result.label is None or exact.label is None or compare_structures(exact.atoms, result.atoms):
        return result
    return exact if abs(exact.label.energy - result.label.energy) <= PRINTED * len(exact.atoms) else result


def read_frames(path: Path, **options: Any) -> list[Atoms]:
    """Read the structures of a file with ASE.

    Raises
    ------
    InputError
        If ASE cannot read it.
    """
    from ase.io import read

    try:
        return list(read(path, index=":", **options))
    except Exception as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise InputError(
            f"labels.file.paths: ASE cannot read '{path}' ({reason}); give vasprun.xml, OUTCAR, output of pw.x or"
            " extended XYZ."
        ) from error


_OUTPUTS: Mapping[str, tuple[str, Callable[[Iterable[str]], str | None]]] = {
    "outcar": ("vasp-out", refuse_outcar),
    "espresso": ("espresso-out", refuse_pw),
}
"""ASE's name of each format, and the function that says why a calculation gives no label."""


def _output(source: Source, isolated: bool) -> Result:
    """Read the last structure of a program's output."""
    name, refuse = _OUTPUTS[source.kind]
    with _text(source.path) as lines:
        reason = refuse(lines)
    try:
        atoms = read_frames(source.path, format=name)[-1]
        label = None if reason else _from_calculator(atoms, unit=_rydberg() if source.kind == "espresso" else 1.0)
    except (InputError, IndexError, KeyError, ValueError) as error:
        return Result(str(source.path), None, isolated, None, reason or f"{error}")
    return Result(str(source.path), atoms, isolated, label, reason or "")


def _text(path: Path) -> TextIO:
    """Open the text of a file, which may be compressed."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")


def _rydberg() -> float:
    """Return the rydberg in units of ASE's for text output of pw.x; the difference matters for large energies."""
    from ase.io.espresso import units
    from ase.units import Ry

    return Ry / units["Ry"]


def _from_calculator(atoms: Atoms, *, unit: float) -> Label:
    found = atoms.calc.results if atoms.calc is not None else {}
    missing = [name for name in ("energy", "forces", "stress") if name not in found]
    if missing:
        raise ValueError(f"It holds no {missing[0]}.")
    # Forces and stress are derivatives of the free energy, where a program reports it.
    energy = found.get("free_energy", found["energy"])
    forces = np.array(found["forces"], dtype=float)
    return Label(float(energy) * unit, forces, symmetric(found["stress"], -atoms.get_volume()))


def _label(atoms: Atoms, keys: Keys, where: str, *, isolated: bool) -> Label:
    found = atoms.calc.results if atoms.calc is not None else {}
    energy = atoms.info.get(keys.energy, found.get("free_energy", found.get("energy")))
    if energy is None:
        _refuse(where, "energy", keys.energy, atoms)
    if isolated:
        return Label(float(energy), np.zeros((len(atoms), 3)), np.zeros((3, 3)))
    forces = atoms.arrays.get(keys.forces, found.get("forces"))
    if forces is None:
        _refuse(where, "forces", keys.forces, atoms)
    if keys.virial in atoms.info:
        virial = symmetric(atoms.info[keys.virial], 1.0)
    else:
        stress = atoms.info.get(keys.stress, found.get("stress"))
        if stress is None:
            _refuse(where, "virial", keys.virial, atoms)
        virial = symmetric(stress, -atoms.get_volume())
    return Label(float(energy), np.array(forces, dtype=float), virial)


def _refuse(where: str, what: str, key: str, atoms: Atoms) -> None:
    there = sorted([*atoms.info, *atoms.arrays, *(atoms.calc.results if atoms.calc is not None else [])])
    other = " or labels.file.stress_key" if what == "virial" else ""
    raise InputError(
        f"labels.file.{what}_key: {where} has no '{key}', only {', '.join(there)}; name the {what} with"
        f" labels.file.{what}_key{other}."
    )


def symmetric(values: Any, factor: float) -> np.ndarray:
    """Make a symmetric tensor (3, 3) from nine numbers, 3 x 3, or six in Voigt's order (xx, yy, zz, yz, xz, xy)."""
    values = factor * np.array(values, dtype=float).ravel()
    if values.size == 6:
        values = values[[0, 5, 4, 5, 1, 3, 4, 3, 2]]
    if values.size != 9:
        raise InputError(
            f"labels.file: a virial or stress has {values.size} numbers; give nine, or six in Voigt's order."
        )
    tensor = values.reshape(3, 3)
    return 0.5 * (tensor + tensor.T) + 0.0
