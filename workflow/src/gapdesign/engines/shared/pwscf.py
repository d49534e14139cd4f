"""Labels from ``data-file-schema.xml``, in which pw.x of Quantum ESPRESSO reports what it did and its results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

import numpy as np

from gapdesign.engines.base import Label, NotConvergedError

if TYPE_CHECKING:
    from ase import Atoms


class Output(NamedTuple):
    """Report of pw.x on a calculation, in eV and angstrom."""

    atoms: Atoms
    label: Label
    ecutwfc: float  # Ry
    ecutrho: float  # Ry
    points: np.ndarray  # shape (k, 3), fractional
    weights: np.ndarray
    version: str


def parse(path: str | Path) -> Output:
    """Read the last structure in a ``data-file-schema.xml`` of pw.x, which has more digits than the text output.

    Raises
    ------
    NotConvergedError
        If the file is missing or damaged, if the electrons did not converge, or if there are no forces or no stress.
    """
    from ase import Atoms
    from ase.units import Bohr, Hartree

    path = Path(path)
    try:
        root = ElementTree.parse(path).getroot()
        output = root.find("output")
        if output.find("convergence_info/scf_conv/convergence_achieved").text.strip() != "true":
            raise NotConvergedError("pw.x: the electrons did not converge.")
        structure = output.find("atomic_structure")
        cell = np.array([_numbers(structure.find(f"cell/{vector}")) for vector in ("a1", "a2", "a3")])
        positions = np.array([_numbers(atom) for atom in structure.findall("atomic_positions/atom")])
        symbols = [re.match("[A-Za-z]+", atom.get("name"))[0] for atom in structure.findall("atomic_positions/atom")]
        # Wave vectors come in units of 2 pi / alat.
        knots = output.findall("band_structure/ks_energies/k_point")
        points = np.array([_numbers(knot) for knot in knots]) @ cell.T / float(structure.get("alat"))
        # Positive under compression, as the virial is.
        stress = _numbers(output.find("stress")).reshape(3, 3) * Hartree / Bohr**3
        volume = abs(np.linalg.det(cell)) * Bohr**3
        return Output(
            atoms=Atoms(symbols, positions=positions * Bohr, cell=cell * Bohr, pbc=True),
            label=Label(
                energy=float(output.find("total_energy/etot").text) * Hartree,
                forces=_numbers(output.find("forces")).reshape(-1, 3) * Hartree / Bohr,
                virial=volume * (stress + stress.T) / 2,
            ),
            ecutwfc=2 * float(output.find("basis_set/ecutwfc").text),
            ecutrho=2 * float(output.find("basis_set/ecutrho").text),
            points=points,
            weights=np.array([float(knot.get("weight")) for knot in knots]),
            version=root.find("general_info/creator").get("VERSION"),
        )
    except FileNotFoundError:
        raise NotConvergedError(f"There is no {path.name}.") from None
    except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
        raise NotConvergedError(f"{path.name} is cut off or incomplete ({error}).") from error


def _numbers(element: ElementTree.Element) -> np.ndarray:
    return np.array(element.text.split(), dtype=float)
