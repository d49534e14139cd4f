"""Time and memory of a training, predicted from structures and the size of the model."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from gapdesign.models.base import DENSER
from gapdesign.models.shared.trainer import refuse_beyond

if TYPE_CHECKING:
    from gapdesign.models.base import Load
    from gapdesign.models.nep.options import NepPotentialOptions

STEP, POLYNOMIAL, MOMENT = 1.2e-2, 1.3e-7, 4.7e-8
"""CPU seconds of a step; of an epoch, for each polynomial of a pair of neighbours, and for each component of an angular
momentum of a pair within the angular cut-off (`python benchmarks/nep_cells.py`)."""

PREDICTION, PREDICTED = 1e-4, 4.5e-7
"""CPU seconds of a prediction, and those of a pair of neighbours in it."""

PROGRAMS, STORED, MOMENT_MEMORY = 350, 2e-4, 8.5e-5
"""MiB of the program that trains; for each pair of neighbours in the design; for each component as above in a step."""


@dataclass(frozen=True)
class Work:
    """What a training has to do.

    Attributes
    ----------
    structures : float
        Number of structures.
    atoms, radial, angular : float
        Mean number of atoms in a structure, and of neighbours of an atom within either cut-off.
    options : NepPotentialOptions
    """

    structures: float
    atoms: float
    radial: float
    angular: float
    options: NepPotentialOptions

    @classmethod
    def expected(cls, load: Load, options: NepPotentialOptions) -> Work:
        """Return the work for a load."""
        radial, angular = (DENSER * load.neighbours(r_cut) for r_cut in (options.r_cut, options.r_cut_angular))
        return cls(load.structures, load.atoms, radial, angular, options)

    def _pairs(self, structures: float) -> float:
        """Pairs of neighbours in some structures."""
        return structures * self.atoms * (self.radial + self.angular)

    def _moments(self, structures: float) -> float:
        """Components of angular momenta of the pairs within the angular cut-off."""
        components = (self.options.n_max + 1) * (self.options.l_max + 1) ** 2
        return structures * self.atoms * self.angular * components

    def epoch(self) -> float:
        """Return the CPU seconds of an epoch."""
        return (
            STEP * ceil(self.structures / self.options.batch_size)
            + POLYNOMIAL * (self.options.basis_size + 1) * self._pairs(self.structures)
            + MOMENT * self._moments(self.structures)
        )

    def fit(self) -> float:
        """Return the CPU seconds of all epochs."""
        return self.options.epochs * self.epoch()

    def prediction(self) -> float:
        """Return the CPU seconds of energy, forces and virial of a structure."""
        return PREDICTION + PREDICTED * self._pairs(1)

    def megabytes(self) -> int:
        """Return the most MiB of a training."""
        step = self._moments(min(self.options.batch_size, self.structures))
        return PROGRAMS + ceil(STORED * self._pairs(self.structures) + MOMENT_MEMORY * step)

    def require(self, memory: int | None) -> None:
        """Refuse a training that needs more than ``memory``, in MiB.

        Raises
        ------
        InputError
            If it does; the sentence says what to change.
        """
        refuse_beyond(memory, self.megabytes(), "models.nep.batch_size", "batch_size, r_cut or r_cut_angular")
