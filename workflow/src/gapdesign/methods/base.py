"""Base class of methods, their tasks, and their selections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from gapdesign.families import Member

if TYPE_CHECKING:
    from gapdesign.config.options import Options
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.descriptors.environments import EnvironmentPool, Environments
    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.descriptors.structure_distances import StructurePool
    from gapdesign.methods.maxmin.compression import Directions
    from gapdesign.methods.maxmin.state import State
    from gapdesign.methods.shared.coordinates import Criterion
    from gapdesign.rows.functions import RowFunctions
    from gapdesign.rows.pool import LabelRows
    from gapdesign.shards import FeaturePool, HeldPool

BY_CHANCE = 5
"""Cases of 98 in which a method may seem worse than random draws and is not: by 95 % intervals two on average.

Within core-hours every case is told, since there small budgets harm, by far more than chance.
"""

IN_WORDS = {"averages": "averages of SOAP", "pairs": "averages of SOAP and pairs", "environments": "environments"}
"""What was compared, by the field of :class:`Harm`."""


class Harm(NamedTuple):
    """How many replayed cases had larger errors by a method's designs than by random ones; None if none was replayed.

    Attributes
    ----------
    averages, pairs, environments : int or None
        Of the 98 of docs/which-method.md, by what was compared: averages of SOAP, these and pairs, or environments.
    core_hours : int or None
        Of the 48 of docs/information.md within core-hours, where averages of SOAP were compared.
    """

    averages: int | None = None
    pairs: int | None = None
    environments: int | None = None
    core_hours: int | None = None


@dataclass(frozen=True)
class Selection:
    """A design: candidates in the order in which they were chosen.

    Attributes
    ----------
    candidates : (n,) int64
        Indices in the pool.
    distances : (n,) float64
        Kernel distance D of each to the nearest one chosen before it; of the first to the pool's mean descriptor.
    outside : (n,) float64 or None
        The certificate: after each rank, the largest distance D from the ranks so far of any candidate left out.
    passes : int
        Number of times that the whole pool was read.
    state : State or None
        State at the end, if it takes a later selection further than the state from which this one began.
    scores : (n,) float64 or None
        Score by which each was chosen, if that is not the distance; every method defines its own. ``outside`` is then
        the largest score, and not the largest distance.
    reserved : int
        Ranks at the end that are the reserve of a design.
    """

    candidates: np.ndarray
    distances: np.ndarray
    outside: np.ndarray | None = None
    passes: int = 1
    state: State | None = None
    scores: np.ndarray | None = None
    reserved: int = 0


@dataclass(frozen=True, kw_only=True)
class Task:
    """Task of a method.

    Attributes
    ----------
    pool : FeaturePool
    covariance : Covariance
    mean : (dimension,) float32
        The pool's mean descriptor.
    budget : int
        Structures to choose; at most, where there is a budget of core-hours too.
    costs : (N,) float64, optional
        Core-hours of the label of each candidate; every number is above 0.
    core_hours : float, optional
        Core-hours that the labels of the design may cost together; None if only their number counts. Methods that do
        not weigh costs (see ``spends``) need not read it.
    seed : str
        Names the stream of random numbers; methods without chance ignore it.
    existing : (m, dimension) float32, optional
        Features of existing structures, which need not be chosen.
    compressed : FeaturePool, optional
        Compressed features of the pool.
    codes : FeaturePool, optional
        Codes of the compressed features; without them they are made where they are needed.
    basis : Directions, optional
        The directions of the compression.
    structures : StructurePool, optional
        The candidates and the existing set for distances by `kernel.structure`, if that is not `average`.
    environments, existing_environments : EnvironmentPool and Environments, optional
        Environments of the pool and of the existing set, for methods that read them.
    derivatives : callable, optional
        Returns, for a candidate of n atoms, the derivatives (3 n, d) of its summed environments by species.
    rows : LabelRows, optional
        Rows of the labels of the pool, for methods that read them.
    existing_rows : sequence of (7 + 3 n, m)
        Those of the existing set.
    functions : RowFunctions, optional
        The functions that they are made of, for methods that read environments too.
    scale : float
        Standard deviation, before any label, of the energy of an atom in the model of the rows, in eV.
    options : Options, optional
        Options of the method; its defaults if there are none.
    start : int, optional
        Candidate to start from.
    earlier : State, optional
        State of an earlier selection with another budget or on the first part of the pool.
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
    costs: np.ndarray | None = None
    core_hours: float | None = None
    seed: str = ""
    existing: np.ndarray | None = None
    compressed: FeaturePool | HeldPool | None = None
    codes: FeaturePool | HeldPool | None = None
    basis: Directions | None = None
    structures: StructurePool | None = None
    environments: EnvironmentPool | Environments | None = None
    existing_environments: Environments | None = None
    derivatives: Callable[[int], Mapping[int, np.ndarray]] | None = None
    rows: LabelRows | None = None
    existing_rows: Sequence[np.ndarray] = ()
    functions: RowFunctions | None = None
    scale: float = 1.0
    options: Options | None = None
    start: int | None = None
    earlier: State | None = None
    memory: int = 1024
    threads: int = 1
    progress: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Wrong:
    """The first rank of a design that differs from the greedy algorithm, and the reason."""

    rank: int
    reason: str


class Method(Member, ABC):
    """A way to choose a design from a pool.

    The traits of a member describe its needs and the properties of its designs; rules, verbs, plan and report use
    these and never its name.

    Attributes
    ----------
    title
        Name of its designs in prose, such as "max-min"; by default its name, with blanks.
    reference
        Citation for studies that use it: text, DOI, and the reason for the citation.
    is_prefix
        Whether larger designs begin with smaller ones, so that the method itself chooses the reserve.
    by_chance
        Whether it draws at random: another seed gives another design.
    is_baseline
        Whether it chooses blindly, so that its designs are the baseline for those of other methods.
    is_light
        Whether choosing again from a smaller pool is cheap, whatever the pool's size.
    takes_start
        Whether `start` names the candidate that it starts from.
    is_compressed
        Whether it works on compressed features, where `kernel.structure` is `average`.
    by_average_only
        Whether it needs the covariance of every pair, which only `kernel.structure: average` gives.
    is_certified
        Whether `gapdesign verify` can prove its designs, by :meth:`first_wrong_rank`.
    is_default
        Whether commands take it unless another is named.
    is_default_of_frames
        Whether commands that choose from given frames take it unless another is named.
    can_be_polished
        Whether moves of single structures can raise its designs' quality, the :meth:`criterion`.
    harmed
        How often its designs of frames had larger errors than random ones.
    spends
        Whether its own choice weighs costs, so that it ends a budget of core-hours itself. It is asked for the reserve
        with core-hours that pay for all candidates, and may be given only some of these, beside what was chosen.
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
    is_default: ClassVar[bool] = False
    is_default_of_frames: ClassVar[bool] = False
    can_be_polished: ClassVar[bool] = False
    harmed: ClassVar[Harm] = Harm()
    spends: ClassVar[bool] = False

    @classmethod
    def reads_environments(cls, options: Any) -> bool:
        """Return whether it needs the environments of the pool, whatever `kernel.structure` is."""
        return False

    @classmethod
    def reads_derivatives(cls, options: Any) -> bool:
        """Return whether it needs the derivatives of environments by positions."""
        return False

    @classmethod
    def reads_rows(cls, options: Any) -> bool:
        """Return whether it needs the rows of the labels of the pool."""
        return False

    @classmethod
    def expected_errors(cls, options: Any) -> dict[str, float]:
        """Return the expected errors of labels by which it chooses, by the kind of label; none if it goes by none."""
        return {}

    @classmethod
    def with_errors(cls, options: Any, errors: Mapping[str, float]) -> Any:
        """Return its options with other expected errors, for some kinds of labels."""
        return options

    @classmethod
    def mismatch(cls, options: Any, *, budget: int, existing: bool) -> str | None:
        """Return which of its options does not fit the design: key, mistake and remedy; None if all do.

        Parameters
        ----------
        options
            Its options, an instance of ``Options``.
        budget
            Structures to choose.
        existing
            Whether the design continues an existing set.
        """
        return None

    @classmethod
    def compares(cls, options: Any, kernel: KernelOptions) -> str:
        """Return what it compares, as a field of :class:`Harm`."""
        if kernel.structure == "environment" or cls.reads_environments(options):
            return "environments"
        return "pairs" if kernel.pair.scale else "averages"

    @classmethod
    def caution(cls, options: Any, kernel: KernelOptions, *, is_priced: bool, of_frames: bool) -> str | None:
        """Return what to think of before labels are paid for, in words; None if nothing is known against a design.

        A comparison that was not replayed counts as that of averages.

        Parameters
        ----------
        options
            Its options.
        kernel
            The kernel by which it compares.
        is_priced
            Whether its budget is in core-hours.
        of_frames
            Whether it chooses from given frames, and not from structures that a sampler made.
        """
        if not of_frames:
            return None
        by = cls.compares(options, kernel)
        if getattr(cls.harmed, by) is None:
            by = "averages"
        if is_priced and by == "averages" and cls.harmed.core_hours:
            return (
                "within core-hours, on three labelled sets, its designs had larger errors than random ones of the same"
                f" cost in {cls.harmed.core_hours} of 48 cases; docs/information.md says when"
            )
        count = getattr(cls.harmed, by) or 0
        if count <= BY_CHANCE:
            return None
        return (
            f"on ten labelled sets its designs by {IN_WORDS[by]} had larger errors than random ones in {count} of 98"
            " cases; docs/which-method.md says when, and which method had not"
        )

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
    def first_wrong_rank(cls, task: Task, design: Selection) -> Wrong | None:
        """Return the first rank of a design that its certificate does not prove; for certified methods only.

        If the task has core-hours, every rank is compared with the candidates that were still affordable.
        """
        raise NotImplementedError

    @classmethod
    def criterion(cls, task: Task, features: np.ndarray) -> Criterion:
        """Return the quality of a design with features (n, dimension) float32; for methods that can be polished only.

        The task has no compressed features.
        """
        raise NotImplementedError
