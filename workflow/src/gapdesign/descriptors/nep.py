"""Features of atoms by a neuroevolution potential, such as the foundation model NEP89 (Fan et al. 2021; Liang 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.base import EnvironmentDescriptor
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch


class NepOptions(Options):
    """Options of the descriptor `nep`."""

    path: str = Field(
        "nep89.txt",
        min_length=1,
        description="File of the model: your own `nep.txt`, or the foundation model NEP89 of 89 elements (see"
        " docs/features.md).",
    )


class Header(NamedTuple):
    """What the first lines of a model say.

    Attributes
    ----------
    elements : tuple of str
    dimension : int
        Length of a feature vector.
    cutoff : float
        In angstrom.
    numbers : int
        Parameters that must follow: of the network, of the radial functions and of the scale.
    """

    elements: tuple[str, ...]
    dimension: int
    cutoff: float
    numbers: int


class NepDescriptor(EnvironmentDescriptor):
    """Radial and angular features by nep-adapters, scaled as the network of the model takes them.

    Models describe periodic structures. Where a structure is not periodic, its cell is made so long that no atom has
    an image within the cut-off.
    """

    name = "nep"
    summary = "features of a neuroevolution potential: the foundation model NEP89, or one of your own"
    Options = NepOptions
    environment = "nep"
    seconds = 3e-5
    reference = (
        "Z. Fan et al., Neuroevolution machine learning potentials, Physical Review B 104, 104309 (2021)",
        "10.1103/PhysRevB.104.104309",
        "the features of the selection",
    )

    def __init__(self, options: NepOptions, species: Sequence[int]) -> None:
        super().__init__(options, species)
        self.check(options, species)
        self._cutoff = header(options.path).cutoff
        self._calculator = _calculator(options.path, Path(options.path).stat().st_mtime_ns)

    @classmethod
    def dimension(cls, options: NepOptions, n_species: int) -> int:
        """Return the length of a vector, from the first lines of the model; the number of elements does not count."""
        return header(options.path).dimension

    @classmethod
    def files(cls, options: NepOptions) -> tuple[str, ...]:
        """Return the file of the model; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return (options.path,)

    @classmethod
    def check(cls, options: NepOptions, species: Sequence[int]) -> None:
        """Check that the model knows the elements; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        known = header(options.path).elements
        missing = [chemical_symbols[z] for z in species if chemical_symbols[z] not in known]
        if missing:
            raise InputError(f"descriptor.nep.path: '{options.path}' knows no {missing[0]}; name another model.")

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return self._calculator.predict_descriptors([_periodic(batch.atoms(k), self._cutoff)])[centers]


def header(path: str) -> Header:
    """Read the first lines of a model.

    Raises
    ------
    InputError
        If there is no such file, or it is no potential of this kind.
    """
    try:
        with Path(path).open(encoding="utf-8") as text:
            words = [line.split() for line, _ in zip(text, range(20), strict=False)]
    except FileNotFoundError:
        raise InputError(
            f"descriptor.nep.path: no file '{path}'; paths start where snakemake is run. `make nep` fetches"
            " NEP89 as nep89.txt."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"descriptor.nep.path: '{path}' cannot be read ({error}).") from error
    lines = {line[0]: line[1:] for line in words if line}
    try:
        ((kind, count, *elements),) = (line for line in words[:1])
        radial, angular = (int(number) + 1 for number in lines["n_max"])
        orders = [int(number) for number in lines["l_max"]]
        basis = [int(number) + 1 for number in lines["basis_size"]]
        neurons, cutoff = int(lines["ANN"][0]), float(lines["cutoff"][0])
        if not kind.startswith("nep") or len(elements) != int(count) or not set(elements) <= set(atomic_numbers):
            raise ValueError("its first line is not that of a potential")
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"descriptor.nep.path: '{path}' is no neuroevolution potential ({error!r}).") from error
    dimension = radial + angular * (orders[0] + sum(order > 0 for order in orders[1:]))
    networks = 1 if kind.startswith("nep3") else len(elements)
    functions = len(elements) ** 2 * (radial * basis[0] + angular * basis[1])
    return Header(tuple(elements), dimension, cutoff, networks * (dimension + 2) * neurons + functions + dimension)


@lru_cache(maxsize=2)
def _calculator(path: str, changed: int) -> Any:
    """Return the program, loaded once for as long as the file stays the same.

    It ends the process where a file is cut off, so that its numbers are counted first.
    """
    with Path(path).open(encoding="utf-8") as text:
        lines = sum(1 for line in text if not line.isspace())
    if lines < (expected := header(path).numbers):
        raise InputError(f"descriptor.nep.path: '{path}' is cut off: it has {lines} lines of {expected} or more.")
    try:
        from nep_adapters import NEPCalculator
    except ImportError as error:
        raise InputError(
            "descriptor.backend: nep-adapters is not installed; run `pip install nep-adapters==1.0.3`, run the workflow"
            " with --sdm conda, or choose another descriptor."
        ) from error
    try:
        return NEPCalculator(path)
    except Exception as error:
        raise InputError(f"descriptor.nep.path: '{path}' cannot be loaded: {error}.") from error


def _periodic(atoms: Atoms, cutoff: float) -> Atoms:
    """Return a structure in a periodic cell, with no image within the cut-off where it is not periodic."""
    if atoms.pbc.all():
        return atoms
    cell, normals = atoms.cell.array.copy(), atoms.cell.reciprocal().array
    for axis in np.flatnonzero(~atoms.pbc):
        heights = atoms.positions @ (normals[axis] / np.linalg.norm(normals[axis]))
        height = 1 / np.linalg.norm(normals[axis])
        cell[axis] *= max(1.0, (np.ptp(heights) + 2 * cutoff) / height)
    return Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=True)
