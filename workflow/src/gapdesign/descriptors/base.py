"""Base class of every descriptor: its options, its traits, and the method that describes environments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gapdesign.families import Member

if TYPE_CHECKING:
    from gapdesign.structures import Batch


def add_unit_slopes(total: np.ndarray, center: int, others: np.ndarray, vector: np.ndarray, slopes: np.ndarray) -> None:
    """Add the derivatives of one vector, once it has unit length, to those of a sum of vectors.

    Parameters
    ----------
    total : (n, 3, d)
        Derivatives of the sum by the positions of n atoms, to which is added.
    center : int
        The atom whose environment the vector describes.
    others : (m,) int
        Its neighbours, each as often as it has images within the cut-off.
    vector : (d,)
        Of any length.
    slopes : (m, 3, d)
        Its derivatives by the positions of the neighbours; minus their sum is that by the central atom's own.
    """
    length = np.sqrt(np.add.reduce(vector * vector))
    unit, slopes = vector / length, slopes / length
    # Without the part along the vector, which changes only its length.
    slopes = slopes - (slopes @ unit)[..., None] * unit
    np.add.at(total, others, slopes)
    total[center] -= slopes.sum(axis=0)


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

    def derivatives(self, batch: Batch, k: int) -> dict[int, np.ndarray]:
        """Differentiate the sum of the vectors, each of unit length, around the n atoms of each species.

        Returns
        -------
        dict of int to (3 n, dimension)
            Atomic number of the central atoms to derivatives by the positions of all atoms, in 1/angstrom; x, y and z
            of each atom in turn.
        """
        raise NotImplementedError
