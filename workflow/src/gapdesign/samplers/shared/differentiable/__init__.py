"""Differentiable descriptors of the atoms of one structure, whose gradients move the atoms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.samplers.shared.differentiable import quip, snap
from gapdesign.samplers.shared.differentiable.quip import BispectrumOptions, SmallSoapOptions
from gapdesign.samplers.shared.differentiable.snap import SnapOptions


class Differentiable(Protocol):
    """Descriptor of every atom by m numbers that are smooth functions of the positions."""

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return the descriptors q (n, m) of n atoms."""

    def pullback(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Return the descriptors q (n, m), and a function from dF/dq (n, m), for any F of q, to dF/dr (n, 3)."""


class DifferentiableOptions(Options):
    """The descriptor of the sampler `entropy`."""

    kind: Literal["snap", "bispectrum", "soap"] = Field(
        "snap",
        description="The bispectrum of SNAP in LAMMPS, or the bispectrum or SOAP of QUIP. All have"
        " analytic gradients; `snap` is by far the fastest.",
    )
    snap: SnapOptions = Field(SnapOptions(), description="Bispectrum components of SNAP.")
    bispectrum: BispectrumOptions = Field(BispectrumOptions(), description="Bispectrum components of QUIP.")
    soap: SmallSoapOptions = Field(SmallSoapOptions(), description="SOAP power spectrum.")

    @property
    def is_quip(self) -> bool:
        """True if QUIP computes it, which is possible for a single element only."""
        return self.kind != "snap"

    @property
    def environment(self) -> str:
        """The environment, a file of `envs/` without its ending, in which it can be computed."""
        return "gap" if self.is_quip else "core"


def make(options: DifferentiableOptions, numbers: Sequence[int]) -> Differentiable:
    """Build the descriptor of atoms of some elements, given by their atomic numbers.

    Raises
    ------
    InputError
        If the descriptor is for one element only.
    """
    return MEMBERS[options.kind](getattr(options, options.kind), numbers)


MEMBERS: dict[str, Callable[[Options, Sequence[int]], Differentiable]] = {
    "snap": snap.Snap,
    "bispectrum": quip.bispectrum,
    "soap": quip.soap,
}
"""Functions that make each descriptor."""
