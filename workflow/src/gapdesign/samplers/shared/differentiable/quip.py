"""Descriptors of QUIP with analytic gradients: its SO(4) bispectrum and SOAP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.quip import soap_string
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError


class BispectrumOptions(Options):
    """QUIP's bispectrum, the descriptor of the first Gaussian approximation potentials."""

    r_cut: float = Field(4.7, gt=0, description="Radius of an environment, in angstrom.")
    j_max: int = Field(
        3, ge=1, le=8, description="Order of the hyperspherical harmonics; 3 gives 7 components, 4 gives 12."
    )
    components: int = Field(6, ge=1, description="Number of components used, from the first.")


class SmallSoapOptions(SoapOptions):
    """SOAP that is small enough to be differentiated at every step."""

    r_cut: float = Field(4.7, gt=0, description="Radius of an environment, in angstrom.")
    n_max: int = Field(3, ge=1, description="Radial basis functions.")
    l_max: int = Field(3, ge=0, description="Highest angular momentum.")


class Quip:
    """Descriptor of QUIP with analytic gradients.

    Parameters
    ----------
    text : str
        The descriptor as QUIP spells it.
    components : int, optional
        Number of its components used, from the first.

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
                "pools.entropy.descriptor.kind: `bispectrum` and `soap` need quippy, which is not installed;"
                " run `pip install quippy-ase`, or choose `snap`."
            ) from error
        self._descriptor = Descriptor(text)
        self._components = components

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Describe the atoms; see :class:`~.differentiable.Differentiable`."""
        return self._descriptor.calc_descriptor(atoms)[:, : self._components]

    def pullback(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Describe the atoms and differentiate; see :class:`~.differentiable.Differentiable`."""
        found = self._descriptor.calc(atoms, grad=True)
        values = found["data"][:, : self._components]
        gradient = found["grad_data"][:, :, : self._components]
        centre, moved = np.asarray(found["grad_index_0based"]).T

        def pull(slope: np.ndarray) -> np.ndarray:
            # Sums in one order, whatever the linear algebra library.
            pairs = (gradient * slope[centre][:, None, :]).sum(axis=2)
            return np.stack([np.bincount(moved, pairs[:, k], minlength=len(atoms)) for k in range(3)], axis=1)

        return values, pull


def soap(options: SmallSoapOptions, numbers: Sequence[int]) -> Quip:
    """Make the SOAP of atoms of one element, given by its atomic number."""
    number = _only(numbers)
    return Quip(soap_string(options, centre=number, elements=[number], transition=0.5))


def bispectrum(options: BispectrumOptions, numbers: Sequence[int]) -> Quip:
    """Make the SO(4) bispectrum of atoms of one element, given by its atomic number."""
    number = _only(numbers)
    return Quip(
        f"bispectrum_so4 cutoff={options.r_cut!r} j_max={options.j_max} n_species=1 species_Z={{{number}}} w={{1.0}}",
        options.components,
    )


def _only(numbers: Sequence[int]) -> int:
    if len(numbers) > 1:
        raise InputError(
            "pools.entropy.descriptor.kind: `bispectrum` and `soap` are for one element, and there are several; choose"
            " `snap`."
        )
    return int(numbers[0])
