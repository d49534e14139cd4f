"""Time and memory of a training, predicted from structures and the size of the model."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from gapdesign.models.base import DENSER
from gapdesign.models.shared.trainer import refuse_beyond

if TYPE_CHECKING:
    from gapdesign.models.base import Load
    from gapdesign.models.mace.options import MacePotentialOptions

STEP, EDGE, CHANNEL = 2.0e-2, 3.0e-5, 1.2e-6
"""CPU seconds of each layer in an epoch: for a step, for a pair of neighbours, and for a channel of it, of scalars
(`python benchmarks/mace_cells.py`)."""

MOMENTUM = 0.55
"""Share of these by which each angular momentum above 0 adds to them."""

PREDICTION, PREDICTED = 1.4e-2, 0.4
"""CPU seconds of a prediction, and the share of a pair's cost in training that it has in a prediction."""

PROGRAMS, EDGE_MEMORY, CHANNEL_MEMORY = 650, 0.036, 0.0018
"""MiB of the program that trains; of a layer for a pair of neighbours in a step, and for a channel of it."""


@dataclass(frozen=True)
class Work:
    """What a training from scratch has to do.

    Attributes
    ----------
    structures : float
        Number of structures.
    atoms, neighbours : float
        Mean number of atoms in a structure, and of neighbours of an atom.
    options : MacePotentialOptions
    """

    structures: float
    atoms: float
    neighbours: float
    options: MacePotentialOptions

    @classmethod
    def expected(cls, load: Load, options: MacePotentialOptions) -> Work:
        """Return the work for a load."""
        return cls(load.structures, load.atoms, DENSER * load.neighbours(options.r_cut), options)

    @property
    def _size(self) -> float:
        """Layers, and how much larger they are than those of scalars."""
        return self.options.layers * (1 + MOMENTUM * self.options.max_L)

    def _pairs(self, structures: float) -> float:
        """CPU seconds for the pairs of neighbours of some structures."""
        return self._size * structures * self.atoms * self.neighbours * (EDGE + CHANNEL * self.options.channels)

    def epoch(self) -> float:
        """Return the CPU seconds of an epoch."""
        return self._size * STEP * ceil(self.structures / self.options.batch_size) + self._pairs(self.structures)

    def fit(self) -> float:
        """Return the CPU seconds of all epochs."""
        return self.options.epochs * self.epoch()

    def prediction(self) -> float:
        """Return the CPU seconds of energy, forces and virial of a structure."""
        return PREDICTION + PREDICTED * self._pairs(1)

    def megabytes(self) -> int:
        """Return the most MiB of a training on a CPU."""
        pairs = min(self.options.batch_size, self.structures) * self.atoms * self.neighbours
        return PROGRAMS + ceil(self._size * pairs * (EDGE_MEMORY + CHANNEL_MEMORY * self.options.channels))

    def require(self, memory: int | None) -> None:
        """Refuse a training that needs more than ``memory``, in MiB.

        Raises
        ------
        InputError
            If it does; the sentence says what to change.
        """
        refuse_beyond(memory, self.megabytes(), "models.mace.batch_size", "batch_size, channels, max_L or r_cut")
