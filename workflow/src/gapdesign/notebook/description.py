"""Features of structures and of plain arrays, and the distances between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.descriptors.environments import Environments
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.rows.functions import RowFunctions


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
    rows : callable, optional
        From functions and a structure, by its index, to the rows of its labels, for some methods.
    """

    values: np.ndarray
    covariance: Covariance
    unit: float = 1.0
    environments: Environments | None = field(default=None, repr=False)
    kernel: KernelOptions | None = None
    derivatives: Callable[[int], Mapping[int, np.ndarray]] | None = field(default=None, repr=False)
    rows: Callable[[RowFunctions, int], np.ndarray] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the rows."""
        return np.array(self.values, dtype=dtype, copy=copy)


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
        If an option is not valid, an element is not among ``elements``, or a structure has no cell or no
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
        if atoms.cell.rank < 3:
            raise InputError(
                f"structure {k} is not periodic in three directions and has no cell with a volume; give it one, with"
                " vacuum around a molecule or a slab."
            )
    options = options_of(DescriptorOptions, descriptor, "descriptor")
    compared = options_of(KernelOptions, kernel, "kernel")
    found = {int(z) for atoms in frames for z in atoms.numbers}
    unknown = [symbol for symbol in elements or () if symbol not in atomic_numbers]
    if unknown:
        raise InputError(f"elements: '{unknown[0]}' is not a chemical symbol; write a symbol such as Zr.")
    species = found if elements is None else {atomic_numbers[symbol] for symbol in elements}
    if found - species:
        raise InputError(
            f"elements: the structures hold {_symbols(found - species)} too; add that to {list(elements)}."
        )
    describe, batch = Descriptor(options, compared.pair.shape, sorted(species)), pack(frames)
    values, environments = describe.features_and_environments(batch)
    return Features(
        values=values,
        covariance=Covariance(describe.layout, compared),
        environments=environments,
        kernel=compared,
        derivatives=lambda k: describe.derivatives(batch, k),
        rows=lambda functions, k: functions.rows(describe, batch, k),
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

    first, second = together([a, a if b is None else b], description)
    squared = squared_distances(first.values, second.values, first.covariance)
    if b is None:
        np.fill_diagonal(squared, 0.0)
    return first.unit * np.sqrt(squared)


def together(sets: Sequence[Any], description: Mapping[str, Any]) -> list[Features]:
    """Features of several sets under one kernel."""
    if all(isinstance(one, Features) for one in sets):
        if description:
            raise InputError(
                f"{next(iter(description))}: features were given, which are described already; leave it out."
            )
        layouts = {one.values.shape[1] for one in sets}
        if len(layouts) > 1:
            raise InputError("the features of the two sets differ in length; describe both with the same `elements`.")
        return list(sets)
    if any(are_structures(one) for one in sets):
        if not all(are_structures(one) for one in sets):
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


def are_structures(given: Any) -> bool:
    """Return whether a sequence of structures is given."""
    from ase import Atoms

    return not isinstance(given, Features | np.ndarray) and len(given) > 0 and isinstance(given[0], Atoms)


def options_of(model: Any, given: Any, key: str) -> Any:
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
