"""Features, distances, designs and their coverage for arrays and structures in memory, without files or a study.

``import gapdesign`` offers all of this. The verbs of the workflow call the same library below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.descriptors.environments import Environments
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.methods import Method, Task
    from gapdesign.quality.measures import Quality


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Structures as vectors, with the kernel that compares them.

    Attributes
    ----------
    values : (n, d) float32
        A row per structure.
    covariance : Covariance
        The kernel on rows.
    unit : float
        Distance that the kernel calls 1: 1 for structures; for plain arrays a power of two, no vector being longer.
    environments : Environments, optional
        Environments of the atoms, which some methods and kernels compare.
    kernel : KernelOptions, optional
        Options of the kernel, for structures.
    derivatives : callable, optional
        From a structure of n atoms, by its index, to derivatives of its summed environments, for some methods.
    """

    values: np.ndarray
    covariance: Covariance
    unit: float = 1.0
    environments: Environments | None = field(default=None, repr=False)
    kernel: KernelOptions | None = None
    derivatives: Callable[[int], Mapping[int, np.ndarray]] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the rows."""
        return np.array(self.values, dtype=dtype, copy=copy)


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
        For max-min: the largest distance of any candidate left out after each choice, which proves the order.
    scores : (n,) float64, optional
        The score that each was chosen by, where a method does not go by the distance.
    """

    indices: np.ndarray
    distances: np.ndarray
    outside: np.ndarray | None = None
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)


Pool = Any
"""Features, a sequence of Atoms, or an array (n, d)."""


def features(
    structures: Sequence[Atoms],
    *,
    elements: Sequence[str] | None = None,
    descriptor: Mapping[str, Any] | None = None,
    kernel: Mapping[str, Any] | None = None,
) -> Features:
    """Describe structures.

    Parameters
    ----------
    structures : sequence of Atoms
        Structures that are periodic in three directions.
    elements : sequence of str, optional
        Chemical symbols that features tell apart, for sets that are to be compared; by default those that occur.
    descriptor, kernel : mapping, optional
        The blocks `descriptor` and `kernel` of a study's configuration, such as
        ``{"soap": {"r_cut": 5.0}}``; defaults as there.

    Returns
    -------
    Features
        Rows of SOAP and pair features, each of unit length.

    Raises
    ------
    InputError
        If an option is not valid, an element is not among ``elements``, or a structure is not periodic or has no
        neighbours.
    """
    from ase.data import atomic_numbers

    from gapdesign.descriptors import Descriptor
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.structures import pack

    frames = list(structures)
    if not frames:
        raise InputError("structures: there are none; give at least one.")
    for k, atoms in enumerate(frames):
        if atoms.cell.rank < 3 or not atoms.pbc.all():
            raise InputError(
                f"structure {k} is not periodic in three directions, as descriptors need; give it a cell, with vacuum"
                " around a molecule or a slab, and set its pbc to True."
            )
    options = _options(DescriptorOptions, descriptor, "descriptor")
    compared = _options(KernelOptions, kernel, "kernel")
    found = {int(z) for atoms in frames for z in atoms.numbers}
    unknown = [symbol for symbol in elements or () if symbol not in atomic_numbers]
    if unknown:
        raise InputError(f"elements: '{unknown[0]}' is not a chemical symbol; write a symbol such as Zr.")
    species = found if elements is None else {atomic_numbers[symbol] for symbol in elements}
    if found - species:
        raise InputError(
            f"elements: the structures hold {_symbols(found - species)} too; add that to {list(elements)}."
        )
    describe, batch = Descriptor(options, compared.pair, sorted(species)), pack(frames)
    values, environments = describe.features_and_environments(batch)
    return Features(
        values=values,
        covariance=Covariance(describe.layout, compared),
        environments=environments,
        kernel=compared,
        derivatives=lambda k: describe.derivatives(batch, k),
    )


def distances(a: Pool, b: Pool | None = None, **description: Any) -> np.ndarray:
    """Distances D (n, m) between the structures of two sets, or of one.

    Parameters
    ----------
    a, b : Features, sequence of Atoms or array
        Structures are compared by the kernel, and D runs from 0 to the root of 2. Rows of plain arrays (n, d) are
        compared by Euclidean distance.
    **description
        For structures: ``elements``, ``descriptor`` and ``kernel`` of :func:`features`.
    """
    from gapdesign.quality.measures import squared_distances

    first, second = _together([a, a if b is None else b], description)
    squared = squared_distances(first.values, second.values, first.covariance)
    if b is None:
        np.fill_diagonal(squared, 0.0)
    return first.unit * np.sqrt(squared)


def select(
    pool: Pool,
    n: int,
    *,
    method: str = "maxmin",
    existing: Pool | None = None,
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
    given, *others = _together([pool] if existing is None else [pool, existing], description)
    if not 1 <= n <= len(given):
        raise InputError(f"n: {n} structures cannot be chosen from a pool of {len(given)}; give 1 to {len(given)}.")
    if start is not None and not member.takes_start:
        raise InputError(f"start: the method '{method}' takes none; leave it out.")
    own = _options(member.Options, options, "options")
    if problem := member.mismatch(own, budget=n, existing=existing is not None):
        raise InputError(f"options.{problem}")
    task = _task(given, others[0] if others else None, member, own)
    settings = {"budget": n, "start": start, "seed": f"{seed}/design", "memory": memory, "threads": threads}
    chosen = choose(member, replace(task, progress=progress, **settings))
    return Design(
        indices=chosen.candidates,
        distances=given.unit * chosen.distances,
        outside=None if chosen.outside is None else given.unit * chosen.outside,
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
        given, members = _together([pool, chosen], description)
        rows = members.values
    else:
        (given,) = _together([pool], description)
        if len(places) == 0 or places.min() < 0 or places.max() >= len(given):
            raise InputError(f"chosen: give places from 0 to {len(given) - 1} in the pool, at least one.")
        rows = given.values[places]
    found = measure(
        rows, HeldPool(given.values), given.covariance, block_rows(memory, given.values.shape[1], len(rows))
    )
    lengths = ("nearest_min", "nearest_median", "nearest_mean", "covering_radius", "covering_mean")
    return replace(found, **{name: given.unit * getattr(found, name) for name in lengths})


def _task(given: Features, existing: Features | None, member: type[Method], options: Any) -> Task:
    """Make the task of a method on features in memory."""
    from gapdesign.descriptors.structure_distances import StructurePool
    from gapdesign.methods import Task
    from gapdesign.methods.maxmin.compression import SAMPLE, Directions
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
        more = {"basis": basis, "compressed": HeldPool(basis.compress(given.values))}
    if not by_average:
        described = None if existing is None else (existing.values, existing.environments)
        more["structures"] = StructurePool(pool, given.environments, given.covariance, given.kernel, described)
    if given.environments is not None:
        more |= {"environments": given.environments, "derivatives": given.derivatives}
        more |= {} if existing is None else {"existing_environments": existing.environments}
    mean = given.values.mean(axis=0, dtype=float).astype(np.float32)
    if given.kernel is not None:
        mean = mean_descriptor(total(given.values), len(given), layout)
    return Task(pool=pool, covariance=given.covariance, mean=mean, budget=1, options=options, existing=known, **more)


def _together(sets: Sequence[Any], description: Mapping[str, Any]) -> list[Features]:
    """Features of several sets under one kernel."""
    if all(isinstance(one, Features) for one in sets):
        layouts = {one.values.shape[1] for one in sets}
        if len(layouts) > 1:
            raise InputError("the features of the two sets differ in length; describe both with the same `elements`.")
        return list(sets)
    if any(_are_structures(one) for one in sets):
        if not all(_are_structures(one) for one in sets):
            raise InputError("structures are compared with structures only; describe them all, or give arrays only.")
        return _described([list(one) for one in sets], description)
    if any(isinstance(one, Features) for one in sets):
        raise InputError("features of structures are not compared with plain arrays; describe all structures.")
    if description:
        raise InputError(f"{next(iter(description))}: this is for structures, and arrays were given; leave it out.")
    return _plain([np.asarray(one) for one in sets])


def _described(sets: list[list[Atoms]], description: Mapping[str, Any]) -> list[Features]:
    unknown = set(description) - {"elements", "descriptor", "kernel"}
    if unknown:
        raise InputError(f"{sorted(unknown)[0]}: unknown argument; structures take elements, descriptor and kernel.")
    symbols = sorted({symbol for frames in sets for atoms in frames for symbol in atoms.symbols})
    return [features(frames, **{"elements": symbols, **description}) for frames in sets]


def _plain(sets: list[np.ndarray]) -> list[Features]:
    """Rows of plain arrays, compared by Euclidean distance: scaled so that none is longer than 1."""
    from gapdesign.descriptors.covariance import Covariance, Layout
    from gapdesign.descriptors.kernel import CovarianceOptions, PairKernelOptions, SoapKernelOptions

    for values in sets:
        if values.ndim != 2 or not values.size or values.dtype.kind not in "fiu":
            raise InputError(
                f"an array of shape {values.shape} and type {values.dtype} was given; give a table (n, d) of numbers."
            )
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise InputError(f"row {row} of an array is not finite; take it out.")
    widths = {values.shape[1] for values in sets}
    if len(widths) > 1:
        raise InputError(f"the arrays have rows of {' and '.join(map(str, sorted(widths)))} numbers; give equal ones.")
    longest = max(float(np.linalg.norm(values.astype(float), axis=1).max()) for values in sets)
    # A power of two changes no digit of a number, so that points which are as far apart stay so.
    unit = 2.0 ** np.ceil(np.log2(longest)) if longest > 0 else 1.0
    linear = CovarianceOptions(soap=SoapKernelOptions(zeta=1, scale=1.0), pair=PairKernelOptions(scale=0.0))
    covariance = Covariance(Layout(1, widths.pop(), 0), linear)
    return [Features(values=(values / unit).astype(np.float32), covariance=covariance, unit=unit) for values in sets]


def _indices(chosen: Any) -> np.ndarray | None:
    """Places in a pool, if that is meant; else None."""
    if isinstance(chosen, Features) or _are_structures(chosen):
        return None
    array = np.asarray(chosen)
    return array.astype(np.int64) if array.ndim == 1 and array.dtype.kind in "iu" else None


def _are_structures(given: Any) -> bool:
    from ase import Atoms

    return not isinstance(given, Features | np.ndarray) and len(given) > 0 and isinstance(given[0], Atoms)


def _options(model: Any, given: Any, key: str) -> Any:
    """Options of a type, from a mapping or as they are."""
    from pydantic import ValidationError

    from gapdesign.config.mistakes import sentence

    if isinstance(given, model):
        return given
    try:
        return model.model_validate(dict(given or {}))
    except ValidationError as error:
        raise InputError(f"{key}.{sentence(error, model)}") from None


def _symbols(numbers: set[int]) -> str:
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[z] for z in sorted(numbers))
