"""Features of atoms by a neuroevolution potential, such as the foundation model NEP89.

Fan et al., Phys. Rev. B 104, 104309 (2021), and J. Chem. Phys. 157, 114801 (2022); for NEP89, Liang et al.,
arXiv:2504.21286 (2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
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
        The largest, in angstrom.
    numbers : int
        Parameters that follow, one a line: of the networks, the radial functions, the scale and a repulsion of pairs.
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
        """Return the length of a vector, from the first lines of the model; the number of elements does not count.

        Raises
        ------
        InputError
            If there is no such file, or it is no potential of this kind.
        """
        return header(options.path).dimension

    @classmethod
    def files(cls, options: NepOptions) -> tuple[str, ...]:
        """Return the file of the model; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return (options.path,)

    @classmethod
    def check(cls, options: NepOptions, species: Sequence[int]) -> None:
        """Check that the model is whole and knows the elements, before any job runs.

        Raises
        ------
        InputError
            If the file is missing, cut off or no potential of this kind, or lacks an element.
        """
        known = header(options.path).elements
        missing = [chemical_symbols[z] for z in species if chemical_symbols[z] not in known]
        if missing:
            raise InputError(f"descriptor.nep.path: '{options.path}' knows no {missing[0]}; name another model.")
        _refuse_unsound(options.path, Path(options.path).stat().st_mtime_ns)

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return self._calculator.predict_descriptors([_periodic(batch.atoms(k), self._cutoff)])[centers]


KINDS = ("nep4", "nep4_zbl", "nep5", "nep5_zbl")
"""First words of files that can be read. Models of charges, dipoles or spins have others, as have those before NEP4."""


def header(path: str) -> Header:
    """Read the first lines of a model, which end with that of the network.

    Raises
    ------
    InputError
        If there is no such file, or it is no potential of this kind.
    """
    try:
        with Path(path).open(encoding="utf-8") as text:
            words = [line.split() for line, _ in zip(text, range(_MOST_LINES), strict=False)]
    except FileNotFoundError:
        raise InputError(
            f"descriptor.nep.path: no file '{path}'; paths start where snakemake is run. `make nep` fetches"
            " NEP89 as nep89.txt."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"descriptor.nep.path: '{path}' cannot be read ({error}).") from error
    lines = {line[0]: line[1:] for line in words if line}
    try:
        kind, count, *elements = words[0] if words and len(words[0]) > 2 else ("", 0)
        if kind not in KINDS or len(elements) != int(count) or not set(elements) <= set(atomic_numbers):
            raise ValueError(f"its first line is not that of {', '.join(KINDS[:-1])} or {KINDS[-1]}")
        radial, angular = (int(number) + 1 for number in lines["n_max"])
        orders = [int(number) for number in lines["l_max"]]
        bases = [int(number) + 1 for number in lines["basis_size"]]
        neurons, cutoff = int(lines["ANN"][0]), max(map(float, lines["cutoff"][:-2]))
        is_flexible = "zbl" in lines and [float(number) for number in lines["zbl"][:2]] == [0, 0]
    except (KeyError, ValueError, IndexError) as error:
        reason = f"no line '{error.args[0]}'" if isinstance(error, KeyError) else error
        raise InputError(f"descriptor.nep.path: '{path}' is no neuroevolution potential ({reason}).") from error
    dimension, types = radial + angular * (orders[0] + sum(order > 0 for order in orders[1:])), len(elements)
    networks = types * (dimension + 2) * neurons + 1
    functions = types**2 * (radial * bases[0] + angular * bases[1])
    rest = dimension + (types if kind.startswith("nep5") else 0) + (5 * types * (types + 1) if is_flexible else 0)
    return Header(tuple(elements), dimension, cutoff, networks + functions + rest)


_MOST_LINES = 20
"""Lines within which the header ends."""


@lru_cache(maxsize=2)
def _refuse_unsound(path: str, changed: int) -> None:
    """Refuse a model that is cut off or has other lines than numbers; nep-adapters would end the process there."""
    expected, lines = header(path).numbers, Path(path).read_bytes().rstrip().split(b"\n")
    start = next(n for n, line in enumerate(lines) if line.startswith(b"ANN")) + 1
    numbers = lines[start : start + expected]
    if len(numbers) < expected:
        raise InputError(
            f"descriptor.nep.path: '{path}' is cut off: it has {len(numbers)} numbers instead of {expected}; copy or"
            " fetch it again."
        )
    try:
        is_finite = all(map(isfinite, map(float, numbers)))
    except ValueError:
        is_finite = False
    if not is_finite:
        raise InputError(f"descriptor.nep.path: '{path}' has a line that is no number; copy or fetch it again.")


@lru_cache(maxsize=2)
def _calculator(path: str, changed: int) -> Any:
    """Return the program, loaded once for as long as the file stays the same."""
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
