"""Method `maxmin`: each next structure is the one farthest from all chosen before (BR figure 2, appendix B).

The order is that of the plain greedy algorithm on the whole pool. It is found in two steps. `search`
picks, shard by shard and roughly, structures that are likely to matter. `select` runs the greedy
algorithm on those alone, then passes over the whole pool with a matrix product a block to find every
candidate that is at least as far, at any rank, as the one chosen there; those join, and the greedy
algorithm runs again. When a pass finds none, no candidate left out could ever have been chosen, and the
order is exact, whatever `search` had found.

Matrix products round differently from one machine to the next. A candidate within the bound of that
rounding counts as found; among such near ties distances by the defining computation decide, then the
smaller index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.methods import Selection, Task
from gapdesign.methods.distance import farthest, mean_descriptor


def search(features: np.ndarray, covariance: Covariance, budget: int) -> np.ndarray:
    """Rows of one shard that are likely to be in the design: a greedy order of its own.

    Parameters
    ----------
    features : (n, dimension)
    covariance : Covariance
    budget : int

    Returns
    -------
    (at most ``budget``,) int64
        Rows in greedy order, from the one farthest from the shard's first.
    """
    similarity = covariance.gram(features, features[:1])[:, 0]
    return _spread(features, covariance, 2 - 2 * similarity, budget)


def select(task: Task) -> Selection:
    """The exact greedy max-min order.

    It ends before the budget when every candidate left out coincides with a chosen one.
    """
    mean = mean_descriptor(task.pool, task.covariance, task.block_rows)
    start = farthest(task.pool, task.covariance, mean, task.block_rows)
    core = np.unique(np.concatenate([[start], *task.found.values()])).astype(np.int64)
    passes = 2
    while True:
        features = task.pool.rows(core)
        order, distance2 = greedy(features, task.covariance, int(np.searchsorted(core, start)), task.budget)
        check = inspect(task, core[order], distance2, core)
        passes += 1
        task.progress(
            f"pass {passes}: {len(order)} ranks from {len(core)} of {task.pool.size} candidates,"
            f" {len(check.missing)} more to consider, exact up to rank {check.proved}"
        )
        if not len(check.missing):
            break
        core = np.union1d(core, check.missing)
    first = task.covariance.distance2(features[order[:1]], mean)
    distances = np.sqrt(np.concatenate([first, distance2[1:]]))
    return Selection(core[order], distances, np.sqrt(check.outside), passes)


def greedy(features: np.ndarray, covariance: Covariance, start: int, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Plain greedy max-min on features that are held in memory.

    Parameters
    ----------
    features : (n, dimension)
        In the order of their indices: of equal distances the first row wins.
    start : int
        Row that is chosen first.

    Returns
    -------
    order : (m,) int64
        Rows chosen; fewer than ``budget`` if the rest coincide with them.
    distance2 : (m,) float64
        D2 of each to the nearest before it, by the defining computation; infinite for the first.
    """
    rounding = covariance.rounding
    diagonal = covariance.diagonal(features)
    psi = np.full(len(features), np.inf)
    order, distance2 = [start], [np.inf]
    while len(order) < min(budget, len(features)):
        latest = order[-1]
        similarity = covariance.gram(features, features[latest : latest + 1])[:, 0]
        np.minimum(psi, diagonal + diagonal[latest] - 2 * similarity, out=psi)
        psi[latest] = -np.inf
        near = np.flatnonzero(psi >= psi.max() - 2 * rounding)
        exact = np.array([covariance.distance2(features[order], features[k]).min() for k in near])
        if exact.max() <= covariance.overlap:
            break
        order.append(int(near[np.argmax(exact)]))
        distance2.append(float(exact.max()))
    return np.array(order, dtype=np.int64), np.array(distance2)


@dataclass(frozen=True)
class Inspection:
    """What a pass over the pool says of a design.

    Attributes
    ----------
    missing : (n,) int64
        Candidates outside the core that the greedy algorithm might have preferred at some rank.
    proved : int
        Ranks before the first at which there is such a candidate.
    outside : (m,) float64
        After each rank, the largest D2 from the ranks so far of any candidate not among them.
    """

    missing: np.ndarray
    proved: int
    outside: np.ndarray


def inspect(task: Task, design: np.ndarray, distance2: np.ndarray, core: np.ndarray) -> Inspection:
    """Compare every candidate of the pool, at every rank, with the one chosen there.

    Parameters
    ----------
    design : (m,) int64
        Candidates in the order chosen.
    distance2 : (m,) float64
        D2 of each when chosen.
    core : (n,) int64
        Candidates that the choice already considered.
    """
    covariance, rounding = task.covariance, task.covariance.rounding
    chosen = task.pool.rows(design)
    diagonal = covariance.diagonal(chosen)
    ranks = np.arange(len(design))
    # Rank k + 1 was chosen by its distance from ranks 0..k; a design that ended early left only coinciding ones.
    bar = np.append(distance2[1:], np.inf if len(design) == task.budget else covariance.overlap)
    missing, proved = [], len(design)
    top, near = np.full(len(design), -np.inf), []
    for start, features in task.pool.blocks(task.block_rows):
        psi = covariance.diagonal(features)[:, None] + diagonal - 2 * covariance.gram(features, chosen)
        np.minimum.accumulate(psi, axis=1, out=psi)
        here = np.arange(start, start + len(features))
        inside = np.isin(here, design)
        psi[inside] = np.where(
            ranks[None, :] >= np.array([np.flatnonzero(design == k)[0] for k in here[inside]], dtype=int)[:, None],
            -np.inf,
            psi[inside],
        )
        top = np.maximum(top, psi.max(axis=0))
        rows, columns = np.nonzero(psi >= top - 2 * rounding)
        near.append(np.stack([columns, start + rows, psi[rows, columns]]))
        over = psi >= bar - 2 * rounding
        over[np.isin(here, core)] = False
        if over.any():
            proved = min(proved, int(np.flatnonzero(over.any(axis=0))[0]) + 1)
            rows = np.flatnonzero(over.any(axis=1))
            rows = rows[_spread(features[rows], covariance, psi[rows, -1], task.budget)]
            missing.extend(start + rows)
    outside = _settle(task, design, top, np.concatenate(near, axis=1))
    return Inspection(np.array(missing, dtype=np.int64), proved, outside)


def _settle(task: Task, design: np.ndarray, top: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Largest D2 outside after each rank, by the defining computation among near ties."""
    rounding = task.covariance.rounding
    chosen = task.pool.rows(design)
    outside = np.zeros(len(design))
    for rank in range(len(design)):
        mine = (near[0] == rank) & (near[2] >= top[rank] - 2 * rounding) & np.isfinite(near[2])
        features = task.pool.rows(np.unique(near[1, mine]).astype(np.int64))
        for row in features:
            outside[rank] = max(outside[rank], task.covariance.distance2(chosen[: rank + 1], row).min())
    return outside


def _spread(features: np.ndarray, covariance: Covariance, psi: np.ndarray, budget: int) -> np.ndarray:
    """Greedy max-min rows from given distances ``psi`` (n,), without settling ties: good enough for a guess."""
    psi = np.array(psi)
    rows = []
    while len(rows) < min(budget, len(features)):
        rows.append(int(psi.argmax()))
        similarity = covariance.gram(features, features[rows[-1] : rows[-1] + 1])[:, 0]
        np.minimum(psi, 2 - 2 * similarity, out=psi)
        psi[rows[-1]] = -np.inf
    return np.array(rows, dtype=np.int64)
