"""The frames of a file that are worth most: a design without a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign import notebook
from gapdesign.errors import InputError
from gapdesign.methods.shared.costs import drawn_within
from gapdesign.notebook.description import Features
from gapdesign.sets.features import beside, described, rows_of
from gapdesign.sets.held import FrameSet
from gapdesign.sets.nearest import repeats, to_nearest

if TYPE_CHECKING:
    from ase import Atoms

DRAWS = 5
"""Random designs that a pick is compared with."""


@dataclass(frozen=True, kw_only=True)
class Picked:
    """Frames chosen from a set.

    Attributes
    ----------
    places : (n,) int64
        Places in the set, in the order chosen.
    distances : (n,) float64
        Kernel distance of each from those before it; see :class:`gapdesign.notebook.Design`.
    duplicates : int
        Frames of the set that are another one again.
    covering : tuple of float
        Largest distance of a frame from the nearest one picked, and the mean.
    by_chance : tuple of float
        The same for random designs of the same size, or the same cost, the mean of :data:`DRAWS`.
    costs : (n,) float64 or None
        Core-hours of the label of each, where a budget of these was given.
    size_by_chance : float
        Frames in random designs, the mean.
    """

    places: np.ndarray
    distances: np.ndarray
    duplicates: int
    covering: tuple[float, float]
    by_chance: tuple[float, float]
    costs: np.ndarray | None = None
    size_by_chance: float = 0.0

    def frames(self, given: FrameSet) -> list[Atoms]:
        """Return the frames as they were read, with ``pick_rank``, ``pick_distance`` and others in ``info``."""
        found = []
        for rank, (place, distance) in enumerate(zip(self.places, self.distances, strict=True)):
            frame = given.frames[place]
            frame.atoms.info |= {"pick_rank": rank, "pick_distance": float(distance), "pick_frame": frame.number}
            if self.costs is not None:
                frame.atoms.info["pick_core_hours"] = float(self.costs[rank])
            found.append(frame.atoms)
        return found


def pick(
    given: FrameSet,
    n: int | float,
    description: Mapping[str, Mapping[str, Any]],
    *,
    method: str,
    existing: FrameSet | None = None,
    is_per_group: bool = False,
    core_hours: np.ndarray | None = None,
    seed: int = 0,
    memory: int = 1024,
    progress: Callable[[str], None] = lambda line: None,
) -> Picked:
    """Choose ``n`` frames of a set, or of each ``config_type`` in it, or as many as ``n`` core-hours pay for.

    Parameters
    ----------
    n : int or float
        Frames, or core-hours where it is known what labels cost.
    description : mapping
        Blocks `descriptor` and `kernel` of a configuration.
    existing : FrameSet, optional
        Frames that are there already.
    core_hours : (N,) float64, optional
        Core-hours of the label of each frame; the method must choose in an order of prefixes then.

    Raises
    ------
    InputError
        If an option is not valid, or the features do not fit into memory.
    """
    elements = sorted({*given.elements, *(existing.elements if existing else [])})
    features = described(given, elements, description, progress)
    known = described(existing, elements, description, progress) if existing else None
    settings = {"method": method, "seed": seed, "memory": memory}
    rng, from_known = np.random.default_rng(seed), np.inf
    orders = [rng.permutation(len(given)) for _ in range(DRAWS)]
    if core_hours is None:
        groups = given.groups() if is_per_group else {"": np.arange(len(given))}
        chosen, distances = _from_groups(given, features, groups, int(n), known, settings)
        drawn = [order[: len(chosen)] for order in orders]
    else:
        budget = {"costs": core_hours, "core_hours": n}
        design = notebook.select(features, len(given), existing=known, **budget, **settings)
        chosen, distances = design.indices, design.distances
        drawn = [drawn_within(core_hours, n, order) for order in orders]
    if known is not None:
        from_known, _ = to_nearest(features, known.values)
    if not len(chosen):
        paid = "" if core_hours is None else f" and that {n:g} core-hours pay for"
        raise InputError(f"--existing: it has all that is in '{given.name}'{paid}; nothing is left to choose.")
    covering, *draws = [
        _covering(np.minimum(to_nearest(features, features.values[places])[0], from_known))
        for places in [chosen, *drawn]
        if len(places)
    ]
    largest, mean = np.mean(draws, axis=0).tolist()
    return Picked(
        places=chosen,
        distances=distances,
        duplicates=int((repeats(features.values, features.covariance) >= 0).sum()),
        covering=covering,
        by_chance=(largest, mean),
        costs=None if core_hours is None else core_hours[chosen],
        size_by_chance=float(np.mean([len(places) for places in drawn])),
    )


def _from_groups(
    given: FrameSet,
    features: Features,
    groups: Mapping[str, np.ndarray],
    n: int,
    known: Features | None,
    settings: Mapping[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    """Choose ``n`` frames of each group, each group after what is known and what was chosen before."""
    places, distances = [], []
    for name, members in groups.items():
        if len(members) < n:
            group = f" with config_type {name}" if name else ""
            raise InputError(f"N: '{given.name}' has {len(members)} frames{group}, not {n}; ask for fewer.")
        start = beside(features, known, np.concatenate(places) if places else ())
        design = notebook.select(rows_of(features, members), n, existing=start, **settings)
        places.append(members[design.indices])
        distances.append(design.distances)
    return np.concatenate(places), np.concatenate(distances)


def configuration(given: FrameSet, n: int, description: Mapping[str, Mapping[str, Any]], method: str) -> dict[str, Any]:
    """Return the configuration of a study that makes the same pick, without what exists and without groups."""
    return {
        "study": "picked",
        "pools": {
            "names": ["A"],
            "size": "all",
            "sampler": "file",
            "file": {"path": given.frames[0].source, "shuffle": False},
        },
        **description,
        "budget": n,
        "designs": {"PICKED": {"pool": "A", "method": method}},
    }


def _covering(nearest: np.ndarray) -> tuple[float, float]:
    """Return the largest and the mean distance, of squared ones (n,)."""
    return float(np.sqrt(nearest.max())), float(np.sqrt(nearest).mean())
