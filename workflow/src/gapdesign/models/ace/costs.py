"""Time and memory of a fit, from the sizes of the basis and of the design."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from gapdesign.descriptors.ace import AceDescriptor
from gapdesign.descriptors.ace import AceOptions as DescriptorOptions
from gapdesign.models.base import Load, Seconds

if TYPE_CHECKING:
    from gapdesign.models.ace.options import AcePotentialOptions

BUILD, EACH = 3.0, 2e-3
"""Seconds to import ace-jax and build a basis, and for what a structure costs whatever its size (these and all that
follow by `python benchmarks/ace_cells.py`)."""

EDGE, DIFFERENTIATE, EVALUATE = 1e-5, 1.6e-7, 6e-8
"""Seconds for a neighbour of an atom, and for a function and a neighbour: with derivatives by the coefficients, and in
a prediction."""

MULTIPLY, FACTORISE, SEARCH = 2.5e-10, 4e-10, 7e-11
"""Seconds for a row and two coefficients, in products and in the least-squares problem; and for the cube of the number
of coefficients, in an evaluation of the likelihood."""

EVALUATIONS = 40
"""Evaluations of the likelihood in one start of the search."""

PROGRAMS = 550
"""MiB of Python with ace-jax, besides what grows with the data."""

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
        functions = AceDescriptor.dimension(described, load.species)
        return cls(functions, load, load.neighbours(options.r_cut), options.starts)

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
        labels, edges = load.structures * (7 + 3 * load.atoms), load.atoms * self.neighbours
        rows = load.structures * (EACH + edges * (EDGE + DIFFERENTIATE * self.functions))
        predict = EACH + edges * (EDGE + EVALUATE * self.functions)
        return Seconds(
            hyperparameters=BUILD + rows + MULTIPLY * labels * size**2 + self.starts * EVALUATIONS * SEARCH * size**3,
            fit=BUILD + rows + FACTORISE * labels * size**2 + load.structures * predict,
            predict=predict,
        )
