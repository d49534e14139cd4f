"""Models that are linear in their coefficients, in one basis for many training sets: what the replay fits.

The rows of every label are computed once; a potential is then a problem of linear algebra. A structure of n atoms has
7 + 3 n rows, in the order of :mod:`gapdesign.models.shared.leastsquares`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import numpy as np

from gapdesign.config.part import Part

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

    from gapdesign.config.study import Study


class Rows(Protocol):
    """The functions of a basis, in labels."""

    def __len__(self) -> int:
        """Return the number of functions, m."""

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return the rows (7 + 3 n, m) of a structure."""


class Functions(Part, ABC):
    """Keys that the functions of a basis depend on, and how they are chosen and evaluated."""

    @abstractmethod
    def choose(self, structures: Callable[[], Iterable[Atoms]], output: Path) -> str:
        """Choose the functions from structures, without labels, and write them (.npz); return what to tell people.

        Parameters
        ----------
        structures
            Returns all structures, in the same order each time it is called.
        """

    @abstractmethod
    def rows(self, chosen: Path) -> Rows:
        """Return the functions in a file that :meth:`choose` wrote."""


class Training(ABC):
    """The labels of a training set in a basis, as far as coefficients depend on them."""

    @abstractmethod
    def add(self, parts: Iterable[tuple[np.ndarray, np.ndarray, int]]) -> Self:
        """Return this with more structures: rows (7 + 3 n, m), labels (7 + 3 n,), nan for none, and the number n."""

    @abstractmethod
    def coefficients(self) -> np.ndarray:
        """Return the coefficients (m,) at which these labels are reproduced best.

        Raises
        ------
        InputError
            If the labels do not determine them.
        """

    @abstractmethod
    def write(self, path: Path) -> None:
        """Write it atomically; equal ones give equal bytes."""


class Weights(Part, ABC):
    """Keys that coefficients depend on, besides functions and labels."""

    @abstractmethod
    def begin(self, functions: Functions, chosen: Path, isolated: Sequence[Atoms]) -> Training:
        """Return the training set of isolated atoms alone, with ``REF_energy`` in ``info``."""

    @abstractmethod
    def read(self, path: Path) -> Training:
        """Read what :meth:`Training.write` wrote.

        Raises
        ------
        InputError
            If the file is missing, damaged or something else.
        """

    @abstractmethod
    def template(
        self, functions: Functions, chosen: Path, isolated: Sequence[Atoms], start: Training, output: Path
    ) -> None:
        """Write a potential, the coefficients of which can be replaced."""


class Linear(NamedTuple):
    """What a kind of model needs for training sets in one basis.

    Attributes
    ----------
    functions, weights
        Classes of parts of the configuration.
    check
        Checks keys of a study against each other, before any job; raises `InputError`.
    write
        Writes the potential of a template with other coefficients.
    calculator
        Returns it as a calculator of ASE.
    """

    functions: type[Functions]
    weights: type[Weights]
    check: Callable[[Study], None]
    write: Callable[[Path, np.ndarray, Path], None]
    calculator: Callable[[Path, np.ndarray], BaseCalculator]
