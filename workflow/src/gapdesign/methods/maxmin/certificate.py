"""Proof of a max-min design: one pass over the pool, independent of how the design was chosen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gapdesign.descriptors.covariance import Covariance, reach
from gapdesign.methods.base import Wrong
from gapdesign.methods.shared.costs import affordable, spent_before
from gapdesign.methods.shared.resources import block_rows
from gapdesign.shards import FeaturePool, HeldPool


def unaffordable(costs: np.ndarray, spent: np.ndarray, core_hours: float) -> Wrong | None:
    """Return the first rank (n,) whose label a budget no longer pays for, given what is spent before each (n + 1,)."""
    fits = affordable(costs, spent[:-1], core_hours)
    if fits.all():
        return None
    rank = int(np.argmin(fits))
    return Wrong(rank, f"its label costs {costs[rank]:.6g} core-hours, and {core_hours - spent[rank]:.6g} are left")


def first_wrong_rank(
    pool: FeaturePool | HeldPool,
    covariance: Covariance,
    *,
    candidates: np.ndarray,
    distances: np.ndarray,
    outside: np.ndarray,
    existing: np.ndarray | None = None,
    costs: np.ndarray | None = None,
    core_hours: float | None = None,
    memory: int = 1024,
    progress: Callable[[str], None] = lambda line: None,
) -> Wrong | None:
    """Check a design and its certificate against every candidate of the pool, in double precision.

    A design is exact if, after each rank, no candidate left out is farther from the ranks so far than the next
    rank is, and none that is as far has a smaller index; its certificate is exact if `outside` is that distance. The
    first rank is taken as given.

    Parameters
    ----------
    candidates, distances, outside : (n,)
        The design: indices, D of each when chosen, and D of the farthest candidate outside after each.
    existing : (m, dimension), optional
        Features of the existing structures.
    costs : (N,) float64, optional
        Core-hours of the label of each candidate, for a design that a budget of them ended.
    core_hours : float, optional
        That budget: every rank is compared with those that were still affordable before it, and `outside` is of
        those that are after it.
    memory : int
        In MiB.

    Returns
    -------
    Wrong or None
        None if the design is exact.
    """
    if len(np.unique(candidates)) < len(candidates):
        rank = next(k for k in range(len(candidates)) if candidates[k] in candidates[:k])
        return Wrong(rank, f"candidate {candidates[rank]} is chosen twice")
    spent = None if core_hours is None else spent_before(costs[candidates])
    if spent is not None and (wrong := unaffordable(costs[candidates], spent, core_hours)) is not None:
        return wrong
    chosen = pool.rows(candidates)
    before = np.zeros((0, pool.dimension), np.float32) if existing is None else existing
    everything = np.concatenate([before, chosen])
    own, first = covariance.diagonal(everything), len(before)
    margin = 2 * covariance.rounding
    farthest, earlier = np.zeros(len(candidates) + 1), np.zeros(len(candidates))
    rows = block_rows(memory, pool.dimension, len(everything))
    done = 0
    for start, features in pool.blocks(rows):
        psi = covariance.diagonal(features)[:, None] + own - 2 * covariance.gram(features, everything)
        np.minimum.accumulate(psi, axis=1, out=psi)
        # Column j: distance from existing structures and ranks 0..j - 1; without any of these there is none.
        psi = psi[:, max(first - 1, 0) :]
        if not first:
            psi = np.column_stack([np.zeros(len(psi)), psi])
        for rank in np.flatnonzero((candidates >= start) & (candidates < start + len(features))):
            psi[candidates[rank] - start, rank + 1 :] = 0.0
        if spent is not None:
            psi[~affordable(costs[start : start + len(features), None], spent, core_hours)] = 0.0
        np.maximum(farthest, psi.max(axis=0), out=farthest)
        before = np.arange(start, start + len(psi))[:, None] < candidates
        np.maximum(earlier, psi[:, :-1].max(axis=0, where=before, initial=0.0), out=earlier)
        done += len(features)
        progress(f"{done} of {pool.size} candidates checked")
    for rank in range(len(candidates)):
        if rank or first:
            mine = covariance.distance2(everything[: first + rank], chosen[rank]).min()
            if not np.isclose(np.sqrt(mine), distances[rank], rtol=0, atol=1e-12):
                return Wrong(rank, f"its distance is {np.sqrt(mine):.12g}, not {distances[rank]:.12g}")
            if reach(farthest[rank]) > mine + margin:
                return Wrong(rank, f"a candidate left out is at {np.sqrt(farthest[rank]):.12g}, farther than it")
            if earlier[rank] > reach(farthest[rank]) + margin:
                return Wrong(
                    rank, f"a candidate with a smaller index is at {np.sqrt(earlier[rank]):.12g}, as far as it"
                )
            if rank and abs(outside[rank - 1] - np.sqrt(mine)) > 1e-12:
                return Wrong(rank - 1, f"the next rank is at {np.sqrt(mine):.12g}, not {outside[rank - 1]:.12g}")
        last = farthest[rank + 1]
        if not reach(last) - margin - 4e-16 <= outside[rank] ** 2 <= last + margin + 4e-16:
            return Wrong(rank, f"the farthest left out is at {np.sqrt(last):.12g}, not {outside[rank]:.12g}")
    return None
