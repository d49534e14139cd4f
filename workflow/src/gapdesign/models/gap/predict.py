"""Energies, forces and virials that a fitted potential predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from gapdesign import records
from gapdesign.engines.base import Label
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from quippy.potential import Potential


def energies(gp_xml: str | Path, frames: Sequence[Atoms]) -> np.ndarray:
    """Predict total energies, in eV, shape (n,); see :func:`predictions`."""
    return np.array([predicted.energy for predicted in predictions(gp_xml, frames)])


def predictions(gp_xml: str | Path, frames: Iterable[Atoms]) -> list[Label]:
    """Predict energies, forces and virials with quippy.

    Parameters
    ----------
    gp_xml
        A potential from :func:`gapdesign.models.gap.fit.fit`, or another GAP in one file.
    frames
        Structures; they are not changed.

    Returns
    -------
    list of Label
        In the order of ``frames``. A cell without a volume has no virial.

    Raises
    ------
    InputError
        If the potential is missing, cut short or not a GAP.
    """
    return list(map(evaluator(gp_xml), frames))


def evaluator(gp_xml: str | Path) -> Callable[[Atoms], Label]:
    """Return the function from a structure to what a potential predicts; see :func:`predictions`."""
    from ase.stress import voigt_6_to_full_3x3_stress

    potential = load(gp_xml)

    def evaluate(atoms: Atoms) -> Label:
        has_volume = atoms.cell.rank == 3
        properties = ["energy", "forces", *(["stress"] if has_volume else [])]
        # A copy: QUIP's own calculator keeps the atoms that it is given.
        potential.calculate(atoms.copy(), properties, ["positions", "numbers", "cell", "pbc"])
        results = potential.results
        virial = -atoms.get_volume() * voigt_6_to_full_3x3_stress(results["stress"]) if has_volume else None
        return Label(float(results["energy"]), results["forces"], virial)

    return evaluate


def load(gp_xml: str | Path) -> Potential:
    """Load a fitted potential as an ASE calculator; see :func:`predictions`."""
    from quippy.potential import Potential

    _check(Path(gp_xml))
    return Potential("IP GAP", param_filename=str(gp_xml))


def _check(path: Path) -> None:
    """Check the file before QUIP reads it, because QUIP's own messages say little about what is wrong."""
    remedy = "fit the model again"
    if not path.exists():
        raise InputError(f"{path}: no such potential; {remedy}.")
    records.check(path)
    parts = set()
    try:
        for _, element in ElementTree.iterparse(path):
            parts.add(element.tag)
            element.clear()
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not a complete XML file ({error}); {remedy}.") from error
    if not {"GAP_params", "gpSparse"} <= parts:
        raise InputError(f"{path}: the file holds no GAP; {remedy}.")
