"""Proof of a max-min design on distances of structures, by every distance of its pool."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gapdesign.descriptors.covariance import reach
from gapdesign.descriptors.structure_distances import StructurePool
from gapdesign.methods.base import Wrong
from gapdesign.methods.maxmin.certificate import unaffordable
from gapdesign.methods.shared.costs import affordable, spent_before

EVERY = 100
"""Number of candidates between lines of progress."""

LAST_DIGITS = 1e-12
"""Largest change of a distance when it is written as text."""


def first_wrong_rank(
    structures: StructurePool,
    *,
    candidates: np.ndarray,
    distances: np.ndarray,
    outside: np.ndarray,
    costs: np.ndarray | None = None,
    core_hours: float | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Wrong | None:
    """Check a design and its certificate against every candidate of the pool and all existing structures.

    A design is exact if each rank is farther from those before it than any other candidate left out, or as far and
    with a smaller index; its certificate is exact if `outside` is the distance of the next rank. Rank 0 is taken as
    given if there is no existing set.

    Parameters
    ----------
    candidates, distances, outside : (n,)
        The design: indices, D of each when chosen, and D of the farthest candidate outside after each.
    costs, core_hours
        As for :func:`gapdesign.methods.maxmin.certificate.first_wrong_rank`.

    Returns
    -------
    Wrong or None
        None if the design is exact.
    """
    for rank, candidate in enumerate(candidates):
        if candidate in candidates[:rank]:
            return Wrong(rank, f"candidate {candidate} is chosen twice")
    spent = None if core_hours is None else spent_before(costs[candidates])
    if spent is not None and (wrong := unaffordable(costs[candidates], spent, core_hours)) is not None:
        return wrong
    before = len(structures.existing)
    ranks = [*structures.existing, *(structures[int(candidate)] for candidate in candidates)]
    place = {int(candidate): rank for rank, candidate in enumerate(candidates)}
    best, farthest = np.full(len(candidates) + 1, -1), np.zeros(len(candidates) + 1)
    earlier, earlier_psi = best[:-1].copy(), farthest[:-1].copy()
    own_psi = np.zeros(len(candidates))
    for candidate in range(structures.size):
        psi = _psi(structures, candidate, ranks)[max(before - 1, 0) :]
        psi = psi if before else np.concatenate([[np.inf], psi])
        psi[place.get(candidate, len(candidates)) + 1 :] = -np.inf
        if spent is not None:
            psi[~affordable(costs[candidate], spent, core_hours)] = -np.inf
        further = psi > farthest
        farthest[further], best[further] = psi[further], candidate
        further = (psi[:-1] > earlier_psi) & (candidate < candidates)
        earlier_psi[further], earlier[further] = psi[:-1][further], candidate
        if candidate in place:
            own_psi[place[candidate]] = psi[place[candidate]]
        if (candidate + 1) % EVERY == 0:
            progress(f"{candidate + 1} of {structures.size} candidates checked")
    roots, least = np.sqrt(farthest), reach(farthest)
    for rank, mine in enumerate(np.sqrt(own_psi)):
        if rank or before:
            if own_psi[rank] < least[rank]:
                return Wrong(rank, f"candidate {best[rank]} left out is at {roots[rank]:.12g}, and comes before it")
            if earlier_psi[rank] >= least[rank]:
                far = np.sqrt(earlier_psi[rank])
                return Wrong(rank, f"candidate {earlier[rank]} left out is at {far:.12g}, and comes before it")
            if abs(mine - distances[rank]) > LAST_DIGITS:
                return Wrong(rank, f"its distance is {mine:.12g}, not {distances[rank]:.12g}")
            if rank and abs(outside[rank - 1] - mine) > LAST_DIGITS:
                return Wrong(rank - 1, f"the next rank is at {mine:.12g}, not {outside[rank - 1]:.12g}")
        last = roots[rank + 1]
        if not np.sqrt(least[rank + 1]) - LAST_DIGITS <= outside[rank] <= last + LAST_DIGITS:
            return Wrong(rank, f"the farthest left out is at {last:.12g}, not {outside[rank]:.12g}")
    return None


def _psi(structures: StructurePool, candidate: int, ranks: list) -> np.ndarray:
    """Return the squared distance (n,) of a candidate from the first 1, 2, ..., n ranks."""
    itself = structures[candidate]
    nearest = np.minimum.accumulate([structures.distance2(itself, rank) for rank in ranks], axis=0)
    return nearest.max(axis=1)
