"""Test sets by what made them, because a design does well on sets that are like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapdesign.methods import is_baseline

if TYPE_CHECKING:
    from gapdesign.config.study import Study

RANDOM, CHOSEN, NEITHER = "drawn", "chosen", "neither"
"""Drawn blindly from a pool that designs are chosen from; chosen from one by another method; from a pool that is
sampled otherwise than those of all designs that models are fitted to."""

FAMILIES = (RANDOM, CHOSEN, NEITHER)


def families(study: Study) -> dict[str, str]:
    """Return the family of the test set that each design of a study is, in order.

    A pool of the same sampler with the same options, whatever its name and size, is the same to a model.
    """
    trained = [_sampling(study, name) for name in study.fitted()]
    found = {}
    for name in study.compared():
        if _sampling(study, name) not in trained:
            found[name] = NEITHER
        else:
            found[name] = RANDOM if is_baseline(study.designs[name].method) else CHOSEN
    return found


def _sampling(study: Study, design: str) -> object:
    return study.pools.of(study.designs[design].pool).sampling
