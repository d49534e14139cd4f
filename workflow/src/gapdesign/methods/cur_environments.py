"""Method `cur_environments`: structures drawn by the leverage of their atoms, summed (RK section 2).

The rows of the matrix are the SOAP vectors of every atom of every candidate; each species has its own matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.base import Harm, Method, Selection, Task
from gapdesign.methods.shared.leverage import Leverage, LeverageOptions, chosen_by
from gapdesign.methods.shared.resources import one_blas_thread
from gapdesign.methods.shared.rows import SAMPLE

if TYPE_CHECKING:
    from gapdesign.descriptors.environments import Environments


class CurEnvironmentsOptions(LeverageOptions):
    """Options of the method `cur_environments`."""


class CurEnvironmentsMethod(Method):
    """Draws by the leverage of atoms."""

    name = "cur_environments"
    summary = "drawn at random by the leverage of atoms"
    Options = CurEnvironmentsOptions
    title = "CUR (environments)"
    by_chance = True
    harmed = Harm(environments=14)

    @classmethod
    def reads_environments(cls, options: CurEnvironmentsOptions) -> bool:
        """Return True: it measures the leverage of atoms."""
        return True

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Draw by leverage; the score of a structure is the sum over its atoms, in units of an atom's mean.

        It reads the environments twice, one structure at a time; singular vectors are those of at most 8,192
        candidates, evenly spaced. A structure with more atoms is drawn more often.
        """
        options = task.options or cls.Options()
        with one_blas_thread():
            spaced = range(0, task.pool.size, -(-task.pool.size // SAMPLE))
            sample = [task.environments.one(k) for k in spaced]
            there = task.existing_environments
            existing = [] if there is None else [there.one(k) for k in range(len(there))]
            leverages = {}
            for z in np.unique(np.concatenate([one.species for one in sample])):
                known = _atoms(existing, z) if existing else np.zeros((0, task.environments.one(0).vectors.shape[1]))
                leverages[int(z)] = Leverage(_atoms(sample, z), options.features or task.budget, known)
            scores = np.array([summed(task.environments.one(k), leverages) for k in range(task.pool.size)])
        return chosen_by(task, scores, options)


def summed(one: Environments, leverages: dict[int, Leverage]) -> float:
    """Return the sum of the leverages of a structure's atoms; 0 for species that the sample did not have."""
    total = 0.0
    for z, leverage in leverages.items():
        mine = one.species == z
        if mine.any():
            scores = leverage.of(one.vectors[mine].astype(float))
            total += float(np.add.reduce(one.multiplicities[mine] * scores))
    return total


def _atoms(structures: list[Environments], z: int) -> np.ndarray:
    """Return the SOAP vectors (n, d) of all atoms of a species, weighted by the square roots of their counts."""
    vectors = np.concatenate([one.vectors[one.species == z] for one in structures])
    counts = np.concatenate([one.multiplicities[one.species == z] for one in structures])
    return vectors.astype(float) * np.sqrt(counts)[:, None]
