"""An engine, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gapdesign.families import Member

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


class Engine(Member, ABC):
    """A program that labels structures.

    A label is a function of the structure, of whether it is an isolated atom, and of ``name``, ``settings`` and
    ``version``, and of nothing else: the store identifies it by these. Rules, verbs, plan and report go by the traits
    of an engine and never by its name.

    Parameters
    ----------
    options
        Its options, an instance of ``Options``; nothing is loaded or checked yet.

    Attributes
    ----------
    environment
        The environment in which its jobs run: the name of a file in `envs/`.
    computes
        Whether it labels any structure; if not, it has labels of its own structures only, and measures no properties.
    is_cheap
        Whether its labels cost so little that it measures properties unless it is told not to.
    is_instant
        Whether a label takes about a millisecond, so that those made for properties are not worth keeping.
    attempts
        What each attempt at one structure does, in words: as configured first, then what is changed. No attempt may
        change what is computed, only how the program gets there.
    isolated_box
        Edge, in angstrom, of the periodic cube in which an isolated atom is computed.
    """

    environment: ClassVar[str] = "core"
    computes: ClassVar[bool] = True
    is_cheap: ClassVar[bool] = False
    is_instant: ClassVar[bool] = False
    attempts: Sequence[str] = ("as configured",)
    isolated_box: float = 20.0

    def __init__(self, options: Any) -> None:
        self._options = options

    @property
    @abstractmethod
    def version(self) -> str:
        """Whatever else a label depends on: versions of programs, checksums of data files."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the user chose, as JSON can hold it; no paths, which differ between sites."""
        return self._options.model_dump(mode="json")

    @property
    def files(self) -> Sequence[Path]:
        """Files of the user's that labels come from: when one changes, its jobs run again."""
        return ()

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

    @abstractmethod
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

    @abstractmethod
    def core_hours(self, atoms: Atoms) -> float:
        """Estimate what the label of ``atoms`` will cost, in core hours."""

    def surplus(self, frames: Sequence[Atoms]) -> list[str]:
        """Name what ``files`` hold that is of none of ``frames``."""
        return []

    def missing(self, frames: Sequence[Atoms]) -> list[tuple[Atoms, str]]:
        """Give those of ``frames`` that ``files`` have no label of, each with the reason."""
        return []
