"""Proof of what can be proved of a polished design: its structures, and that their quality is what its summary says.

The order of a polished design has no certificate, and the design is a local optimum at best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.methods.polish import OF_PLACE, PARAMETERS, POLISHED, Summary
from gapdesign.structures import REASONS

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.methods.shared.coordinates import Criterion
    from gapdesign.samplers.shared.space import Space
    from gapdesign.structures import Batch

WRITTEN = 1e-7
"""Largest difference in angstrom between a structure and its file, which has eight digits."""

CLOSE = 1e-6
"""Largest difference, relative if it is of numbers above 1, between values that are computed again."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What the files of a polished design say.

    Attributes
    ----------
    frames : sequence of Atoms
    features : (n, dimension) float32
    summary : Summary
    """

    frames: Sequence[Atoms]
    features: np.ndarray
    summary: Summary


def first_fault(
    claims: Claims,
    candidates: Batch,
    chosen: Sequence[Atoms],
    *,
    space: Space,
    describe: Callable[[Batch], np.ndarray],
    criterion: Callable[[np.ndarray], Criterion],
    distances: Callable[[np.ndarray], np.ndarray],
) -> str | None:
    """Return what is first found to be wrong with a polished design, in words; None if all is right.

    Parameters
    ----------
    claims : Claims
    candidates : Batch
        The candidates that its ranks began as.
    chosen : sequence of Atoms
        The design as chosen.
    space : Space
    describe : callable
        Returns the features (n, dimension) of structures.
    criterion, distances : callable
        Return the quality of a design with features (n, dimension), and the distances (n,) down it.
    """
    frames, starts = claims.frames, space.points(candidates)
    if len(frames) != len(chosen):
        return f"it has {len(frames)} structures, and the design as chosen {len(chosen)}"
    points = np.full(starts.shape, np.nan)
    for rank, (atoms, before) in enumerate(zip(frames, chosen, strict=True)):
        for key in (*OF_PLACE, "prototype"):
            if atoms.info.get(key) != before.info[key]:
                return f"rank {rank}: {key} is {atoms.info.get(key)}, and {before.info[key]} in the design as chosen"
        point = np.atleast_1d(np.asarray(atoms.info.get(PARAMETERS, ()), float))
        if point.shape != starts[rank].shape or not ((point >= 0) & (point <= 1)).all():
            return f"rank {rank}: its {PARAMETERS} are not {starts.shape[1]} numbers from 0 to 1"
        points[rank] = point
    made = space.at(candidates.prototypes, points)
    allowed, moved = space.allowed(made), (points != starts).any(axis=1)
    for rank, atoms in enumerate(frames):
        if not _same(atoms, made.atoms(rank)):
            return f"rank {rank}: it is not the structure at its {PARAMETERS}"
        if not allowed[rank]:
            return f"rank {rank}: it breaks the constraints of its pool ({', '.join(REASONS)})"
        if atoms.info.get(POLISHED) != moved[rank]:
            return f"rank {rank}: {POLISHED} is {atoms.info.get(POLISHED)}, and its parameters say otherwise"
    return _wrong_numbers(claims, describe(candidates), describe(made), moved, criterion, distances)


def _wrong_numbers(
    claims: Claims,
    before: np.ndarray,
    after: np.ndarray,
    moved: np.ndarray,
    criterion: Callable[[np.ndarray], Criterion],
    distances: Callable[[np.ndarray], np.ndarray],
) -> str | None:
    """Return what is first found to be wrong with the numbers of a design whose structures are right."""
    if claims.features.shape != after.shape or not np.allclose(claims.features, after, rtol=0, atol=CLOSE):
        return "its features are not those of its structures"
    there = [float(atoms.info["distance"]) for atoms in claims.frames]
    for rank, (found, told) in enumerate(zip(distances(after), there, strict=True)):
        if not _close(told, found):
            return f"rank {rank}: its distance is {found:.9g}, not {told:.9g}"
    whole, told = criterion(after), claims.summary
    values: dict[str, tuple[Any, Any]] = {
        "before": (told.before, criterion(before).value()),
        "after": (told.after, whole.value()),
        "moved": (told.moved, int(moved.sum())),
        "ranks": (told.ranks, len(moved)),
    }
    for name, (said, found) in values.items():
        if not _close(said, found):
            return f"{whole.words}, {name}: {found:.9g}, not {said:.9g} as its summary says"
    if told.after < told.before and not _close(told.after, told.before):
        return f"{whole.words}: {told.after:.9g}, less than the {told.before:.9g} of the design as chosen"
    return None


def _same(one: Atoms, other: Atoms) -> bool:
    if not np.array_equal(one.numbers, other.numbers):
        return False
    pairs = ((one.positions, other.positions), (one.cell.array, other.cell.array))
    return all(np.allclose(a, b, rtol=0, atol=WRITTEN) for a, b in pairs)


def _close(one: float, other: float) -> bool:
    return bool(np.isclose(one, other, rtol=CLOSE, atol=CLOSE))
