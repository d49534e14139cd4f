"""Sampler `mixture`: several samplers in one pool, each with a weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gapdesign.samplers.shared.draw import Draw, uniforms
from gapdesign.structures import Batch, concatenate


class Mixture:
    """Sampler that leaves each candidate to one of several samplers.

    The choice is a function of (seed, pool, index) alone and stays when a candidate is drawn again: the weights are
    shares of the finished pool, however often a sampler's candidates are refused.

    Parameters
    ----------
    samplers : mapping of str to Sampler
    weights : mapping of str to float
        Share of each sampler, relative to the others.
    """

    def __init__(self, samplers: Mapping[str, Callable[[Draw], Batch]], weights: Mapping[str, float]) -> None:
        # By name, so that the order in the configuration does not matter.
        self._samplers = [samplers[name] for name in sorted(weights)]
        self._bounds = np.cumsum([weights[name] for name in sorted(weights)])

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        chosen = self.choose(draw)
        rows = [np.flatnonzero(chosen == number) for number in range(len(self._samplers))]
        batches = [sampler(draw.at(mine)) for sampler, mine in zip(self._samplers, rows, strict=True) if len(mine)]
        return concatenate(batches).take(np.argsort(np.concatenate(rows)))

    def choose(self, draw: Draw) -> np.ndarray:
        """Return the number of each candidate's sampler, in alphabetical order."""
        numbers = uniforms(f"{draw.seed}/mixture/{draw.pool}", draw.indices, 1)[:, 0]
        chosen = np.searchsorted(self._bounds, numbers * self._bounds[-1], side="right")
        return np.minimum(chosen, len(self._bounds) - 1)
