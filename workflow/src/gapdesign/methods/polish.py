"""Designs polished in the continuous parameters of their pool's sampler, by coordinate exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from gapdesign.config.options import Options
from gapdesign.methods.shared.coordinates import Criterion, Trials, exchange
from gapdesign.methods.shared.distance import copies

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.samplers.shared.space import Space
    from gapdesign.structures import Batch

POLISHED, PARAMETERS = "polished", "parameters"
"""Names in ``info`` of structures that were polished, and of their parameters."""

PREFIX = "polished "
"""Beginning of what stands for a method where its designs are polished, which are then compared as those of another."""

OF_PLACE = ("pool", "candidate", "rank")
"""Names in ``info`` of what says where a structure began."""


class PolishOptions(Options):
    """How ranks are polished in the continuous parameters of their sampler."""

    values: int = Field(9, ge=2, le=1000, description="Values that are tried for each parameter.")
    sweeps: int = Field(
        5, ge=1, le=1000, description="Largest number of sweeps over all ranks, at each grid of values."
    )
    refinements: int = Field(
        3,
        ge=0,
        le=50,
        description="Number of times that the grid shrinks around the present values, by half each time.",
    )


def _written_out(polish: Any) -> Any:
    return {True: {}, False: None}[polish] if isinstance(polish, bool) else polish


Polish = Annotated[
    PolishOptions | None,
    BeforeValidator(_written_out, json_schema_input_type=bool | PolishOptions | None),
]
"""Whether and how ranks are polished: a block of options, or `true` for their defaults."""


@dataclass(frozen=True)
class Summary:
    """What polishing did.

    Attributes
    ----------
    criterion : str
        What was raised.
    before, after : float
        That of the design as chosen, and of the polished one.
    moved, ranks : int
        Ranks that are other structures than the candidates that they began as, and all.
    described : int
        Structures that were described on the way.
    """

    criterion: str
    before: float
    after: float
    moved: int
    ranks: int
    described: int


@dataclass(frozen=True)
class Polished:
    """A design after its ranks were polished.

    Attributes
    ----------
    points : (n, k)
        Parameters.
    batch : Batch
        The structures at these.
    moved : (n,) bool
        Whether each is another structure than the candidate that it began as.
    criterion : Criterion
        With the features of the structures.
    summary : Summary
    """

    points: np.ndarray
    batch: Batch
    moved: np.ndarray
    criterion: Criterion
    summary: Summary


def polish(
    criterion: Criterion,
    space: Space,
    candidates: Batch,
    describe: Callable[[Batch], np.ndarray],
    covariance: Covariance,
    options: PolishOptions,
    progress: Callable[[str], None] = lambda line: None,
) -> Polished:
    """Move the ranks of a design within the space of its pool, as long as that raises its quality.

    Each keeps its prototype, satisfies the constraints of the pool, stays within the bounds of the sampler, and moves
    onto no other rank and no existing structure.

    Parameters
    ----------
    criterion : Criterion
        Of the design as chosen.
    space : Space
        The parameters of the pool's sampler.
    candidates : Batch
        The design as chosen.
    describe : callable
        Returns the features (n, dimension) of structures.
    covariance : Covariance
    options : PolishOptions
    progress : callable
        Called with a line of text now and then.
    """
    starts, before, described = space.points(candidates), criterion.value(), 0
    progress(f"{criterion.words} of the {len(candidates)} structures as chosen: {before:.6g}")

    def trials(place: int, points: np.ndarray) -> Trials:
        nonlocal described
        batch = space.at(np.full(len(points), candidates.prototypes[place]), points)
        kept = np.flatnonzero(space.allowed(batch))
        if not len(kept):
            return Trials(kept, np.zeros((0, 0)))
        described += len(kept)
        features = describe(batch.take(kept))
        is_own = ~copies(features, criterion.others(place), covariance)
        return Trials(kept[is_own], features[is_own])

    grid = np.linspace(0, 1, options.values)
    given = {"grid": grid, "sweeps": options.sweeps, "refinements": options.refinements, "progress": progress}
    points = exchange(criterion, starts, trials, **given)
    batch, moved = space.at(candidates.prototypes, points), (points != starts).any(axis=1)
    summary = Summary(criterion.words, before, criterion.value(), int(moved.sum()), len(moved), described)
    return Polished(points, batch, moved, criterion, summary)


def frames(polished: Polished, chosen: Sequence[Atoms], distances: np.ndarray) -> list[Atoms]:
    """Return the structures of a polished design.

    Each carries in ``info`` the pool, candidate and rank that it began as, its distance from the ranks before it and
    from existing structures, ``polished``, which is false where it is still that candidate, ``parameters``, its
    score if the method has scores, prototype, and deformation. There is no certificate.

    Parameters
    ----------
    polished : Polished
    chosen : sequence of Atoms
        The design as chosen.
    distances : (n,)
        Distance of each to the nearest before it.
    """
    scores, ordered = polished.criterion.scores(), []
    for rank, before in enumerate(chosen):
        atoms = polished.batch.atoms(rank)
        del atoms.info["candidate"]
        told: dict[str, Any] = {key: before.info[key] for key in OF_PLACE}
        told["distance"] = float(distances[rank])
        if scores is not None:
            told["score"] = float(scores[rank])
        told |= {POLISHED: bool(polished.moved[rank]), PARAMETERS: polished.points[rank]}
        atoms.info = told | atoms.info
        ordered.append(atoms)
    return ordered


def is_polished(info: Mapping[str, Any]) -> bool:
    """Return whether a structure, by its ``info``, is another one than the candidate that it began as."""
    return bool(info.get(POLISHED, False))
