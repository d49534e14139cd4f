"""Where candidates come from: a family of samplers, each a pure function of (seed, pool, index).

A sampler is a module with an ``Options`` class and a function ``make(options, prototypes)`` that
returns a :class:`Sampler`. ``SAMPLERS`` is the table of names.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Literal, Protocol, get_args

import numpy as np
from pydantic import Field

from gapdesign.errors import InputError
from gapdesign.options import Identifier, Options
from gapdesign.samplers.strain import StrainOptions
from gapdesign.samplers.strain_components import StrainComponentsOptions
from gapdesign.streams import stream
from gapdesign.structures import Batch, ConstraintOptions, Prototype, too_close

Name = Literal["strain", "strain_components"]
SAMPLERS: dict[str, str] = {name: f"gapdesign.samplers.{name}" for name in get_args(Name)}


class PoolOptions(Options):
    """Independent source samplings of candidates."""

    names: tuple[Identifier, ...] = Field(
        ("A", "B"), min_length=1, description="Names of the pools, each sampled on its own."
    )
    size: int = Field(5000, ge=1, description="Candidates in each pool. A pool that grows keeps its old candidates.")
    shard_size: int = Field(
        5000,
        ge=1,
        description="Candidates a job. How a pool is cut changes no result, only the number of jobs.",
    )
    sampler: Name = Field("strain", description="How candidates are drawn.")
    strain: StrainOptions = Field(StrainOptions(), description="Options of the sampler `strain`.")
    strain_components: StrainComponentsOptions = Field(
        StrainComponentsOptions(), description="Options of the sampler `strain_components`."
    )
    constraints: ConstraintOptions = Field(ConstraintOptions(), description="What every candidate must satisfy.")


class Sampler(Protocol):
    """Turns uniform random numbers into structures."""

    draws: int
    """Uniform numbers that one structure takes."""

    def __call__(self, uniforms: np.ndarray) -> Batch:
        """Make n structures from an (n, ``draws``) array of numbers in [0, 1).

        Each structure depends on its own row alone. ``candidates`` and ``attempts`` are left at zero.
        """


def shards(size: int, shard_size: int) -> list[tuple[int, int]]:
    """Ranges [start, stop) that cut a pool."""
    return [(start, min(start + shard_size, size)) for start in range(0, size, shard_size)]


def sample(
    options: PoolOptions, prototypes: Sequence[Prototype], *, seed: int, pool: str, start: int, stop: int
) -> Batch:
    """Candidates ``start`` to ``stop`` (excluded) of a pool.

    Parameters
    ----------
    options : PoolOptions
    prototypes : sequence of Prototype
    seed, pool
        Seed of the study and name of the pool; each pair is a stream of its own.
    start, stop : int
        Range of indices. Candidate i is the same in whichever range it is asked for.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If a candidate breaks the constraints at every draw.
    """
    sampler: Sampler = import_module(SAMPLERS[options.sampler]).make(getattr(options, options.sampler), prototypes)
    indices = np.arange(start, stop)
    batch = _draw(sampler, seed, pool, indices, 0)
    rows = _refused(batch, np.arange(len(batch)), options.constraints)
    for attempt in range(1, options.constraints.redraws):
        if not len(rows):
            return batch
        batch = batch.replaced(rows, _draw(sampler, seed, pool, indices[rows], attempt))
        rows = _refused(batch, rows, options.constraints)
    if len(rows):
        raise InputError(
            f"pools.constraints.min_distance: candidate {indices[rows[0]]} of pool {pool} had atoms closer than"
            f" {options.constraints.min_distance} of their covalent radii in all of its {options.constraints.redraws}"
            " draws; lower it, or make the sampler gentler."
        )
    return batch


def _draw(sampler: Sampler, seed: int, pool: str, indices: np.ndarray, attempt: int) -> Batch:
    batch = sampler(uniforms(seed, pool, indices, attempt, sampler.draws))
    batch.candidates[:] = indices
    batch.attempts[:] = attempt
    return batch


def _refused(batch: Batch, rows: np.ndarray, constraints: ConstraintOptions) -> np.ndarray:
    return np.array([k for k in rows if too_close(batch.atoms(k), constraints.min_distance)], dtype=np.int64)


def uniforms(seed: int, pool: str, indices: np.ndarray, attempt: int, draws: int) -> np.ndarray:
    """Uniform numbers in [0, 1) that belong to candidates, whichever others are asked for with them.

    The counter-based generator Philox is keyed by (seed, pool, attempt), and the candidate's index is its
    counter: any candidate's numbers are reached without making those before it.

    Parameters
    ----------
    indices : (n,) int array
        Increasing indices.
    draws : int
        Numbers a candidate.

    Returns
    -------
    (n, draws) float64
    """
    blocks = -(-draws // 4)  # one step of the counter gives four numbers
    values = np.empty((len(indices), 4 * blocks))
    runs = np.split(np.arange(len(indices)), np.flatnonzero(np.diff(indices) != 1) + 1)
    for run in runs:
        if len(run):
            start = stream(f"{seed}/candidates/{pool}/{attempt}", counter=int(indices[run[0]]) * blocks)
            values[run] = np.random.Generator(start).random((len(run), 4 * blocks))
    return values[:, :draws]
