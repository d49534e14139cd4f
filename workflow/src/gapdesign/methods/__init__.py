"""How a design is chosen from a pool: a family of methods.

A method is a module with a function ``select(task)`` that takes a :class:`Task` and returns a :class:`Selection`.
``METHODS`` is the table of names; those in ``COMPRESSED`` are also given compressed features of the pool.
Where `kernel.structure` is not `average`, ``BY_STRUCTURE`` is the table, and a task has ``structures``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from pydantic import Field

from gapdesign.descriptors.covariance import Covariance
from gapdesign.files import FeaturePool, HeldPool, shard_range
from gapdesign.methods.compression import Basis
from gapdesign.methods.state import State
from gapdesign.options import Options

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.structure_distances import StructurePool

Name = Literal["maxmin", "random"]
METHODS: dict[str, str] = {name: f"gapdesign.methods.{name}" for name in get_args(Name)}

COMPRESSED: frozenset[str] = frozenset({"maxmin"})
"""Methods that work on compressed features, where `kernel.structure` is `average`."""

BY_STRUCTURE: dict[str, str] = METHODS | {"maxmin": "gapdesign.methods.lazy"}
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
        description="Candidate that max-min starts from; by default the one farthest from the pool's mean descriptor.",
    )
    method: Name = Field(
        description="`maxmin`: each next structure is the one farthest from all chosen before. `random`: drawn blindly."
    )


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
    """

    candidates: np.ndarray
    distances: np.ndarray
    outside: np.ndarray | None = None
    passes: int = 1
    state: State | None = None


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
    basis : Basis, optional
        What they were compressed by.
    structures : StructurePool, optional
        The candidates and the existing set as `kernel.structure` sees them, where it is not `average`.
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
    basis: Basis | None = None
    structures: StructurePool | None = None
    start: int | None = None
    earlier: State | None = None
    memory: int = 1024
    threads: int = 1
    progress: Callable[[str], None] = lambda line: None


def method(name: str, structure: str = "average") -> ModuleType:
    """The module of a method, for what `kernel.structure` says."""
    return import_module((METHODS if structure == "average" else BY_STRUCTURE)[name])


def is_compressed(name: str, structure: str) -> bool:
    """Whether a method works on compressed features, for what `kernel.structure` says."""
    return structure == "average" and name in COMPRESSED


def block_rows(memory: int, dimension: int, budget: int) -> int:
    """Rows of a pool that fit ``memory`` (MiB) beside their products with a whole design."""
    bytes_a_row = 8 * (2 * dimension + 4 * budget)
    return max(64, min(16384, memory * 2**20 // 4 // bytes_a_row))


def hold(pool: FeaturePool, memory: int) -> FeaturePool | HeldPool:
    """Keep a pool in memory if it takes less than a third of ``memory`` (MiB); else leave it in its files."""
    return pool.held() if 4 * pool.size * pool.dimension < memory * 2**20 // 3 else pool


def frames(selection: Selection, shards: Sequence[str | Path], *, pool: str) -> list[Atoms]:
    """The structures of a design, in the order chosen, from the shards of candidates of its pool.

    Each carries in ``info`` pool, candidate, rank, distance, and outside where the method proves its order.
    """
    from gapdesign.structures import read_batch

    structures: dict[int, Atoms] = {}
    for path in shards:
        start, stop = shard_range(path)
        mine = selection.candidates[(selection.candidates >= start) & (selection.candidates < stop)]
        if len(mine):
            batch = read_batch(path)
            structures |= {int(index): batch.atoms(int(index) - start) for index in mine}
    ordered = [structures[int(index)] for index in selection.candidates]
    for rank, atoms in enumerate(ordered):
        extra = {} if selection.outside is None else {"outside": float(selection.outside[rank])}
        place = {"pool": pool, "candidate": atoms.info.pop("candidate"), "rank": rank}
        atoms.info = {**place, "distance": float(selection.distances[rank]), **extra, **atoms.info}
    return ordered
