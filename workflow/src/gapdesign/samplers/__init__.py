"""Sources of candidates: a family of samplers, each a pure function of (seed, pool, index).

Each module here that has a class derived from :class:`Sampler` is one sampler; :mod:`.shared` holds the code that
several of them use, and :mod:`.options` the options of pools in the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.families import Family
from gapdesign.inputs.batches import refuse_infinite, refuse_unsound
from gapdesign.prototypes import Prototype
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared.constraints import KEYS, ConstraintOptions, refusals
from gapdesign.samplers.shared.draw import Draw
from gapdesign.samplers.shared.mixture import Mixture
from gapdesign.structures import REASONS, Batch, concatenate

if TYPE_CHECKING:
    from gapdesign.samplers.options import Sampling

__all__ = ["SAMPLERS", "Sampler", "make", "sample"]

SAMPLERS: Family[Sampler] = Family("gapdesign.samplers", Sampler)
"""Every sampler by its name; `mixture`, which shares a pool among samplers, is not one of them."""


def make(sampling: Sampling, prototypes: Sequence[Prototype]) -> Callable[[Draw], Batch]:
    """Make the sampler of a pool, or the mixture of its samplers.

    Raises
    ------
    InputError
        If its options do not fit the prototypes.
    """
    samplers = {name: SAMPLERS[name](options, prototypes) for name, options in sampling.options.items()}
    return Mixture(samplers, sampling.shares) if len(samplers) > 1 else next(iter(samplers.values()))


def sample(
    sampling: Sampling,
    prototypes: Sequence[Prototype],
    *,
    seed: int,
    pool: str,
    start: int,
    stop: int,
    scratch: Path | None = None,
    frames: Path | None = None,
) -> Batch:
    """Make candidates ``start`` to ``stop`` (excluded) of a pool.

    Parameters
    ----------
    sampling : Sampling
        Sampling of the pool: :attr:`.options.PoolOptions.sampling` of :meth:`.options.PoolOptions.of`.
    prototypes : sequence of Prototype
    seed, pool
        Seed of the study and name of the pool; each pair is a stream of its own.
    start, stop : int
        Range of indices. Candidate i is the same in any range.
    scratch : Path, optional
        Folder from which an interrupted call with the same arguments continues.
    frames : Path, optional
        Index of the frames of the user's file, if it exists.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If a candidate breaks the constraints at every draw, or is no structure.
    """
    sampler, constraints = make(sampling, prototypes), sampling.constraints
    draw = Draw(seed, pool, np.arange(start, stop), scratch=scratch, frames=frames)
    refused = np.zeros((len(draw.indices), len(REASONS)), dtype=np.int32)
    pending, parts, rows = np.arange(len(draw.indices)), [], []
    broken = ""
    for attempt in range(constraints.redraws):
        batch = sampler(replace(draw.at(pending), attempt=attempt, broken=broken))
        refuse_infinite(batch, partial(_named, pool, draw.indices[pending], sampling))
        reason = refusals(batch, constraints)
        good = reason < 0
        refused[pending[~good], reason[~good]] += 1
        parts.append(batch if good.all() else batch.take(np.flatnonzero(good)))
        rows.append(pending[good])
        pending = pending[~good]
        if not len(pending):
            break
        broken = KEYS[REASONS[reason[~good][0]]]
    if len(pending):
        raise _exhausted(constraints, draw.indices[pending[0]], pool, refused[pending[0]])
    whole = parts[0] if len(parts) == 1 else concatenate(parts).take(np.argsort(np.concatenate(rows)))
    refuse_unsound(whole, partial(_named, pool, draw.indices, sampling))
    return replace(whole, candidates=draw.indices, refusals=refused)


def _named(pool: str, candidates: np.ndarray, sampling: Sampling, k: int) -> str:
    return f"pools.{' and '.join(sampling.shares)}: candidate {candidates[k]} of pool {pool}"


def _exhausted(constraints: ConstraintOptions, candidate: int, pool: str, refused: np.ndarray) -> InputError:
    key = KEYS[REASONS[int(refused.argmax())]]
    return InputError(
        f"pools.constraints.{key}: candidate {candidate} of pool {pool} broke {key}: {getattr(constraints, key)} in"
        f" {refused.max()} of its {constraints.redraws} draws and was never accepted; loosen it, or make the sampler"
        " gentler."
    )
