"""Time and memory of a fit, from the sizes of the basis and of the design."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, pi
from typing import TYPE_CHECKING

from gapdesign.descriptors.ace import AceDescriptor
from gapdesign.descriptors.ace import AceOptions as DescriptorOptions
from gapdesign.models.base import Load, Seconds
from gapdesign.structures import prototypes

if TYPE_CHECKING:
    from gapdesign.config.part import At
    from gapdesign.models.ace.options import AcePotentialOptions

DIFFERENTIATE, MULTIPLY, FACTORISE, SEARCH = 1.0e-8, 2.5e-10, 4.0e-10, 6.0e-10
"""Seconds for a function and a neighbour of an atom, for a row times two coefficients in products and in the
least-squares problem, and for the cube of a coefficient in one evaluation of the likelihood
(`python benchmarks/ace_cells.py`)."""

EVALUATE = 2.0e-7
"""Seconds for a function around an atom, in a prediction."""

EVALUATIONS = 50
"""Evaluations of the likelihood in one start of the search."""

START, EACH = 3.0, 0.003
"""Seconds to build a basis, and for what a structure costs whatever its size."""

PROGRAMS, LEAST_MEMORY = 500, 2000
"""MiB of Python with ace-jax, besides what grows with the data; and those of a fit to structures of unknown sizes."""

BLOCK = 8192
"""Rows in the least-squares problem at once."""


def megabytes(coefficients: int, atoms: float) -> int:
    """Return the MiB of a fit with so many coefficients to structures of at most so many atoms."""
    own = coefficients * (7 + 3 * atoms)
    return PROGRAMS + ceil(8 * coefficients * (4 * coefficients + 3 * BLOCK) / 2**20 + 8 * 3 * own / 2**20)


@dataclass(frozen=True)
class Work:
    """What the costs depend on.

    Attributes
    ----------
    functions
        Functions around an atom.
    load
        What the model is fitted to.
    neighbours
        Neighbours of an atom.
    starts
        Starts of the search for hyperparameters.
    """

    functions: int
    load: Load
    neighbours: float
    starts: int

    @classmethod
    def of(cls, options: AcePotentialOptions, load: Load) -> Work:
        """Return the work of a fit."""
        described = DescriptorOptions(order=options.order, degree=options.degree, r_cut=options.r_cut)
        neighbours = 4 / 3 * pi * options.r_cut**3 * load.density
        return cls(AceDescriptor.dimension(described, load.species), load, neighbours, options.starts)

    @classmethod
    def expected(cls, at: At) -> Work | None:
        """Return the work for a design whose structures have the sizes of the largest prototype.

        None where candidates have other sizes, which only the labels then tell.
        """
        study, largest = at.study, max(prototypes(at.study.prototypes), key=lambda crystal: len(crystal.atoms)).atoms
        if not at.pool.keeps_cells:
            return None
        density = len(largest) / largest.get_volume()
        load = Load(study.budget, len(largest), density, environments=len(largest), species=len(study.species()))
        return cls.of(at.model.options, load)

    def megabytes(self) -> int:
        """Return the MiB of the fit."""
        return megabytes(self.coefficients, self.load.atoms)

    @property
    def coefficients(self) -> int:
        """Number of coefficients."""
        return self.functions * self.load.species

    def seconds(self) -> Seconds:
        """Return the costs."""
        load, size = self.load, self.coefficients
        labels = load.structures * (7 + 3 * load.atoms)
        rows = load.structures * (EACH + DIFFERENTIATE * load.atoms * self.functions * self.neighbours)
        search = self.starts * EVALUATIONS * SEARCH * size**3
        return Seconds(
            hyperparameters=START + rows + MULTIPLY * labels * size**2 + search,
            fit=START + rows + FACTORISE * labels * size**2,
            predict=EACH + EVALUATE * load.atoms * self.functions,
        )
