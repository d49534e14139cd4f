"""Base class of every kind of model: its options, its traits, and how it is fitted, evaluated and paid for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, pi
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from gapdesign.families import Member
from gapdesign.prototypes import prototypes

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.descriptors.kernel import CovarianceOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.models.linear import Linear
    from gapdesign.properties.base import Evaluate


class Kernel(NamedTuple):
    """The kernel of a study, by which its designs are chosen, for models that are fitted with it."""

    soap: SoapOptions
    covariance: CovarianceOptions


@dataclass(frozen=True)
class Load:
    """What a model is fitted to, in numbers, before any structure is known.

    Attributes
    ----------
    structures
        Labelled structures.
    atoms
        Mean number of atoms of a structure.
    density
        Atoms per cubic angstrom.
    environments
        Mean number of different environments in a structure.
    species
        Number of elements.
    """

    structures: int
    atoms: float
    density: float
    environments: float
    species: int

    @classmethod
    def of_largest(cls, at: At) -> Load | None:
        """Return that of a design whose structures all have the size of the largest prototype.

        None where candidates have other sizes, which only the labels then tell.
        """
        if not at.pool.keeps_cells:
            return None
        study, largest = at.study, max(prototypes(at.study.prototypes), key=lambda crystal: len(crystal.atoms))
        return cls(
            structures=at.budget,
            atoms=len(largest.atoms),
            density=len(largest.atoms) / largest.atoms.get_volume(),
            environments=len(set(largest.orbits.tolist())),
            species=len(study.species()),
        )

    def neighbours(self, r_cut: float) -> float:
        """Return the mean number of neighbours of an atom within a distance, in angstrom."""
        return 4 / 3 * pi * r_cut**3 * self.density


class Seconds(NamedTuple):
    """Core-seconds on one core, beside the start of a program.

    Attributes
    ----------
    hyperparameters, fit
        Of one design.
    predict
        Of one structure: energy, forces and virial.
    """

    hyperparameters: float
    fit: float
    predict: float


class Need(NamedTuple):
    """What a fit should take: core-seconds on one core, and MiB."""

    seconds: float
    megabytes: int


LEAST_MINUTES = 240
"""Time limit of a fit whose structures are small, or of sizes that only their labels tell."""

CAUTION = 4
"""Time limit of a fit relative to the time that it should take."""

DENSER = 1.3
"""Neighbours of an atom in a strained crystal, relative to the crystal itself: an allowance."""


class Potential(Member, ABC):
    """A kind of model: how it is fitted to a labelled design, and evaluated.

    Rules, verbs, plan and report rely on its traits, never on its name.

    Parameters
    ----------
    options : Options
        An instance of the member's ``Options``.
    species : sequence of int
        Atomic numbers in the study, increasing.
    kernel : Kernel, optional
        The kernel of the study, for members that share it.

    Attributes
    ----------
    title
        What one is called in full, for pages.
    determined
        How its hyperparameters are found, as the end of the sentence "one of these per design, with ...", for pages.
    licence
        A sentence on the licence of the programs behind it, where that limits what may be done; empty otherwise.
    environment
        The environment, a file of `envs/` without its ending, in which its jobs run.
    files
        Names of the files that a fit writes; the first is the one that :meth:`evaluator` loads.
    training
        The one of ``files`` that has a row per step of the training (CSV); None if there are no steps.
    shares_kernel
        Whether it is fitted with `descriptor.soap` and `kernel` of the study.
    draws
        Whether a fit draws random numbers, so that it depends on the seed.
    replayed
        Names of the two files from which the potentials of a replay are made: what all training sets share, and a
        potential of the same basis. None for a model that is not linear in its coefficients, which no replay fits.
    threads
        Cores of a fit.
    least_megabytes
        MiB that a fit asks a scheduler for where structures are small, or of sizes that only their labels tell.
    reference
        Citation for studies that use it: text, DOI, and the reason for the citation.
    """

    title: ClassVar[str]
    determined: ClassVar[str]
    licence: ClassVar[str] = ""
    environment: ClassVar[str] = "core"
    files: ClassVar[tuple[str, ...]]
    training: ClassVar[str | None] = None
    shares_kernel: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    replayed: ClassVar[tuple[str, str] | None] = None
    threads: ClassVar[int] = 1
    least_megabytes: ClassVar[int] = 4000
    reference: ClassVar[tuple[str, str, str] | None] = None

    def __init__(self, options: Any, species: Sequence[int], kernel: Kernel | None = None) -> None:
        self.options = options
        self.species = tuple(species)
        self.kernel = kernel

    @classmethod
    def check(cls, options: Any, species: Sequence[int]) -> None:
        """Check options and files against the elements of a study, before any job runs.

        Raises
        ------
        InputError
            If something is wrong or missing; the message begins with the key, `models.<name>` or below it.
        """

    @classmethod
    def cutoff(cls, options: Any) -> float | None:
        """Return the distance, in angstrom, from which two atoms alone do not feel each other.

        None if the kernel of the study says it.
        """
        return None

    @classmethod
    def require(cls) -> None:
        """Check that the programs of a fit are installed, without loading them.

        Raises
        ------
        InputError
            If one is not; the message says how to install it.
        """

    @classmethod
    def inputs(cls, options: Any) -> tuple[str, ...]:
        """Return the user's files that a fit reads, such as a model to start from; a changed one reruns it."""
        return ()

    @classmethod
    def noise_bound(cls, options: Any) -> float | None:
        """Return the upper bound of the search for the noise of energies, in eV per atom; None if there is none."""
        return None

    @classmethod
    def kernel_scales(cls, hyperparameters: Mapping[str, Any]) -> tuple[float, float] | None:
        """Return the scales of the SOAP part and of the pair part of its kernel, in eV; None if it has another one.

        Parameters
        ----------
        hyperparameters
            What :meth:`hyperparameters` returned.
        """
        return None

    @abstractmethod
    def hyperparameters(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        *,
        rng: np.random.Generator,
        tell: Callable[[str], object],
    ) -> dict[str, Any]:
        """Find what the labels of a design determine before the fit.

        Parameters
        ----------
        frames
            Labelled structures: ``info`` with ``REF_energy`` (eV) and, if there is one, ``REF_virial`` (nine numbers,
            eV), ``arrays`` with ``REF_forces`` (eV/angstrom).
        isolated
            One frame of one atom for every element, with ``REF_energy``.
        rng
            For starts that are drawn.
        tell
            Receives sentences for the log.

        Returns
        -------
        dict
            The content of ``hyperparameters.json``. Every kind of model has ``noise``, the expected error of an energy
            that the labels determine, in eV per atom (None if none is found), and ``at_bound``, a list of names that
            the data do not determine.

        Raises
        ------
        InputError
            If labels or isolated atoms are missing, or a program is.
        """

    @abstractmethod
    def fit(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        hyperparameters: Mapping[str, Any],
        outputs: Sequence[Path],
        *,
        rng: np.random.Generator,
        memory: int | None,
        tell: Callable[[str], object],
    ) -> None:
        """Fit energies, forces and virials, and write the files of the model; two runs write the same bytes.

        Parameters
        ----------
        frames, isolated
            As for :meth:`hyperparameters`.
        hyperparameters
            What that found.
        outputs
            Where to write ``files``, in their order.
        rng
            For what is drawn.
        memory
            MiB that the fit may use; None for any.
        tell
            Receives sentences for the log.

        Raises
        ------
        InputError
            If labels are missing, the hyperparameters belong to other options, a program is missing, or the fit needs
            more than ``memory``.
        ProgramError
            If a program fails or does not use all the data.
        """

    @classmethod
    @abstractmethod
    def evaluator(cls, path: Path) -> Evaluate:
        """Load a model, and return the function from a structure to its energy, forces and virial.

        Raises
        ------
        InputError
            If the file is missing, cut short, or not a model of this kind.
        """

    @classmethod
    def linear(cls) -> Linear:
        """Return how the replay fits many of them in one basis; only models with ``replayed`` are asked."""
        raise NotImplementedError

    @classmethod
    def seconds(cls, at: At, load: Load) -> Seconds | None:
        """Return what jobs cost, by measured unit costs; None if unknown."""
        return None

    @classmethod
    def need(cls, at: At) -> Need | None:
        """Return what a fit to the largest structures that are expected should take; None if unknown."""
        return None

    @classmethod
    def search_megabytes(cls, at: At) -> int:
        """Return the MiB that the search for hyperparameters asks a scheduler for."""
        return 2000

    @classmethod
    def megabytes(cls, at: At) -> int:
        """Return the MiB that a fit asks a scheduler for."""
        need = cls.need(at)
        return max(cls.least_megabytes, need.megabytes) if need else cls.least_megabytes

    @classmethod
    def minutes(cls, at: At) -> int:
        """Return the time limit of a fit, in minutes."""
        need = cls.need(at)
        return max(LEAST_MINUTES, ceil(CAUTION * need.seconds / 60)) if need else LEAST_MINUTES
