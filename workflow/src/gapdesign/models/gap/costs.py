"""Time and memory of gap_fit, predicted from structures and points before it starts.

Three steps take the time: derivatives of SOAP vectors, their products with the points, and the QR factorisation of the
linear system. The derivatives of all structures, and then the system, are what gap_fit keeps in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.models.gap.environments import GapStructures
    from gapdesign.models.gap.expansion import Expansion

DESCRIBE, MULTIPLY, SOLVE = 1.2e-7, 1.85e-9, 8e-10
"""Seconds for a component of a derivative, for its product with one point, and for a row times two points
(`python benchmarks/gap_cells.py`)."""

PROGRAMS = 350
"""MiB of gap_fit and of the Python process that runs it, besides what grows with the data."""


@dataclass(frozen=True)
class Work:
    """What gap_fit has to do for some structures, whatever the points.

    Attributes
    ----------
    dimension
        Length d of a SOAP vector.
    derivatives
        For each element, derivatives of the SOAP vectors around its atoms: three per atom and neighbour for the forces
        of a structure, and six more for its virial.
    labels
        Energies, components of forces and components of virials.
    """

    dimension: int
    derivatives: Mapping[int, int]
    labels: int

    @classmethod
    def of(cls, data: Sequence[Atoms], soap: SoapOptions, seen: GapStructures, *, labels: int) -> Work:
        """Count the work for labelled structures, isolated atoms included, whose environments are ``seen``."""
        from matscipy.neighbours import neighbour_list

        derivatives = dict.fromkeys(seen.soap, 0)
        for atoms in data if seen.soap else ():
            each = 3 * ("REF_forces" in atoms.arrays) + 6 * ("REF_virial" in atoms.info)
            near = each * (1 + np.bincount(neighbour_list("i", atoms, soap.r_cut), minlength=len(atoms)))
            for centre in set(atoms.numbers.tolist()):
                derivatives[centre] += int(near[atoms.numbers == centre].sum())
        dimension = max((block.vectors.shape[1] for block in seen.soap.values()), default=0)
        return cls(dimension, derivatives, labels)

    def seconds(self, basis: Expansion) -> float:
        """Return the CPU seconds of gap_fit with the points of a basis."""
        total = len(basis)
        products = sum(self.derivatives[z] * len(points) for z, points in basis.soap.items())
        described = DESCRIBE * sum(self.derivatives.values()) + MULTIPLY * products
        return self.dimension * described + SOLVE * (self.labels + total) * total**2

    def megabytes(self, basis: Expansion) -> int:
        """Return the MiB of the fit with the points of a basis."""
        total = len(basis)
        covariances, system = self.labels * total, (self.labels + total) * total
        first = self.dimension * sum(self.derivatives.values()) + system
        return PROGRAMS + ceil(8 * max(first, 2 * (system + covariances)) / 2**20)

    def require(self, memory: int | None, basis: Expansion) -> None:
        """Refuse a fit that needs more than ``memory``, in MiB.

        Raises
        ------
        InputError
            If it does; the sentence says what to change.
        """
        needed = self.megabytes(basis)
        if memory is not None and needed > memory:
            raise InputError(
                f"model: this fit needs {needed} MiB and may use {memory}; add `--set-resources"
                f" models_fit:mem_mb={-(-needed // 100) * 100}`, or lower descriptor.soap.n_max, l_max or r_cut, the"
                " budget, or model.sparse.points."
            )
