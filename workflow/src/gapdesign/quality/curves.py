"""Measures of designs against budget and pool, beside random draws: the tables of the design page.

Prefixes of a design are its smaller budgets; a random half, quarter, ... of the candidates are its smaller pools,
from each of which the method chooses again (BR's convergence study). All are measured against the same candidates,
at most ``quality.sample`` of the whole pool, so that curves and bands may be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.methods.shared.chance import shuffled
from gapdesign.methods.shared.resources import block_rows
from gapdesign.quality.measures import Prefixes, nearest_distances, rounded, squared_distances
from gapdesign.shards import SampledPool
from gapdesign.structures import strain_magnitudes

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.shards import FeaturePool, HeldPool

SMALLEST = 5
"""Structures in the smallest prefix, except for designs of fewer than twice as many."""

_COLUMNS = 256
"""Members whose products with a block are computed at once."""


@dataclass(frozen=True)
class Choice:
    """Structures chosen from a pool, or from a part of it.

    Attributes
    ----------
    pool, design : str
        Names; no design for a random draw.
    draw : int or None
        Number of the random draw.
    of : int
        Number of candidates that it was chosen from.
    candidates : (n,) int64
        In the order chosen.
    """

    pool: str
    design: str
    draw: int | None
    of: int
    candidates: np.ndarray


def prefix_sizes(n: int) -> list[int]:
    """Return the sizes at which a design of ``n`` is measured, increasing: n and its halves, with steps of root 2."""
    sizes = {n} | {int(np.ceil(n / 2 ** (k / 2) - 1e-9)) for k in range(1, 2 * n.bit_length())}
    return sorted(size for size in sizes if size >= min(-(-n // 2), SMALLEST))


def random_draws(
    pool: str,
    size: int,
    subpools: Sequence[int],
    *,
    budget: int,
    draws: int,
    seed: int,
    order: np.ndarray | None = None,
) -> list[Choice]:
    """Draw simple random samples of a pool and of its smaller pools.

    They are drawn as the method `random` draws a design; a prefix of a draw is itself a draw.

    Parameters
    ----------
    pool : str
        Its name, which with ``seed`` names the streams of random numbers.
    size : int
        Candidates in it.
    subpools : sequence of int
        Candidates of its smaller pools.
    budget, draws : int
        Structures in each draw, and draws from each.
    seed : int
        Of the study.
    order : (size,) int64, optional
        Candidates in the order in which they make up smaller pools; by default by index.
    """
    place, choices = np.arange(size), []
    if order is not None:
        place[order] = np.arange(size)
    for draw in range(draws):
        drawn = shuffled(f"{seed}/quality/{pool}/{draw}", size)
        # Copies, or each would hold on to an order of all candidates.
        choices += [Choice(pool, "", draw, of, drawn[place[drawn] < of][:budget].copy()) for of in [*subpools, size]]
    return choices


def curves(
    choices: Sequence[Choice],
    pool: FeaturePool | HeldPool,
    sample: SampledPool | HeldPool,
    covariance: Covariance,
    *,
    costs: Mapping[int, float],
    rows: int,
    together: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Measure the prefixes of each choice from the whole pool, and each choice from a smaller pool as a whole.

    Draws of one pool have many members in common, and each is compared with the sample once for all of them.

    Parameters
    ----------
    choices : sequence of Choice
    pool : FeaturePool or HeldPool
        What they were chosen from.
    sample : SampledPool or HeldPool
        The candidates that they are measured against.
    covariance : Covariance
    costs : mapping
        Candidate to core-hours of its label; where one has none, the cost is left out.
    rows : int
        Of the sample, that are measured at once.
    together : int
        Most members, of one choice or of several, whose features and products with these rows are held.
    progress : callable
        Called with the number of choices done and all.

    Returns
    -------
    pandas.DataFrame
        Columns ``pool``, ``design``, ``draw``, ``candidates``, those of
        :class:`gapdesign.quality.measures.Quality`, and ``label_core_hours``.
    """
    import pandas as pd

    table, done = [], 0
    ends = {len(choice.candidates) for choice in choices if choice.of == pool.size}
    for group in _groups(choices, together, together * pool.dimension // 2):
        everyone, places = np.unique(np.concatenate([choice.candidates for choice in group]), return_inverse=True)
        places = np.split(places, np.cumsum([len(choice.candidates) for choice in group])[:-1])
        features = pool.rows(everyone)
        prefixes = [
            Prefixes(features[mine], _sizes(len(mine), ends) if choice.of == pool.size else [len(mine)], covariance)
            for choice, mine in zip(group, places, strict=True)
        ]
        for start, block in sample.blocks(rows):
            progress(done + len(group) * start // sample.size, len(choices))
            cross, prior = _products(block, features, covariance), covariance.diagonal(block)
            for prefix, mine in zip(prefixes, places, strict=True):
                prefix.add(cross[:, mine], prior)
        for choice, prefix in zip(group, prefixes, strict=True):
            cost = np.cumsum([costs.get(int(candidate), np.nan) for candidate in choice.candidates])
            table += [
                _names(choice)
                | {"candidates": choice.of}
                | rounded(asdict(quality) | {"label_core_hours": float(cost[quality.size - 1])})
                for quality in prefix.measured()
            ]
        done += len(group)
    return pd.DataFrame(table).astype({"draw": "Int64"})


def rows_beside(memory: int, dimension: int, members: int) -> int:
    """Return the number of rows of a sample that fit ``memory`` (MiB) with their products with so many members."""
    return block_rows(memory, dimension, members // 4 + _COLUMNS)


def _groups(choices: Sequence[Choice], members: int, pairs: int) -> Iterator[list[Choice]]:
    """Part choices, in order, into groups of so many distinct members and pairs of members, or of one choice."""
    group: list[Choice] = []
    known, among = np.array([], np.int64), 0
    for choice in choices:
        more = np.union1d(known, choice.candidates)
        if group and (len(more) > members or among + len(choice.candidates) ** 2 > pairs):
            yield group
            group, more, among = [], np.unique(choice.candidates), 0
        group.append(choice)
        known, among = more, among + len(choice.candidates) ** 2
    if group:
        yield group


def _products(block: np.ndarray, features: np.ndarray, covariance: Covariance) -> np.ndarray:
    """Return the covariance (rows, n) of a block and n members."""
    block = np.asarray(block, float)
    cross = np.empty((len(block), len(features)))
    for start in range(0, len(features), _COLUMNS):
        part = slice(start, start + _COLUMNS)
        cross[:, part] = covariance.gram(block, features[part])
    return cross


def _sizes(n: int, ends: Set[int]) -> list[int]:
    """Return the sizes at which one of several designs is measured: its own, and the ends of smaller ones beside it."""
    return sorted({*prefix_sizes(n), *(end for end in ends if end < n)})


def _names(choice: Choice) -> dict[str, object]:
    return {"pool": choice.pool, "design": choice.design, "draw": choice.draw}


def members(
    choices: Sequence[Choice],
    pool: FeaturePool | HeldPool,
    covariance: Covariance,
    structures: Mapping[int, Atoms],
    costs: Mapping[int, float],
) -> pd.DataFrame:
    """Return a row per member of each choice from the whole pool.

    Returns
    -------
    pandas.DataFrame
        Columns ``pool``, ``design``, ``draw``, ``rank``, ``candidate``; ``nearest``, the distance D to the nearest
        other member; ``strain``, the magnitude of its deformation, if it is deformed (BR figure 4); ``core_hours``.
    """
    import pandas as pd

    rows = []
    for choice in choices:
        if choice.of != pool.size:
            continue
        features = pool.rows(choice.candidates)
        nearest = nearest_distances(squared_distances(features, features, covariance))
        for rank, candidate in enumerate(map(int, choice.candidates)):
            strain = strain_magnitudes([structures[candidate]])
            row = {"rank": rank, "candidate": candidate, "nearest": float(nearest[rank])}
            row |= {"strain": float(strain[0]) if len(strain) else np.nan, "core_hours": costs[candidate]}
            rows.append(_names(choice) | rounded(row))
    return pd.DataFrame(rows).astype({"draw": "Int64"})
