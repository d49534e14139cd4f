"""Rows of a linear model of energies and forces: the sums of the vectors of atoms, in blocks by species."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase import Atoms
from pydantic import Field, model_validator

from gapdesign import descriptors
from gapdesign.config.options import Options
from gapdesign.descriptors import DESCRIPTORS
from gapdesign.inputs.batches import ordinary
from gapdesign.samplers.shared.differentiable.snap import Snap, SnapOptions, couplings
from gapdesign.structures import pack

if TYPE_CHECKING:
    from gapdesign.descriptors import EnvironmentDescriptor

SNAP = "snap"
"""The descriptor that needs no other program."""


class SnapSurrogateOptions(Options):
    """The bispectrum of SNAP, with all its components."""

    r_cut: float = Field(4.73442, gt=0, description="Radius of an environment, in angstrom.")
    two_j_max: int = Field(6, ge=0, le=14, description="Twice the highest spin: 14 components at 4, 30 at 6, 55 at 8.")


class SurrogateOptions(Options):
    """Descriptor of the surrogate."""

    backend: str = Field(
        SNAP,
        description="`snap`, the bispectrum of SNAP, which needs no other program; or a descriptor of"
        " `descriptor.backend` that has derivatives.",
    )
    arguments: dict[str, Any] = Field(
        {},
        description="Options of `snap`, `r_cut` in angstrom (4.73442) and `two_j_max` (6: 30 components), or of the"
        " descriptor, such as `{path: nep89.txt}` of `nep`.",
    )

    @model_validator(mode="after")
    def _known(self) -> SurrogateOptions:
        if self.backend != SNAP and not (self.backend in DESCRIPTORS and DESCRIPTORS[self.backend].has_derivatives):
            known = self.backend in DESCRIPTORS
            what = f"`{self.backend}` has no derivatives" if known else f"there is no descriptor `{self.backend}`"
            raise ValueError(f"{what}; choose {', '.join([SNAP, *descriptors.differentiable()])}")
        try:
            self.read()
        except ValueError as error:
            raise ValueError(
                f"`{self.backend}` does not take these `arguments` ({' '.join(str(error).split())})"
            ) from None
        return self

    def read(self) -> Any:
        """Return the options with the class of the descriptor."""
        kind = SnapSurrogateOptions if self.backend == SNAP else DESCRIPTORS[self.backend].Options
        return kind.model_validate(self.arguments)

    @property
    def environment(self) -> str:
        """The environment, a file of `envs/` without its ending, in which it can be computed."""
        return "core" if self.backend == SNAP else DESCRIPTORS[self.backend].environment


class Rows(Protocol):
    """Rows of structures of n atoms; ``dimension`` is the length d of one."""

    dimension: int

    def __call__(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Return the row of the energy D (d,), and a function from a slope c (d,) to the gradient of c.D (n, 3)."""

    def forces(self, atoms: Atoms) -> np.ndarray:
        """Return the rows of the forces (3 n, d): minus the derivatives of D, in 1/angstrom."""


def make(options: SurrogateOptions, species: Sequence[int], sample: Sequence[Atoms]) -> Rows:
    """Make the rows.

    Parameters
    ----------
    options : SurrogateOptions
    species : sequence of int
        Atomic numbers that occur, ascending.
    sample : sequence of Atoms
        Structures in which every element occurs. Vectors count from the mean of their atoms of the same element, in
        units of their deviation.

    Raises
    ------
    InputError
        If a program or a file of the descriptor is missing.
    """
    if options.backend == SNAP:
        return SnapRows(options.read(), species, sample)
    return DescriptorRows(DESCRIPTORS[options.backend](options.read(), species), species, sample)


def check(options: SurrogateOptions, species: Sequence[int]) -> None:
    """Check, before any job runs, that the descriptor knows the elements and that its files are there.

    Raises
    ------
    InputError
        If not; the message says what to do.
    """
    if options.backend != SNAP:
        DESCRIPTORS[options.backend].check(options.read(), species)


def files(options: SurrogateOptions) -> tuple[str, ...]:
    """Return the user's files that the descriptor depends on."""
    return () if options.backend == SNAP else DESCRIPTORS[options.backend].files(options.read())


class SnapRows:
    """Bispectrum components, each divided by its own deviation, because these differ by orders of magnitude.

    Neighbours of all elements are alike in them, atoms of different elements have different weights.
    """

    def __init__(self, options: SnapSurrogateOptions, species: Sequence[int], sample: Sequence[Atoms]) -> None:
        self._species = list(species)
        self._components = len(couplings(options.two_j_max))
        self.dimension = self._components * len(species)
        self._snap = Snap(SnapOptions(r_cut=options.r_cut, two_j_max=options.two_j_max, components=self._components))
        self._mean, self._deviation = np.empty((2, len(species), self._components))
        values = np.concatenate([self._snap(atoms) for atoms in sample])
        numbers = np.concatenate([atoms.numbers for atoms in sample])
        for k, z in enumerate(self._species):
            self._mean[k] = values[numbers == z].mean(axis=0)
            # A component that does not vary, as the first ones of a single neighbour, teaches nothing.
            self._deviation[k] = np.maximum(values[numbers == z].std(axis=0), 1e-12)
        # All components together have unit variance.
        self._deviation *= np.sqrt(self._components)

    def __call__(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Return the row of the energy and its pullback; see :class:`Rows`."""
        values, pull = self._snap.pullback(atoms)
        of = np.searchsorted(self._species, atoms.numbers)
        row = np.zeros((len(self._species), self._components))
        np.add.at(row, of, (values - self._mean[of]) / self._deviation[of])

        def gradient(slope: np.ndarray) -> np.ndarray:
            return pull(slope.reshape(row.shape)[of] / self._deviation[of])

        return row.ravel(), gradient

    def forces(self, atoms: Atoms) -> np.ndarray:
        """Return the rows of the forces; see :class:`Rows`."""
        _, gradient = self(atoms)
        return -np.stack([gradient(unit).ravel() for unit in np.eye(self.dimension)], axis=1)


class DescriptorRows:
    """Vectors of a descriptor of the family, each of unit length; all components have the same unit."""

    def __init__(self, descriptor: EnvironmentDescriptor, species: Sequence[int], sample: Sequence[Atoms]) -> None:
        self._descriptor, self._species = descriptor, list(species)
        vectors = [self._vectors(atoms) for atoms in sample]
        self._components = vectors[0].shape[1]
        self.dimension = self._components * len(species)
        self._mean, self._deviation = np.empty((len(species), self._components)), np.empty(len(species))
        found, numbers = np.concatenate(vectors), np.concatenate([atoms.numbers for atoms in sample])
        for k, z in enumerate(self._species):
            mine = found[numbers == z]
            self._mean[k] = mine.mean(axis=0)
            self._deviation[k] = max(1e-12, np.sqrt(mine.var(axis=0).sum()))

    def __call__(self, atoms: Atoms) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Return the row of the energy and its pullback; see :class:`Rows`."""
        of = np.searchsorted(self._species, atoms.numbers)
        row = np.zeros((len(self._species), self._components))
        np.add.at(row, of, (self._vectors(atoms) - self._mean[of]) / self._deviation[of, None])
        slopes = self._slopes(atoms)
        return row.ravel(), lambda slope: np.add.reduce(slopes * slope, axis=1).reshape(-1, 3)

    def forces(self, atoms: Atoms) -> np.ndarray:
        """Return the rows of the forces; see :class:`Rows`."""
        return -self._slopes(atoms)

    def _vectors(self, atoms: Atoms) -> np.ndarray:
        vectors = self._descriptor(ordinary(pack([atoms])), 0, np.arange(len(atoms)))
        return vectors / np.sqrt(np.add.reduce(vectors * vectors, axis=1, keepdims=True))

    def _slopes(self, atoms: Atoms) -> np.ndarray:
        """Return the derivatives (3 n, d) of the row of the energy."""
        slopes = np.zeros((3 * len(atoms), len(self._species), self._components))
        for z, own in self._descriptor.derivatives(ordinary(pack([atoms])), 0).items():
            k = self._species.index(z)
            slopes[:, k] = own[-3 * len(atoms) :] / self._deviation[k]
        return slopes.reshape(len(slopes), -1)
