"""D-optimal strains without a pool: coordinate exchange over the parameters of the sampler `strain` (BR section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms

from gapdesign.methods.d_optimal.optimality import GAIN, coordinate_exchange, log_det
from gapdesign.prototypes import Prototype
from gapdesign.samplers.shared.deform import deform, stretches
from gapdesign.streams import stream

PARAMETERS = 7
"""Numbers in [0, 1] per strained crystal: one for its prototype, three for stretches, three for the rotation."""


def strained(prototypes: Sequence[Prototype], parameters: np.ndarray, largest: float) -> Atoms:
    """Make one deformed prototype.

    Parameters
    ----------
    prototypes : sequence of Prototype
    parameters : (7,)
        In [0, 1]: which prototype; where in [1 - s, 1 + s] each principal stretch lies; a rotation by Shoemake's
        quaternion, uniform on SO(3) if the three numbers are uniform.
    largest : float
        Bound s of the stretches.

    Returns
    -------
    Atoms
        With ``prototype`` and ``deformation`` in its ``info``.
    """
    atoms = deform(prototypes, parameters[:1], stretches(parameters[None, 1:], largest)).atoms(0)
    del atoms.info["candidate"]
    return atoms


def optimise(
    prototypes: Sequence[Prototype],
    describe: Callable[[list[Atoms]], np.ndarray],
    *,
    count: int,
    largest: float,
    seed: str,
    existing: np.ndarray | None = None,
    values: int = 9,
    refinements: int = 3,
    sweeps: int = 5,
    tries: int = 1,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[Atoms], float]:
    """Make strained crystals with the largest det X'X.

    A sweep describes ``count`` x 7 x ``values`` structures, which dominates its cost. Moves of one parameter at a time
    end in a local optimum, so that several tries are worth their cost.

    Parameters
    ----------
    describe : callable
        Returns the features X (n, p) of n structures; p is at most ``count`` plus the existing structures.
    count : int
        Structures to make.
    largest : float
        Bound s of the stretches.
    seed : str
        Names the stream of random numbers for the starts of the search.
    existing : (m, p), optional
        Features of existing structures.
    values : int
        Number of values to try for each parameter.
    refinements, sweeps : int
        As of :func:`gapdesign.methods.d_optimal.optimality.coordinate_exchange`.
    tries : int
        Number of random starts; the best result counts.

    Returns
    -------
    list of Atoms, float
        The structures, and log det X'X.
    """

    def features(points: np.ndarray) -> np.ndarray:
        return describe([strained(prototypes, point, largest) for point in points])

    generator, best = np.random.Generator(stream(seed)), (-np.inf, np.zeros((0, PARAMETERS)))
    search = {"existing": existing, "refinements": refinements, "sweeps": sweeps, "progress": progress}
    for _ in range(tries):
        starts = generator.random((count, PARAMETERS))
        found = coordinate_exchange(features, starts, np.linspace(0, 1, values), **search)
        design = features(found) if existing is None else np.concatenate([existing, features(found)])
        if log_det(design) > best[0] + GAIN:
            best = (log_det(design), found)
    return [strained(prototypes, point, largest) for point in best[1]], best[0]
