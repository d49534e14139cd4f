"""Designs chosen from a pool in memory, and their coverage of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.notebook.description import Features, Pool, are_structures, options_of, together

if TYPE_CHECKING:
    from gapdesign.methods import Method, Task
    from gapdesign.quality.measures import Quality


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """Structures chosen from a pool.

    Attributes
    ----------
    indices : (n,) int64
        Places in the pool, in the order chosen.
    distances : (n,) float64
        Distance of each from the nearest one before it, or from what exists; of the first from the pool's mean.
    outside : (n,) float64, optional
        The largest distance of any candidate left out after each choice, which proves the order of max-min; the largest
        score, where a method proves its order by scores.
    scores : (n,) float64, optional
        The score that each was chosen by, where a method does not go by the distance.
    """

    indices: np.ndarray
    distances: np.ndarray
    outside: np.ndarray | None = None
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)


def select(
    pool: Pool,
    n: int,
    *,
    method: str = "maxmin",
    existing: Pool | None = None,
    costs: Sequence[float] | None = None,
    core_hours: float | None = None,
    start: int | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    memory: int = 1024,
    threads: int = 1,
    progress: Callable[[str], None] = lambda line: None,
    **description: Any,
) -> Design:
    """Choose ``n`` structures from a pool.

    Parameters
    ----------
    pool : Features, sequence of Atoms or array
        Candidates. Rows of plain arrays (N, d) are compared by Euclidean distance, in single precision.
    n : int
        Structures to choose. Fewer are returned where all that is left coincides with what was chosen.
    method : str
        Any method of the family `methods`, those of other packages included.
    existing : Features, sequence of Atoms or array, optional
        Structures that are there already: the design continues them and repeats none.
    costs : (N,), optional
        Cost of the label of each candidate, above 0, with a budget for all labels in ``core_hours``.
    core_hours : float, optional
        That budget, which ends the design before it has ``n`` structures: each next one is chosen among those that are
        still affordable.
    start : int, optional
        Candidate to start from, for methods that take one.
    options : mapping, optional
        Options of the method, as in a study's configuration.
    seed : int
        For methods that draw.
    memory, threads : int
        Memory in MiB, and threads.
    progress : callable
        Called with a line of text now and then.
    **description
        For structures: ``elements``, ``descriptor`` and ``kernel`` of :func:`features`.

    Returns
    -------
    Design

    Raises
    ------
    InputError
        If an argument is not valid, or the method needs environments, which plain arrays do not have.

    Examples
    --------
    >>> import numpy as np
    >>> import gapdesign
    >>> points = np.array([[0.0, 0.0], [0.0, 1.0], [0.1, 0.9], [3.0, 0.0]])
    >>> gapdesign.select(points, 3, start=0).indices
    array([0, 3, 1])
    """
    from gapdesign.methods import METHODS
    from gapdesign.methods.designs import select as choose

    if method not in METHODS:
        raise InputError(f"method: there is no '{method}'; choose from {', '.join(METHODS)}.")
    member = METHODS[method]
    given, *others = together([pool] if existing is None else [pool, existing], description)
    if not 1 <= n <= len(given):
        raise InputError(f"n: {n} structures cannot be chosen from a pool of {len(given)}; give 1 to {len(given)}.")
    if start is not None and not member.takes_start:
        raise InputError(f"start: the method '{method}' takes none; leave it out.")
    priced = _priced(member, len(given), costs, core_hours)
    own = options_of(member.Options, options, "options")
    if problem := member.mismatch(own, budget=n, existing=existing is not None):
        raise InputError(f"options.{problem}")
    task = _task(given, others[0] if others else None, member, own)
    settings = {"budget": n, "start": start, "seed": f"{seed}/design", "memory": memory, "threads": threads}
    chosen = choose(member, replace(task, progress=progress, **settings, **priced))
    return Design(
        indices=chosen.candidates,
        distances=given.unit * chosen.distances,
        outside=chosen.outside if chosen.outside is None or chosen.scores is not None else given.unit * chosen.outside,
        scores=chosen.scores,
    )


def coverage(pool: Pool, chosen: Design | Pool, *, memory: int = 1024, **description: Any) -> Quality:
    """Measure what a design is worth for a pool before any label.

    Parameters
    ----------
    pool : Features, sequence of Atoms or array
        Candidates.
    chosen : Design, indices, Features, sequence of Atoms or array
        The design: what :func:`select` returned, places in the pool (n,), or structures of its own.
    memory : int
        In MiB.
    **description
        For structures: ``elements``, ``descriptor`` and ``kernel`` of :func:`features`.

    Returns
    -------
    Quality
        Covering radius, nearest distances, log det and others. Distances of plain arrays are Euclidean ones.
    """
    from gapdesign.methods.shared.resources import block_rows
    from gapdesign.quality.measures import measure
    from gapdesign.shards import HeldPool

    places = chosen.indices if isinstance(chosen, Design) else _indices(chosen)
    if places is None:
        given, members = together([pool, chosen], description)
        rows = members.values
    else:
        (given,) = together([pool], description)
        if len(places) == 0 or places.min() < 0 or places.max() >= len(given):
            raise InputError(f"chosen: give places from 0 to {len(given) - 1} in the pool, at least one.")
        rows = given.values[places]
    found = measure(
        rows, HeldPool(given.values), given.covariance, block_rows(memory, given.values.shape[1], len(rows))
    )
    lengths = ("nearest_min", "nearest_median", "nearest_mean", "covering_radius", "covering_mean")
    return replace(found, **{name: given.unit * getattr(found, name) for name in lengths})


def _priced(member: type[Method], size: int, costs: Sequence[float] | None, core_hours: float | None) -> dict[str, Any]:
    """Return the fields of a task for a budget of core-hours, if there is one."""
    if core_hours is None and costs is None:
        return {}
    if core_hours is None or costs is None:
        raise InputError("costs: they go with core_hours, the budget for all labels; give both, or neither.")
    if not member.is_prefix:
        raise InputError(f"method: '{member.name}' chooses a design as a whole, so no budget can end it; give n alone.")
    costs = np.asarray(costs, float)
    if costs.shape != (size,) or not ((costs > 0) & (costs < np.inf)).all():
        raise InputError(f"costs: give a number above 0 for each of the {size} candidates.")
    return {"costs": costs, "core_hours": float(core_hours)}


def _task(given: Features, existing: Features | None, member: type[Method], options: Any) -> Task:
    """Make the task of a method on features in memory."""
    from gapdesign.descriptors.structure_distances import StructurePool
    from gapdesign.methods import Task
    from gapdesign.methods.maxmin.compression import SAMPLE, CompressedPool, Directions, code_all
    from gapdesign.methods.shared.distance import mean_descriptor, total
    from gapdesign.shards import HeldPool

    pool, layout = HeldPool(given.values), given.covariance.layout
    known = None if existing is None else existing.values
    by_average = given.kernel is None or given.kernel.structure == "average"
    if member.by_average_only and not by_average:
        raise InputError(f"method: '{member.name}' compares averages only; leave kernel.structure out.")
    if member.reads_environments(options) and given.environments is None:
        raise InputError(f"pool: the method '{member.name}' compares the environments of atoms; give structures.")
    more: dict[str, Any] = {}
    if member.is_compressed and by_average:
        step = -(-len(given) // SAMPLE)
        basis = Directions.of(given.values[::step], layout)
        more = {"basis": basis, "compressed": CompressedPool(pool, basis), "codes": HeldPool(code_all(pool, basis))}
    if not by_average:
        described = None if existing is None else (existing.values, existing.environments)
        more["structures"] = StructurePool(pool, given.environments, given.covariance, given.kernel, described)
    if given.environments is not None:
        more |= {"environments": given.environments, "derivatives": given.derivatives}
        more |= {} if existing is None else {"existing_environments": existing.environments}
    if member.reads_rows(options):
        more |= _rows(given, existing, member.name)
    mean = given.values.mean(axis=0, dtype=float).astype(np.float32)
    if given.kernel is not None:
        mean = mean_descriptor(total(given.values), len(given), layout)
    return Task(pool=pool, covariance=given.covariance, mean=mean, budget=1, options=options, existing=known, **more)


def _rows(given: Features, existing: Features | None, method: str) -> dict[str, Any]:
    """Rows of labels in memory, in functions that are chosen among the environments of both sets."""
    from gapdesign.rows.functions import RowFunctions
    from gapdesign.rows.options import RowsOptions
    from gapdesign.rows.pool import HeldRows

    if given.rows is None or given.environments is None:
        raise InputError(f"pool: the method '{method}' weighs the labels of structures; give structures.")
    options, own = RowsOptions(), given.environments
    species = sorted(set(own.species.tolist()))
    most = options.sample * len(species)
    step = max(1, own.count // most)
    functions = RowFunctions.chosen(
        [(own.vectors[::step], own.species[::step])], species, given.kernel.soap.zeta, options.points
    )
    known = [] if existing is None else [existing.rows(functions, k) for k in range(len(existing))]
    rows = HeldRows([given.rows(functions, k) for k in range(len(given))])
    return {"rows": rows, "existing_rows": known, "functions": functions, "scale": given.kernel.soap.scale}


def _indices(chosen: Any) -> np.ndarray | None:
    """Places in a pool, if that is meant; else None."""
    if isinstance(chosen, Features) or are_structures(chosen):
        return None
    array = np.asarray(chosen)
    return array.astype(np.int64) if array.ndim == 1 and array.dtype.kind in "iu" else None
