"""How a design is chosen from a pool: a family of methods.

A method is a module with a function ``select(pool, covariance, ...)`` that returns a :class:`Selection`. One
whose work can be spread over shards also has ``search(features, covariance, budget)``, run once for each
shard before it. ``METHODS`` is the table of names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

import numpy as np
from ase import Atoms
from pydantic import Field

from gapdesign.descriptors.covariance import Covariance
from gapdesign.files import FeaturePool, shard_range
from gapdesign.options import Options
from gapdesign.structures import read_batch

Name = Literal["maxmin", "random"]
METHODS: dict[str, str] = {name: f"gapdesign.methods.{name}" for name in get_args(Name)}

SPREAD: frozenset[str] = frozenset({"maxmin"})
"""Methods that search each shard on its own before they select."""


class DesignOptions(Options):
    """A training set to be chosen."""

    pool: str = Field(description="Pool that it is chosen from.")
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
    """

    candidates: np.ndarray
    distances: np.ndarray
    outside: np.ndarray | None = None
    passes: int = 1


@dataclass(frozen=True)
class Task:
    """What a method is asked to do.

    Attributes
    ----------
    pool : FeaturePool
    covariance : Covariance
    budget : int
        Structures to choose.
    seed : str
        Names the stream of random numbers; methods without chance ignore it.
    found : mapping
        For each shard's first index the rows that the method's ``search`` found there.
    block_rows : int
        Rows of the pool that may be held at once.
    progress : callable
        Called with a line of text now and then.
    """

    pool: FeaturePool
    covariance: Covariance
    budget: int
    seed: str
    found: Mapping[int, np.ndarray]
    block_rows: int
    progress: Callable[[str], None]


def method(name: str) -> ModuleType:
    """The module of a method."""
    return import_module(METHODS[name])


def block_rows(memory: int, dimension: int, budget: int) -> int:
    """Rows of a pool that fit ``memory`` (MiB) beside their products with a whole design."""
    bytes_a_row = 8 * (2 * dimension + 4 * budget)
    return max(64, memory * 2**20 // 3 // bytes_a_row)


def frames(selection: Selection, shards: Sequence[str | Path], *, pool: str) -> list[Atoms]:
    """The structures of a design, in the order chosen, from the shards of candidates of its pool.

    Each carries in ``info`` pool, candidate, rank, distance, and outside where the method proves its order.
    """
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
