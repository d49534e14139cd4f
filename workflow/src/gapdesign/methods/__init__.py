"""How a design is chosen from a pool: a family of methods.

A method is a module with a function ``select(task)`` that takes a :class:`Task` and returns a :class:`Selection`.
``METHODS`` is the table of names; those in ``COMPRESSED`` are also given compressed features of the pool.
Where `kernel.structure` is not `average`, ``BY_STRUCTURE`` is the table, and a task has ``structures``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.covariance import Covariance
from gapdesign.methods.bayesian import BayesianOptions
from gapdesign.methods.cur import CurOptions
from gapdesign.methods.cur_environments import CurEnvironmentsOptions
from gapdesign.methods.d_optimal import DOptimalOptions
from gapdesign.methods.k_medoids import KMedoidsOptions
from gapdesign.methods.maxent import MaxentOptions
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.maxmin.state import State
from gapdesign.methods.variance import VarianceOptions
from gapdesign.shards import FeaturePool, HeldPool, shard_range

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.environments import EnvironmentPool, Environments
    from gapdesign.descriptors.structure_distances import StructurePool

Name = Literal[
    "maxmin",
    "random",
    "fps",
    "maxent",
    "d_optimal",
    "variance",
    "k_medoids",
    "cur",
    "cur_environments",
    "bayesian",
]
METHODS: dict[str, str] = {name: f"gapdesign.methods.{name}" for name in get_args(Name)} | {
    "maxmin": "gapdesign.methods.maxmin.greedy"
}

COMPRESSED: frozenset[str] = frozenset({"maxmin"})
"""Methods that work on compressed features, where `kernel.structure` is `average`."""

BY_AVERAGE: frozenset[str] = frozenset({"maxent", "variance", "k_medoids"})
"""Methods that need the covariance of every pair, and know it where `kernel.structure` is `average` only."""

PREFIX: frozenset[str] = frozenset({"maxmin", "random", "fps", "bayesian"})
"""Methods whose larger designs begin with their smaller ones, so that their reserve is what they would choose next."""

BY_CHANCE: frozenset[str] = frozenset({"random", "cur", "cur_environments"})
"""Methods that draw: another seed gives another design."""

BY_STRUCTURE: dict[str, str] = METHODS | {"maxmin": "gapdesign.methods.maxmin.lazy"}
"""The modules where it is not."""


class DesignOptions(Options):
    """A training set to be chosen."""

    pool: str = Field(description="Pool that it is chosen from.")
    existing: str | None = Field(
        None,
        description="A file that ASE reads with structures that are there already: the design begins where they end,"
        " and neither they nor copies of them are chosen.",
    )
    start: int | None = Field(
        None,
        ge=0,
        description="Candidate that `maxmin`, `fps` and `maxent` start from; by default the one farthest from the"
        " pool's mean descriptor.",
    )
    method: Name = Field(
        description="`maxmin`: each next structure is the one farthest from all chosen before. `random`: drawn blindly."
        " `fps`: as `maxmin`, by Euclidean distance. `maxent`: largest log det K. `d_optimal`: largest det X'X of"
        " principal components. `variance`: largest posterior variance, in rounds. `k_medoids`: nearest to all others."
        " `cur`, `cur_environments`: drawn by the leverage of structures, of atoms. `bayesian`: most information, or"
        " most uncertain. docs/which-method.md compares them."
    )
    maxent: MaxentOptions | None = Field(None, description="Options of the method `maxent`.")
    d_optimal: DOptimalOptions | None = Field(None, description="Options of the method `d_optimal`.")
    variance: VarianceOptions | None = Field(None, description="Options of the method `variance`.")
    k_medoids: KMedoidsOptions | None = Field(None, description="Options of the method `k_medoids`.")
    cur: CurOptions | None = Field(None, description="Options of the method `cur`.")
    cur_environments: CurEnvironmentsOptions | None = Field(
        None, description="Options of the method `cur_environments`."
    )
    bayesian: BayesianOptions | None = Field(None, description="Options of the method `bayesian`.")

    @property
    def options(self) -> Options | None:
        """Options of its method, if any are given."""
        return getattr(self, self.method, None)

    @property
    def reads_environments(self) -> bool:
        """Whether its method needs the environments of the pool, whatever `kernel.structure` is."""
        given = self.bayesian or BayesianOptions()
        return self.method == "cur_environments" or (self.method == "bayesian" and given.environments)


class SelectionOptions(Options):
    """How the selection runs; nothing here changes what is selected."""

    memory: int = Field(
        1024, ge=64, description="Memory that a job of the selection may use, in MiB, whatever the pool."
    )


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
        What they were compressed by.
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


def select(name: str, structure: str, task: Task, *, reserve: int) -> Selection:
    """A design of the task's budget by the method ``name`` and, behind it, ``reserve`` ranks that may take a place.

    What a method that chooses a design as a whole would have in reserve is not defined: there it is drawn blindly.
    """
    if name in PREFIX:
        return method(name, structure).select(replace(task, budget=min(task.budget + reserve, task.pool.size)))
    from gapdesign.methods import random
    from gapdesign.methods.distance import down_the_design

    design = method(name, structure).select(task)
    drawn = random.select(replace(task, budget=min(len(design.candidates) + reserve, task.pool.size)))
    others = drawn.candidates[~np.isin(drawn.candidates, design.candidates)][:reserve]
    candidates = np.concatenate([design.candidates, others])
    return replace(design, candidates=candidates, distances=down_the_design(task, candidates))


def method(name: str, structure: str = "average") -> ModuleType:
    """The module of a method, for what `kernel.structure` says."""
    return import_module((METHODS if structure == "average" else BY_STRUCTURE)[name])


def is_compressed(name: str, structure: str) -> bool:
    """Whether a method works on compressed features, for what `kernel.structure` says."""
    return structure == "average" and name in COMPRESSED


def mismatch(design: DesignOptions, budget: int, structure: str, backend: str) -> str | None:
    """What a design asks of its method that this cannot give, and the remedy; None if there is nothing."""
    method = design.method
    for other in METHODS:
        if other != method and getattr(design, other, None) is not None:
            return f"{other}: these are options of another method than '{method}'; remove them."
    if method in BY_AVERAGE and structure != "average":
        return (
            f"method: '{method}' needs the covariance of every pair, and has it for kernel.structure: average only, not"
            f" '{structure}'; use maxmin."
        )
    if design.bayesian is not None and design.bayesian.score == "force" and backend != "quippy":
        return f"bayesian.score: 'force' needs derivatives, which {backend} lacks; set descriptor.backend: quippy."
    features = design.d_optimal.features if design.d_optimal is not None else None
    if features is not None and features > budget and design.existing is None:
        return f"d_optimal.features: {features} weights need as many structures, and the budget is {budget}; lower it."
    return None


def block_rows(memory: int, dimension: int, budget: int) -> int:
    """Rows of a pool that fit ``memory`` (MiB) beside their products with a whole design."""
    bytes_a_row = 8 * (2 * dimension + 4 * budget)
    return max(64, min(16384, memory * 2**20 // 4 // bytes_a_row))


def hold(pool: FeaturePool, memory: int) -> FeaturePool | HeldPool:
    """Keep a pool in memory if it takes less than a third of ``memory`` (MiB); else leave it in its files."""
    return pool.held() if 4 * pool.size * pool.dimension < memory * 2**20 // 3 else pool


def frames(selection: Selection, shards: Sequence[str | Path], *, pool: str) -> list[Atoms]:
    """The structures of a design, in the order chosen, from the shards of candidates of its pool.

    Each carries in ``info`` pool, candidate, rank, distance, outside where the method proves its order, and score where
    it chooses by something other than the distance.
    """
    found = structures(selection.candidates, shards)
    ordered = [found[int(index)] for index in selection.candidates]
    for rank, atoms in enumerate(ordered):
        extra = {} if selection.outside is None else {"outside": float(selection.outside[rank])}
        if selection.scores is not None and rank < len(selection.scores):
            extra["score"] = float(selection.scores[rank])
        place = {"pool": pool, "candidate": atoms.info.pop("candidate"), "rank": rank}
        atoms.info = {**place, "distance": float(selection.distances[rank]), **extra, **atoms.info}
    return ordered


def structures(candidates: np.ndarray, shards: Sequence[str | Path]) -> dict[int, Atoms]:
    """The structures of some candidates, by their index, from the shards of candidates of their pool."""
    from gapdesign.structures import read_batch

    found: dict[int, Atoms] = {}
    for path in shards:
        start, stop = shard_range(path)
        mine = candidates[(candidates >= start) & (candidates < stop)]
        if len(mine):
            batch = read_batch(path)
            found |= {int(index): batch.atoms(int(index) - start) for index in mine}
    return found
