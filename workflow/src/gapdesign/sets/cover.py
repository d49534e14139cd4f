"""What one set of frames does not know of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.sets.features import described
from gapdesign.sets.held import FrameSet
from gapdesign.sets.nearest import among, to_nearest

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms


@dataclass(frozen=True, kw_only=True)
class Cover:
    """Distances of a set from another one.

    Attributes
    ----------
    distances : (n,) float64
        Kernel distance of each of their frames from the nearest of mine.
    nearest : (n,) int64
        Place of that one.
    own : (m,) float64
        Kernel distance of each of my frames from the nearest other that does not coincide with it.
    foreign : list of str
        Elements that my frames do not have.
    """

    distances: np.ndarray
    nearest: np.ndarray
    own: np.ndarray
    foreign: list[str]

    @property
    def spacing(self) -> float:
        """The typical distance of one of my frames from its nearest other: the median."""
        return float(np.median(self.own))

    @property
    def gap(self) -> float:
        """The largest distance of one of my frames from its nearest other."""
        return float(self.own.max())

    @property
    def uncovered(self) -> np.ndarray:
        """Places of their frames that are farther from mine than my spacing, the farthest first."""
        order = np.argsort(-self.distances, kind="stable")
        return order[self.distances[order] > self.spacing]

    def frames(self, theirs: FrameSet, mine: FrameSet) -> list[Atoms]:
        """Return the uncovered frames as they were read.

        ``cover_distance``, ``cover_frame`` (the place in their file) and ``cover_nearest`` (in mine) are in ``info``.
        """
        found = []
        for place in self.uncovered:
            frame, near = theirs.frames[place], mine.frames[self.nearest[place]]
            distance = float(self.distances[place])
            frame.atoms.info |= {"cover_distance": distance, "cover_frame": frame.number, "cover_nearest": near.number}
            found.append(frame.atoms)
        return found

    def table(self, theirs: FrameSet, mine: FrameSet) -> pd.DataFrame:
        """Return a row per frame of theirs, in the order of the file."""
        import pandas as pd

        return pd.DataFrame({
            "frame": [frame.number for frame in theirs.frames],
            "config_type": theirs.config_types,
            "formula": [frame.atoms.get_chemical_formula() for frame in theirs.frames],
            "distance": self.distances,
            "nearest": [mine.frames[place].number for place in self.nearest],
            "uncovered": (self.distances > self.spacing).astype(int),
        })  # fmt: skip

    def groups(self, theirs: FrameSet) -> list[dict[str, Any]]:
        """Return, for each ``config_type`` of theirs, counts and the farthest frame, the farthest group first."""
        names, found = np.array(theirs.config_types), []
        for name in sorted(set(names)):
            places = np.flatnonzero(names == name)
            worst = places[self.distances[places].argmax()]
            found.append({
                "config_type": name,
                "frames": len(places),
                "uncovered": int((self.distances[places] > self.spacing).sum()),
                "median": float(np.median(self.distances[places])),
                "farthest": float(self.distances[worst]),
                "frame": theirs.frames[worst].number,
            })  # fmt: skip
        return sorted(found, key=lambda group: -group["farthest"])


def cover(mine: FrameSet, theirs: FrameSet, backend: str, progress: Callable[[str], None] = lambda line: None) -> Cover:
    """Measure how far the frames of one set are from those of another.

    Raises
    ------
    InputError
        If all frames of mine coincide, so that they have no spacing, or features do not fit into memory.
    """
    elements = sorted({*mine.elements, *theirs.elements})
    description: Mapping[str, Mapping[str, Any]] = mine.description(backend, elements)
    known = described(mine, elements, description, progress)
    own, _ = among(known)
    if not np.isfinite(own).all():
        raise InputError(
            f"MINE: '{mine.name}' has one structure only, and so no spacing that distances could be compared with; give"
            " a file of at least two."
        )
    squared, nearest = to_nearest(described(theirs, elements, description, progress), known.values)
    return Cover(
        distances=np.sqrt(squared),
        nearest=nearest,
        own=np.sqrt(own),
        foreign=sorted({*theirs.elements} - {*mine.elements}),
    )


def in_words(found: Cover, mine: FrameSet, theirs: FrameSet) -> list[str]:
    """Return what was found, a sentence or two a line."""
    count, all_of = len(found.uncovered), len(theirs)
    beyond = int((found.distances > found.gap).sum())
    lines = [
        f"spacing of {mine.name}: {found.spacing:.3g}, the median kernel distance of a frame from its nearest other;"
        f" the largest is {found.gap:.3g}"
    ]
    if found.foreign:
        having = sum(bool({*frame.atoms.symbols} & {*found.foreign}) for frame in theirs.frames)
        lines.append(
            f"{having} of {all_of} frames of {theirs.name} hold {', '.join(found.foreign)}, which {mine.name} does not:"
            " it says nothing about these"
        )
    lines.append(
        f"{count} of {all_of} frames of {theirs.name} are farther than the spacing from all of {mine.name},"
        f" {beyond} of them farther than its largest"
    )
    if not count:
        return lines
    groups = [group for group in found.groups(theirs) if group["uncovered"] and group["config_type"]]
    if groups:
        named = ", ".join(
            f"{group['config_type']} {group['uncovered']} of {group['frames']} (farthest {group['farthest']:.3g})"
            for group in groups[:6]
        )
        lines.append(f"by config_type: {named}" + (f" and {len(groups) - 6} more" if len(groups) > 6 else ""))
    worst = found.uncovered[:5]
    frames = ", ".join(f"{theirs.frames[place].number} ({found.distances[place]:.3g})" for place in worst)
    lines.append(f"the farthest frames: {frames}")
    return lines
