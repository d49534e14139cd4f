"""The tables of the design page for one pool: its designs and random draws from it, gathered and measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.methods.designs import structures
from gapdesign.methods.shared.groups import Groups
from gapdesign.methods.shared.resources import block_rows, hold
from gapdesign.quality.curves import Choice, curves, members, random_draws, rows_beside
from gapdesign.quality.groups import representation
from gapdesign.quality.maps import coverage, placed
from gapdesign.quality.moved import Enlarged, Moved
from gapdesign.quality.samples import order_of
from gapdesign.quality.subpools import subpool_sizes
from gapdesign.shards import SampledPool

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.quality.options import QualityOptions
    from gapdesign.shards import FeaturePool


class PoolTables(NamedTuple):
    """Measurements of one pool.

    Attributes
    ----------
    curves, members : DataFrame
        Of its designs and of random draws; see :mod:`gapdesign.quality.curves`.
    coverage, pools : DataFrame
        Its map, and a row about it; see :mod:`gapdesign.quality.maps`.
    groups : DataFrame
        Its groups in each design; see :mod:`gapdesign.quality.groups`.
    existing : (m, 2)
        Where the structures that designs start from lie on the map.
    """

    curves: pd.DataFrame
    members: pd.DataFrame
    coverage: pd.DataFrame
    pools: pd.DataFrame
    groups: pd.DataFrame
    existing: np.ndarray


def pool_tables(
    name: str,
    pool: FeaturePool,
    shards: Sequence[Path],
    *,
    designs: Mapping[str, np.ndarray],
    regrown: Mapping[str, pd.DataFrame],
    polished: Mapping[str, Moved],
    covariance: Covariance,
    prices: Callable[[Atoms], float],
    options: QualityOptions,
    budget: int,
    seed: int,
    is_ordered: bool,
    memory: int,
    existing: np.ndarray | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PoolTables:
    """Measure the designs of a pool against budget and pool size, beside random draws.

    Parameters
    ----------
    name : str
        The pool's name.
    pool : FeaturePool
    shards : sequence of Path
        Its candidates.
    designs : mapping of str to (n,) int64
        Candidates of each design, in the order chosen; of a polished one, those that it began as.
    regrown : mapping of str to DataFrame
        Tables from :func:`gapdesign.quality.subpools.regrow` for some of them.
    polished : mapping of str to Moved
        Those of them that are polished.
    covariance : Covariance
    prices : callable
        Returns the core-hours of the label of a structure.
    options : QualityOptions
    budget : int
        Number of structures that the study asks for, and of those in a random draw.
    seed : int
        Of the study.
    is_ordered : bool
        Whether candidates with neighbouring indices are more alike than others, so that parts of the pool are drawn.
    memory : int
        In MiB.
    existing : (m, dimension), optional
        Features of structures that designs start from, for the map.
    progress : callable
        Called with the numbers of designs and draws done and in total.
    """
    import pandas as pd

    order = order_of(seed, name, pool.size, is_ordered=is_ordered)
    sample = hold(SampledPool(pool, options.sample, order), memory)
    everything = Enlarged(pool, polished)
    chosen = list(_choices(name, pool.size, {**designs, **everything.members}, regrown))
    halves = subpool_sizes(pool.size, budget, options.subpools, is_light=True)
    drawn = random_draws(
        name, pool.size, halves, budget=min(budget, pool.size), draws=options.draws, seed=seed, order=order
    )
    whole = [choice for choice in [*chosen, *drawn] if choice.of == pool.size]
    found = structures(np.unique(np.concatenate([choice.candidates for choice in whole])), shards)
    found |= everything.structures
    costs = {candidate: prices(atoms) for candidate, atoms in found.items()}
    choices = [*chosen, *drawn]
    distinct = len(np.unique(np.concatenate([choice.candidates for choice in choices])))
    together = max(budget, min(distinct, memory * 2**20 // 8 // (4 * pool.dimension)))
    measured = curves(
        choices,
        everything,
        sample,
        covariance,
        costs=costs,
        rows=rows_beside(memory, pool.dimension, together),
        together=together,
        progress=progress,
    )
    points, about = coverage(chosen, everything, sample, covariance, block_rows(memory, pool.dimension, budget))
    others = np.zeros((0, 2)) if existing is None else placed(existing, sample, covariance)
    return PoolTables(
        curves=measured,
        members=everything.begun(members(whole, everything, covariance, found, costs)),
        coverage=everything.begun(points),
        pools=pd.DataFrame([about]),
        groups=representation(name, Groups.read(shards), designs),
        existing=others,
    )


def _choices(name: str, size: int, designs: Mapping[str, np.ndarray], regrown: Mapping[str, pd.DataFrame]):
    """Yield the designs of a pool, each preceded by those chosen from fewer of its candidates."""
    for design, candidates in designs.items():
        if design in regrown:
            for of, part in regrown[design].groupby("candidates"):
                yield Choice(name, design, None, int(of), part["candidate"].to_numpy())
        yield Choice(name, design, None, size, candidates)
