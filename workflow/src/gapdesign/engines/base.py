"""What a reference engine is, and what it gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True, eq=False)
class Label:
    """Reference values of one structure of n atoms.

    Parameters
    ----------
    energy
        Total energy, in eV.
    forces
        Forces, shape (n, 3), in eV/angstrom.
    virial
        Minus the stress times the volume, shape (3, 3), in eV: minus the derivative of the energy with
        respect to a homogeneous strain.
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray


class NotConvergedError(Exception):
    """A calculation ended without a result to be trusted; the message says why, on one line.

    The labelling stage then makes the engine's next attempt, if there is one.
    """


class Engine(Protocol):
    """A program that labels structures.

    A label is a function of the structure, of whether it is an isolated atom, and of ``name``, ``settings`` and
    ``version``, and of nothing else: the store identifies it by these.
    """

    @property
    def name(self) -> str:
        """The engine's name in the table of engines."""

    @property
    def version(self) -> str:
        """Whatever else a label depends on: versions of programs, checksums of data files."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the user chose, as JSON can hold it; no paths, which differ between sites."""

    @property
    def attempts(self) -> Sequence[str]:
        """What each attempt at one structure does, in words: as configured first, then what is changed.

        No attempt may change what is computed, only how the program gets there.
        """

    @property
    def isolated_box(self) -> float:
        """Edge, in angstrom, of the periodic cube in which an isolated atom is computed."""

    def check(self, elements: Collection[str] = ()) -> None:
        """See that the engine can run at all, cheaply enough for the moment when a workflow is parsed.

        Parameters
        ----------
        elements
            Chemical symbols it will have to know, as far as they are known.

        Raises
        ------
        InputError
            If a program, a file or an element is missing; the message says what to do.
        """

    def label(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Compute energy, forces and virial of ``atoms``, which is left as it is.

        Parameters
        ----------
        atoms
            The structure.
        folder
            An empty folder of its own for whatever files the program reads and writes; whoever gave it removes it.
        attempt
            Which of ``attempts``.
        isolated
            Whether it is a single atom by itself, computed with the spin of its ground state where that matters.
            A crystal with one atom in its cell is not.

        Raises
        ------
        NotConvergedError
            If the program did not converge, stopped, or computed something else than it was asked for.
        Exception
            Whatever else goes wrong; the labelling stage makes it the reason why there is no label.
        """

    def core_hours(self, atoms: Atoms) -> float:
        """Estimate what the label of ``atoms`` will cost, in core hours."""
