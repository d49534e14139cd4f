"""The space of parameters of a pool whose candidates are points of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.samplers import SAMPLERS
from gapdesign.samplers.shared.constraints import refusals
from gapdesign.samplers.shared.draw import Draw

if TYPE_CHECKING:
    from gapdesign.prototypes import Prototype
    from gapdesign.samplers.options import Sampling
    from gapdesign.structures import Batch


def continuous() -> list[str]:
    """Return the names of the samplers whose candidates are points of a space."""
    return [name for name, sampler in SAMPLERS.items() if sampler.is_continuous]


class Space:
    """Structures at points of the parameters of a pool's sampler, whether or not they are candidates.

    Parameters
    ----------
    sampling : Sampling
        Sampling of the pool.
    prototypes : sequence of Prototype
    seed, pool
        Seed of the study and name of the pool.

    Raises
    ------
    InputError
        If candidates of the pool are no points of one space.
    """

    def __init__(self, sampling: Sampling, prototypes: Sequence[Prototype], *, seed: int, pool: str) -> None:
        (name, options), *others = sampling.options.items()
        if others or not SAMPLERS[name].is_continuous:
            raise InputError(
                f"pools.sampler: candidates of pool {pool} are no points of a space of parameters; those of"
                f" {', '.join(continuous())} are."
            )
        self._sampler, self._constraints = SAMPLERS[name](options, prototypes), sampling.constraints
        self._seed, self._pool = seed, pool

    def points(self, candidates: Batch) -> np.ndarray:
        """Return the points (n, k) of candidates of the pool.

        Raises
        ------
        InputError
            If the structures are not those of the pool at these points.
        """
        draws = [
            Draw(self._seed, self._pool, np.array([index]), attempt=int(attempt))
            for index, attempt in zip(candidates.candidates, candidates.attempts, strict=True)
        ]
        points = np.concatenate([self._sampler.points(draw) for draw in draws])
        made = self.at(candidates.prototypes, points)
        if not (np.array_equal(made.positions, candidates.positions) and np.array_equal(made.cells, candidates.cells)):
            raise InputError(
                f"--candidates: their structures are not those of the configuration of pool {self._pool}; make them"
                " again."
            )
        return points

    def at(self, prototypes: np.ndarray, points: np.ndarray) -> Batch:
        """Return the structures of prototypes (n,), by number, at points (n, k)."""
        return self._sampler.at(prototypes, points)

    def allowed(self, batch: Batch) -> np.ndarray:
        """Return whether each structure (n,) satisfies the constraints of the pool."""
        return refusals(batch, self._constraints) < 0
