"""Descriptors of atoms that can be differentiated, for what moves atoms by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.descriptors.options import SoapOptions
from gapdesign.descriptors.quip import soap_string
from gapdesign.errors import InputError
from gapdesign.options import Options


class Differentiable(Protocol):
    """Describes every atom by m numbers that are smooth functions of the positions."""

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Descriptors q (n, m) of n atoms."""

    def pullback(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Descriptors q (n, m), and what turns dF/dq (n, m) of any function F of them into dF/dr (n, 3)."""


class BispectrumOptions(Options):
    """Bispectrum components, the descriptor of the first Gaussian approximation potentials and of SNAP."""

    r_cut: float = Field(4.7, gt=0, description="Radius of an environment, in angstrom.")
    j_max: int = Field(
        3, ge=1, le=8, description="Order of the hyperspherical harmonics; 3 gives 7 components, 4 gives 12."
    )
    components: int = Field(6, ge=1, description="How many of the components are used, from the first.")


class SmallSoapOptions(SoapOptions):
    """SOAP, small enough to be differentiated at every step."""

    r_cut: float = Field(4.7, gt=0, description="Radius of an environment, in angstrom.")
    n_max: int = Field(3, ge=1, description="Radial basis functions.")
    l_max: int = Field(3, ge=0, description="Highest angular momentum.")


class DifferentiableOptions(Options):
    """The descriptor of the sampler `entropy`."""

    kind: Literal["bispectrum", "soap"] = Field(
        "bispectrum", description="Which descriptor; both are QUIP's, with analytic gradients."
    )
    bispectrum: BispectrumOptions = Field(BispectrumOptions(), description="Bispectrum components.")
    soap: SmallSoapOptions = Field(SmallSoapOptions(), description="SOAP power spectrum.")


class Quip:
    """A descriptor of QUIP's with analytic gradients.

    Parameters
    ----------
    text : str
        The descriptor as QUIP spells it.
    components : int, optional
        How many of its components are used, from the first.

    Raises
    ------
    InputError
        If quippy is not installed.
    """

    def __init__(self, text: str, components: int | None = None) -> None:
        try:
            from quippy.descriptors import Descriptor
        except ImportError as error:
            raise InputError(
                "pools.entropy: descriptors with gradients need quippy, which is not installed;"
                " run `pip install quippy-ase`."
            ) from error
        self._descriptor = Descriptor(text)
        self._components = components

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Describe the atoms; see :class:`Differentiable`."""
        return self._descriptor.calc_descriptor(atoms)[:, : self._components]

    def pullback(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Describe the atoms and differentiate; see :class:`Differentiable`."""
        found = self._descriptor.calc(atoms, grad=True)
        values = found["data"][:, : self._components]
        gradient = found["grad_data"][:, :, : self._components]
        centre, moved = np.asarray(found["grad_index_0based"]).T

        def pull(slope: np.ndarray) -> np.ndarray:
            # Sums of one order, whatever linear algebra library there is.
            pairs = (gradient * slope[centre][:, None, :]).sum(axis=2)
            return np.stack([np.bincount(moved, pairs[:, k], minlength=len(atoms)) for k in range(3)], axis=1)

        return values, pull


def make(options: DifferentiableOptions, number: int) -> Quip:
    """Build the descriptor of atoms of one element, given by its atomic number."""
    if options.kind == "soap":
        return Quip(soap_string(options.soap, centre=number, elements=[number], transition=0.5))
    bispectrum = options.bispectrum
    return Quip(
        f"bispectrum_so4 cutoff={bispectrum.r_cut!r} j_max={bispectrum.j_max} n_species=1 species_Z={{{number}}}"
        " w={1.0}",
        bispectrum.components,
    )
