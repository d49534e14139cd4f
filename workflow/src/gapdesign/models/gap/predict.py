"""Energies that a fitted potential predicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from gapdesign import records
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from quippy.potential import Potential


def energies(gp_xml: str | Path, frames: Sequence[Atoms]) -> np.ndarray:
    """Predict total energies with quippy.

    Parameters
    ----------
    gp_xml
        A potential from :func:`gapdesign.models.gap.fit.fit`, or another GAP in one file.
    frames
        n structures; they are not changed.

    Returns
    -------
    ndarray
        Total energies, in eV, in the order of ``frames``, shape (n,).

    Raises
    ------
    InputError
        If the potential is missing, cut short or not a GAP.
    """
    potential = load(gp_xml)
    predicted = np.empty(len(frames))
    for index, atoms in enumerate(frames):
        copy = atoms.copy()
        copy.calc = potential
        predicted[index] = copy.get_potential_energy()
    return predicted


def load(gp_xml: str | Path) -> Potential:
    """Load a fitted potential as an ASE calculator; see :func:`energies`."""
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
