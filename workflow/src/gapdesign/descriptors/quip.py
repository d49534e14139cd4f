"""Strings that define descriptors in QUIP: the same for a design, the likelihood and gap_fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gapdesign.descriptors.kernel import PairKernelOptions
    from gapdesign.descriptors.soap import SoapOptions

COUPLED = {
    "none": "",
    "one_element": " nu_R=2 nu_S=1",
    "one_element_one_radial": " nu_R=1 nu_S=1",
    "no_elements": " nu_R=2 nu_S=0",
}
"""QUIP's words for compressions: the neighbours of a pair whose radial function and whose element count."""


def soap_string(soap: SoapOptions, *, centre: int, elements: Sequence[int], transition: float) -> str:
    """Return the string of SOAP around atoms of one element, with all elements as neighbours.

    Parameters
    ----------
    soap
        Size and resolution.
    centre
        Atomic number of the central atoms.
    elements
        All atomic numbers in the study, ascending; they set the length of the vector.
    transition
        Width of the cutoff function in angstrom.
    """
    species = " ".join(str(z) for z in elements)
    coupled = COUPLED[soap.compression]
    return (
        f"soap cutoff={soap.r_cut!r} cutoff_transition_width={transition!r}"
        f" n_max={soap.n_max} l_max={soap.l_max} atom_sigma={soap.sigma!r}"
        f" n_Z=1 Z={centre} n_species={len(elements)} species_Z={{{species}}}{coupled}"
    )


def pair_string(pair: PairKernelOptions, *, elements: tuple[int, int]) -> str:
    """Return the string of distances between two elements (atomic numbers)."""
    return (
        f"distance_2b cutoff={pair.r_cut!r} cutoff_transition_width={pair.transition!r} "
        f"Z1={elements[0]} Z2={elements[1]}"
    )
