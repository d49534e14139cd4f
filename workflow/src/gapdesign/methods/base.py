"""A method, what it is asked to do, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gapdesign.families import Member

if TYPE_CHECKING:
    from gapdesign.config.options import Options
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.descriptors.environments import EnvironmentPool, Environments
    from gapdesign.descriptors.structure_distances import StructurePool
    from gapdesign.methods.maxmin.certificate import Wrong
    from gapdesign.methods.maxmin.compression import Directions
    from gapdesign.methods.maxmin.state import State
    from gapdesign.shards import FeaturePool, HeldPool


@dataclass(frozen=True)
class Selection:
    """A design: candidates in the order in which they were chosen.

    Attributes
    ----------
    candidates : (n,) int64
        Indices in the pool.
    distances : (n,) float64
        Kernel distance D of each to the nearest chosen before it; of the first to the pool's mean descriptor.
    outside : (n,) float64 or None
        The certificate: after each rank, the largest distance D from the ranks so far of any candidate left out.
    passes : int
        Times that the whole pool was read.
    state : State or None
        Where the selection ended, if a later one can go on from there and not from where this one began.
    scores : (n,) float64 or None
        What each was chosen by, where that is not the distance; every method says what it is.
    """

    candidates: np.ndarray
    distances: np.ndarray
    outside: np.ndarray | None = None
    passes: int = 1
    state: State | None = None
    scores: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a method is asked to do.

    Attributes
    ----------
    pool : FeaturePool
    covariance : Covariance
    mean : (dimension,) float32
        The pool's mean descriptor.
    budget : int
        Structures to choose.
    seed : str
        Names the stream of random numbers; methods without chance ignore it.
    existing : (m, dimension) float32, optional
        Features of structures that need not be chosen because they are there.
    compressed : FeaturePool, optional
        Compressed features of the pool.
    basis : Directions, optional
        The directions that they were compressed by.
    structures : StructurePool, optional
        The candidates and the existing set as `kernel.structure` sees them, where it is not `average`.
    environments, existing_environments : EnvironmentPool and Environments, optional
        Of the pool and of the existing set, for methods that read them.
    derivatives : callable, optional
        From a candidate of n atoms to the derivatives (3 n, d) of its summed environments by species.
    options : Options, optional
        Options of the method; its defaults if there are none.
    start : int, optional
        Candidate to start from.
    earlier : State, optional
        Where an earlier selection ended, with another budget or on the beginning of the pool.
    memory : int
        Memory to use, in MiB.
    threads : int
    progress : callable
        Called with a line of text now and then.
    """

    pool: FeaturePool | HeldPool
    covariance: Covariance
    mean: np.ndarray
    budget: int
    seed: str = ""
    existing: np.ndarray | None = None
    compressed: FeaturePool | HeldPool | None = None
    basis: Directions | None = None
    structures: StructurePool | None = None
    environments: EnvironmentPool | Environments | None = None
    existing_environments: Environments | None = None
    derivatives: Callable[[int], Mapping[int, np.ndarray]] | None = None
    options: Options | None = None
    start: int | None = None
    earlier: State | None = None
    memory: int = 1024
    threads: int = 1
    progress: Callable[[str], None] = lambda line: None


class Method(Member, ABC):
    """A way to choose a design from a pool.

    A member says by its traits what it needs and what holds for its designs; rules, verbs, plan and report go by these
    and never by its name.

    Attributes
    ----------
    title
        What prose calls its designs, such as "max-min"; by default its name, with blanks.
    reference
        What a study that uses it should cite: text, DOI, and what it is cited for.
    is_prefix
        Whether larger designs begin with smaller ones, so that the reserve is what the method would choose next.
    by_chance
        Whether it draws: another seed gives another design.
    is_baseline
        Whether it chooses without looking, so that designs of other methods are compared with its own.
    is_light
        Whether choosing again from a smaller pool costs little, whatever the pool's size.
    takes_start
        Whether `start` names the candidate that it starts from.
    is_compressed
        Whether it works on compressed features, where `kernel.structure` is `average`.
    by_average_only
        Whether it needs the covariance of every pair, which only `kernel.structure: average` gives.
    is_certified
        Whether `gapdesign verify` can prove its designs, by :meth:`first_wrong_rank`.
    """

    title: ClassVar[str] = ""
    reference: ClassVar[tuple[str, str, str] | None] = None
    is_prefix: ClassVar[bool] = False
    by_chance: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = False
    is_light: ClassVar[bool] = False
    takes_start: ClassVar[bool] = False
    is_compressed: ClassVar[bool] = False
    by_average_only: ClassVar[bool] = False
    is_certified: ClassVar[bool] = False

    @classmethod
    def reads_environments(cls, options: Any) -> bool:
        """Return whether it needs the environments of the pool, whatever `kernel.structure` is."""
        return False

    @classmethod
    def reads_derivatives(cls, options: Any) -> bool:
        """Return whether it needs the derivatives of environments by positions."""
        return False

    @classmethod
    def mismatch(cls, options: Any, *, budget: int, existing: bool) -> str | None:
        """Say which of its options does not fit the design: key, what is wrong and the remedy; None if all do.

        Parameters
        ----------
        options
            Its options, an instance of ``Options``.
        budget
            Structures to choose.
        existing
            Whether the design continues structures that are there already.
        """
        return None

    @classmethod
    @abstractmethod
    def select(cls, task: Task) -> Selection:
        """Choose a design.

        The same task gives the same bits, however its pool is cut and whatever memory and threads it may use.

        Raises
        ------
        InputError
            If its options do not fit the task, or its memory does not suffice.
        """

    @classmethod
    def first_wrong_rank(
        cls, task: Task, *, candidates: np.ndarray, distances: np.ndarray, outside: np.ndarray
    ) -> Wrong | None:
        """Return the first rank (n,) of a design that its certificate does not prove; for certified methods only."""
        raise NotImplementedError
