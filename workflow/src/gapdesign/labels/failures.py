"""Structures without a label: their table, their largest number per design, and the traits that they share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ase import Atoms

from gapdesign.errors import ProgramError
from gapdesign.structures import strain_magnitudes

COLUMNS = ("design", "rank", "pool", "candidate", "engine", "reason", "attempts", "directory")
"""Columns of ``labels/failed.csv``."""

_CHANCE = 1e-3
"""A batch continues as long as its number of failures is more probable than this."""


@dataclass
class Allowance:
    """The number of structures of one design that may go without a label.

    Attributes
    ----------
    frames : sequence of Atoms
        The design.
    share : float
        Largest share of the design that may fail: 0 allows none, any value above it at least one, and 1 any number.
    """

    frames: Sequence[Atoms]
    share: float
    _spent: list[tuple[Mapping[str, Any], Atoms]] = field(default_factory=list, init=False)

    def spend(self, row: Mapping[str, Any], atoms: Atoms, *, tried: int | None = None) -> None:
        """Count a structure without a label.

        Parameters
        ----------
        row
            A row with :data:`COLUMNS`.
        atoms
            The structure.
        tried
            Number of structures of a batch tried so far. A batch, which knows nothing of the others, stops when as many
            of them have failed as would fail by chance, at the allowed share, in only one batch of a thousand.

        Raises
        ------
        ProgramError
            If it is one too many; the message says what they have in common.
        """
        self._spent.append((row, atoms))
        count = len(self._spent)
        if count > self._most():
            much = f"which has {len(self.frames)}, got no label, more than the allowed share of {self.share:g}"
        elif tried is not None and count > 1 and self._chance(count, tried) < _CHANCE:
            much = f"of the first {tried} in a batch, got no label, too many for the allowed share of {self.share:g}"
        else:
            return
        raise ProgramError(
            f"labels.max_failed: {count} structures of {row['design']}, {much}: {in_common(self._spent, self.frames)};"
            " correct the engine's settings, constrain the candidates, or raise labels.max_failed."
        )

    def _chance(self, failed: int, tried: int) -> float:
        """Return the probability that at least as many of those tried fail, if each fails with the allowed share."""
        from scipy.stats import binom

        return float(binom.sf(failed - 1, tried, self.share))

    def _most(self) -> float:
        if self.share in (0, 1):
            return math.inf if self.share else 0
        return max(self.share * len(self.frames), 1)


def in_common(failed: Sequence[tuple[Mapping[str, Any], Atoms]], design: Sequence[Atoms]) -> str:
    """Describe what structures without a label share: reason, prototype and strain, with some examples.

    Parameters
    ----------
    failed
        Rows with :data:`COLUMNS`, each with its structure.
    design
        All structures of the design, to compare with.
    """
    kinds = Counter(_kind(row["reason"]) for row, _ in failed)
    kind, count = kinds.most_common(1)[0]
    example = next(row["reason"] for row, _ in failed if _kind(row["reason"]) == kind)
    parts = [f"{count} of {len(failed)} ({count / len(failed):.0%}) because “{example.rstrip('.')}”"]
    names = Counter(_prototype(atoms) for _, atoms in failed)
    every = Counter(_prototype(atoms) for atoms in design)
    if len(every) > 1:
        shares = [f"{number} {name} (the design has {every[name]})" for name, number in names.most_common()]
        parts.append(f"they are {', '.join(shares)}")
    strains, others = strain_magnitudes(atoms for _, atoms in failed), strain_magnitudes(design)
    if len(strains) and len(others):
        parts.append(
            f"their strain is {strains.min():.3g} to {strains.max():.3g} (the design's {others.min():.3g} to"
            f" {others.max():.3g})"
        )
    first = [f"rank {row['rank']}, candidate {row['candidate']} of pool {row['pool']}" for row, _ in failed[:3]]
    return "; ".join([*parts, f"for example {', '.join(first)}"])


def _kind(reason: str) -> str:
    """Return a reason without its numbers, which differ from structure to structure."""
    return re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", reason)


def _prototype(atoms: Atoms) -> str:
    return str(atoms.info.get("prototype", atoms.get_chemical_formula()))


def structures(rows: Sequence[Mapping[str, Any]], designs: Mapping[str, Sequence[Atoms]]) -> list[Atoms]:
    """Return the structure of each row, by design and rank, with the reason in its ``info``.

    Parameters
    ----------
    rows
        Rows with :data:`COLUMNS`.
    designs
        Each design with its reserve.
    """
    by_rank = {(name, atoms.info["rank"]): atoms for name, frames in designs.items() for atoms in frames}
    frames = []
    for row in rows:
        atoms = by_rank[row["design"], row["rank"]].copy()
        atoms.info.update(design=row["design"], reason=row["reason"])
        frames.append(atoms)
    return frames
