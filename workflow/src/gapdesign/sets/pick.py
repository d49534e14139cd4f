"""The frames of a file that are worth most: a design without a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign import notebook
from gapdesign.errors import InputError
from gapdesign.notebook.description import Features, options_of
from gapdesign.progress import Pace
from gapdesign.sets import costs
from gapdesign.sets.held import FrameSet
from gapdesign.sets.nearest import repeats, to_nearest

if TYPE_CHECKING:
    from ase import Atoms

MOST_NUMBERS = 2**29
"""Numbers of all features that are held in memory: 2 GiB in single precision."""

DRAWS = 5
"""Random designs that a pick is compared with."""

_BATCH = 50


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
    labels: np.ndarray | None = None,
    seed: int = 0,
    memory: int = 1024,
    progress: Callable[[str], None] = lambda line: None,
) -> Picked:
    """Choose ``n`` frames of a set, or of each ``config_type`` in it, or as many as ``n`` core-hours pay for.

    Parameters
    ----------
    n : int or float
        Frames, or core-hours where there are costs of labels.
    description : mapping
        Blocks `descriptor` and `kernel` of a configuration.
    existing : FrameSet, optional
        Frames that are there already.
    labels : (N,) float64, optional
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
    if labels is None:
        groups = given.groups() if is_per_group else {"": np.arange(len(given))}
        chosen, distances = _from_groups(given, features, groups, int(n), known, settings)
        drawn = [order[: len(chosen)] for order in orders]
    else:
        chosen, distances = costs.design(features, labels, n, existing=known, **settings)
        drawn = [costs.drawn(labels, n, order) for order in orders]
    if known is not None:
        from_known, _ = to_nearest(features, known.values)
    if not len(chosen):
        paid = "" if labels is None else f" and that {n:g} core-hours pay for"
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
        costs=None if labels is None else labels[chosen],
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
        before = rows_of(features, np.concatenate(places)) if places else None
        start = [part.values for part in (known, before) if part is not None]
        held = replace(features, values=np.concatenate(start)) if start else None
        design = notebook.select(rows_of(features, members), n, existing=held, **settings)
        places.append(members[design.indices])
        distances.append(design.distances)
    return np.concatenate(places), np.concatenate(distances)


def described(
    given: FrameSet,
    elements: list[str],
    description: Mapping[str, Mapping[str, Any]],
    progress: Callable[[str], None] = lambda line: None,
) -> Features:
    """Return the features of a set, without environments.

    Raises
    ------
    InputError
        If an option is not valid, a frame cannot be described, or all features do not fit into memory.
    """
    from ase.data import atomic_numbers

    from gapdesign.descriptors import Descriptor
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.structures import pack

    options = options_of(DescriptorOptions, description["descriptor"], "descriptor")
    kernel = options_of(KernelOptions, description["kernel"], "kernel")
    species = sorted(atomic_numbers[symbol] for symbol in elements)
    options.member.check(options.options, species)
    describe = Descriptor(options, kernel.pair.shape, species)
    numbers = describe.layout.dimension * len(given)
    if numbers > MOST_NUMBERS:
        raise InputError(
            f"'{given.name}': features of {len(given)} frames take {numbers / 2**28:.1f} GiB, too many for one line;"
            " choose a shorter descriptor, or make the file the pool of a study, which reads it in shards"
            " (docs/candidates.md)."
        )
    values, pace = np.empty((len(given), describe.layout.dimension), np.float32), Pace()
    for start in range(0, len(given), _BATCH):
        part = given.frames[start : start + _BATCH]
        values[start : start + len(part)] = describe.features(pack([frame.bare() for frame in part]))
        if pace.is_due():
            progress(f"{start + len(part)} of {len(given)} frames described")
    return Features(values=values, covariance=Covariance(describe.layout, kernel), kernel=kernel)


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


def rows_of(features: Features, places: np.ndarray) -> Features:
    """Return the features of some frames."""
    return replace(features, values=features.values[places])


def _covering(nearest: np.ndarray) -> tuple[float, float]:
    """Return the largest and the mean distance, of squared ones (n,)."""
    return float(np.sqrt(nearest.max())), float(np.sqrt(nearest).mean())
