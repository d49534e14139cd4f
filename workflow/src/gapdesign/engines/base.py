"""The interface of engines, and the labels that they return."""

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
        respect to a homogeneous strain. None where labels made elsewhere have none; an engine that computes has one.
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray | None


class NotConvergedError(Exception):
    """A calculation ended without a trustworthy result; the message says why, on one line.

    The labelling stage then makes the engine's next attempt, if there is one.
    """


class Engine(Member, ABC):
    """A program that labels structures.

    A label depends on the structure, on whether it is an isolated atom, on ``name``, ``settings`` and ``version``, and
    on nothing else: the store identifies it by these. Rules, verbs, plan and report rely on the traits of an engine,
    never on its name.

    Parameters
    ----------
    options
        The engine's options, an instance of ``Options``; nothing is loaded or checked yet.

    Attributes
    ----------
    environment
        The environment in which its jobs run: the name of a file in `envs/`.
    computes
        Whether it can label any structure. If not, it only has labels for its own structures and measures no
        properties.
    is_cheap
        Whether its labels cost so little that it measures properties by default.
    is_instant
        Whether a label takes about a millisecond, so that labels made for properties are not worth keeping.
    repeats_everything
        Whether it takes every structure for periodic in all directions, so that slabs and clusters need vacuum.
    attempts
        Description of each attempt at a structure: first as configured, then with the changes named. An attempt may
        change how the program gets to the result, never what it computes.
    isolated_box
        Edge, in angstrom, of the periodic cube in which an isolated atom is computed.
    """

    environment: ClassVar[str] = "core"
    computes: ClassVar[bool] = True
    is_cheap: ClassVar[bool] = False
    is_instant: ClassVar[bool] = False
    repeats_everything: ClassVar[bool] = False
    attempts: Sequence[str] = ("as configured",)
    isolated_box: float = 20.0

    def __init__(self, options: Any) -> None:
        self._options = options

    @property
    @abstractmethod
    def version(self) -> str:
        """Everything else that a label depends on: versions of programs, checksums of data files."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that the user chose, in JSON types, without paths, which differ between sites."""
        return self._options.model_dump(mode="json")

    @property
    def files(self) -> Sequence[Path]:
        """The user's files that labels come from; when one changes, its jobs run again."""
        return ()

    @property
    def data(self) -> Sequence[Path]:
        """Other files that labels depend on, such as potentials; their content decides what runs again."""
        return ()

    def check(self, elements: Collection[str] = ()) -> None:
        """Check that the engine can run at all, cheaply enough to do so whenever the workflow is parsed.

        Parameters
        ----------
        elements
            Chemical symbols that the engine must cover, as far as they are known.

        Raises
        ------
        InputError
            If a program, a file or an element is missing; the message says what to do.
        """

    def load(self, elements: Collection[str] = ()) -> None:
        """Load in a job, before any label, what must not be loaded whenever the workflow is parsed.

        Parameters
        ----------
        elements
            Chemical symbols of the study, each of which needs the energy of its isolated atom.

        Raises
        ------
        InputError
            If the engine cannot run.
        """

    @abstractmethod
    def label(self, atoms: Atoms, folder: Path, *, attempt: int = 0, isolated: bool = False) -> Label:
        """Compute energy, forces and virial of ``atoms``, which stays unchanged.

        Parameters
        ----------
        atoms
            The structure.
        folder
            An empty folder for the files that the program reads and writes; the caller removes it.
        attempt
            Index into ``attempts``.
        isolated
            Whether the structure is a single atom by itself, computed with the spin of its ground state where that
            matters. A crystal with one atom in its cell is not isolated.

        Raises
        ------
        NotConvergedError
            If the program did not converge, stopped early, or computed something other than it was asked for.
        Exception
            If anything else goes wrong; the labelling stage records it as the reason why there is no label.
        """

    @abstractmethod
    def core_hours(self, atoms: Atoms) -> float:
        """Estimate the cost of labelling ``atoms``, in core hours."""

    def found(self) -> Mapping[str, Any]:
        """Return the numbers of labels that were found in the user's files, if they come from there."""
        return {}

    def sample(self, most: int) -> list[Atoms]:
        """Return up to ``most`` structures of the user's files with ``REF_`` labels, if labels come from there."""
        return []

    def afresh(self) -> Engine:
        """Return the same engine as if just made: with nothing loaded or remembered of its files."""
        return type(self)(self._options)

    def surplus(self, frames: Sequence[Atoms]) -> list[str]:
        """Return the names of the results in ``files`` that belong to none of ``frames``."""
        return []

    def missing(self, frames: Sequence[Atoms]) -> list[tuple[Atoms, str]]:
        """Return the ``frames`` that ``files`` hold no label for, each with the reason."""
        return []
