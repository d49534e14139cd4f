"""Cells of structures that are not periodic, for programs that know no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms

FAR = 12.0
"""Distance, in angstrom, within which no atom gets an image where its structure is not periodic."""


def periodic(atoms: Atoms, cutoff: float = FAR) -> Atoms:
    """Return a structure in a periodic cell, with no image within the cut-off where it is not periodic."""
    from gapdesign.descriptors.neuroevolution import periodic

    return periodic(atoms, cutoff)
