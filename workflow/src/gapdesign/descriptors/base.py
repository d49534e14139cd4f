"""Base class of every descriptor: its options, its traits, and the method that describes environments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from gapdesign.families import Member
from gapdesign.voigt import OFFSET, VOIGT

if TYPE_CHECKING:
    from gapdesign.structures import Batch


@dataclass(frozen=True)
class Centers:
    """Atoms of a batch that are described, m in all.

    Attributes
    ----------
    structures : (m,) int64
        The structure of each, ascending; every structure has one.
    atoms : (m,) int64
        Their places among the atoms of the batch, ascending.
    multiplicities : (m,) int64
        Atoms of the structure that have the same environment.
    """

    structures: np.ndarray
    atoms: np.ndarray
    multiplicities: np.ndarray

    def __len__(self) -> int:
        return len(self.structures)

    @classmethod
    def of(cls, batch: Batch) -> Centers:
        """Take the first atom of each orbit of each structure."""
        owners = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
        atoms, multiplicities = np.unique(batch.offsets[owners] + batch.orbits, return_counts=True)
        return cls(owners[atoms], atoms, multiplicities)

    @classmethod
    def of_one(cls, atoms: np.ndarray) -> Centers:
        """Take some atoms of the only structure of a batch, each for itself."""
        atoms = np.asarray(atoms, dtype=np.int64)
        return cls(np.zeros_like(atoms), atoms, np.ones_like(atoms))


class Slopes(NamedTuple):
    """The vector of an environment and its derivatives.

    Attributes
    ----------
    center : int
        The atom whose environment the vector describes.
    vector : (d,)
        Of any length.
    others : (m,) int
        Its neighbours, each as often as it has images within the cut-off.
    bonds : (m, 3)
        From the atom to each of them, in angstrom.
    slopes : (m, 3, d)
        Derivatives of the vector by the positions of the neighbours; minus their sum is that by the central atom's own.
    """

    center: int
    vector: np.ndarray
    others: np.ndarray
    bonds: np.ndarray
    slopes: np.ndarray


class KernelFunctions(NamedTuple):
    """Functions of the vector of an environment: similarities (v . p)^zeta with points p.

    Attributes
    ----------
    points : dict of int to (m, d)
        Vectors of unit length, by the atomic number of the central atom.
    zeta : int
    """

    points: Mapping[int, np.ndarray]
    zeta: int


class EnvironmentDescriptor(Member, ABC):
    """A way to describe the environments of atoms by vectors.

    A vector does not change when the structure is moved, turned or described by another cell, nor when atoms of one
    element change places.

    Parameters
    ----------
    options : Options
        An instance of the member's ``Options``.
    species : sequence of int
        Atomic numbers that occur in the study, ascending.

    Attributes
    ----------
    block
        Name of its block of options in `descriptor`: its own name, unless it shares one with other descriptors.
    environment
        The environment, a file of `envs/` without its ending, in which it can be computed.
    has_derivatives
        Whether it has the derivatives of its vectors by the positions of atoms.
    files_of_structures
        Whether its numbers come from the files of structures, so that it cannot describe any others.
    seconds
        CPU seconds per environment, for the plan, if its own measurements do not list the descriptor; None if unknown.
    reference
        Citation for studies that use it: text, DOI, and the reason for the citation.

    Raises
    ------
    InputError
        If a program is missing.
    """

    block: ClassVar[str]
    environment: ClassVar[str] = "core"
    has_derivatives: ClassVar[bool] = False
    files_of_structures: ClassVar[bool] = False
    seconds: ClassVar[float | None] = None
    reference: ClassVar[tuple[str, str, str] | None] = None

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "name" in vars(cls) and not hasattr(cls, "block"):
            cls.block = cls.name

    def __init__(self, options: Any, species: Sequence[int]) -> None:
        self.options = options
        self.species = tuple(species)

    @classmethod
    @abstractmethod
    def dimension(cls, options: Any, n_species: int) -> int:
        """Return the length of a vector, without computing one."""

    @classmethod
    def files(cls, options: Any) -> tuple[str, ...]:
        """Return the user's files that vectors depend on, whose content decides what runs again."""
        return ()

    @classmethod
    def check(cls, options: Any, species: Sequence[int]) -> None:
        """Check options and files against the elements of a study, before any job runs.

        Raises
        ------
        InputError
            If something is missing; the message says what to do.
        """
        cls.dimension(options, len(species))

    @abstractmethod
    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe the atoms ``centers`` (n,) of structure ``k`` by vectors (n, dimension), of any length."""

    def describe(self, batch: Batch, centers: Centers) -> np.ndarray:
        """Describe atoms of many structures by vectors (m, dimension), of any length."""
        structures, starts = np.unique(centers.structures, return_index=True)
        parts = np.split(centers.atoms, starts[1:])
        found = [self(batch, k, atoms - batch.offsets[k]) for k, atoms in zip(structures.tolist(), parts, strict=True)]
        return np.concatenate([np.asarray(vectors, dtype=float) for vectors in found])

    def slopes(self, batch: Batch, k: int) -> Iterator[Slopes]:
        """Yield the vector around each atom of structure ``k``, with its derivatives; for those that have them."""
        raise NotImplementedError

    def sums(self, batch: Batch, k: int, functions: KernelFunctions | None = None) -> dict[int, np.ndarray]:
        """Sum functions of the unit vectors around the n atoms of each species, and differentiate the sums.

        Parameters
        ----------
        functions : KernelFunctions, optional
            By default the components of the vectors themselves.

        Returns
        -------
        dict of int to (1 + 6 + 3 n, m)
            By the atomic number of the central atoms: the sums; their derivatives by the components xx, yy, zz, yz, xz
            and xy of a strain; and those by x, y and z of each atom in turn, in 1/angstrom.
        """
        numbers = batch.numbers[batch.offsets[k] : batch.offsets[k + 1]]
        found: dict[int, np.ndarray] = {}
        for one in self.slopes(batch, k):
            species = int(numbers[one.center])
            values, slopes = _of_unit_length(one)
            if functions is not None:
                products = values @ functions.points[species].T
                outer = functions.zeta * products ** (functions.zeta - 1)
                values, slopes = products**functions.zeta, (slopes @ functions.points[species].T) * outer
            if species not in found:
                found[species] = np.zeros((OFFSET + 3 * len(numbers), len(values)))
            _add(found[species], one, values, slopes)
        return found

    def derivatives(self, batch: Batch, k: int) -> dict[int, np.ndarray]:
        """Differentiate the sum of the vectors, each of unit length, around the n atoms of each species.

        Returns
        -------
        dict of int to (6 + 3 n, dimension)
            As :meth:`sums`, without the sums.
        """
        return {species: rows[1:] for species, rows in self.sums(batch, k).items()}


def _of_unit_length(one: Slopes) -> tuple[np.ndarray, np.ndarray]:
    """Return a vector (d,) of unit length, and its derivatives (m, 3, d) by the positions of neighbours."""
    length = np.sqrt(np.add.reduce(one.vector * one.vector))
    unit, slopes = one.vector / length, one.slopes / length
    # Without the part along the vector, which changes only its length.
    return unit, slopes - (slopes @ unit)[..., None] * unit


def _add(total: np.ndarray, one: Slopes, values: np.ndarray, slopes: np.ndarray) -> None:
    """Add functions (m,) of an environment, with derivatives (k, 3, m) by its neighbours, to rows of a structure."""
    total[0] += values
    turned = np.einsum("ka,kbm->abm", one.bonds, slopes, optimize=True)
    for place, (a, b) in enumerate(VOIGT):
        total[1 + place] += (turned[a, b] + turned[b, a]) / 2
    moved = total[OFFSET:].reshape(-1, 3, total.shape[1])
    np.add.at(moved, one.others, slopes)
    moved[one.center] -= slopes.sum(axis=0)
