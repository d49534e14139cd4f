"""A set of frames in memory: what is in it, and features that suit it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.inputs.frames import Frame, read
from gapdesign.structures import nearest_neighbour

MOST_ATOMS = 2_000_000
"""Atoms of a set that is held in memory; a study reads larger ones in shards."""

_SAMPLE = 50


@dataclass(frozen=True)
class FrameSet:
    """The structures of a file, isolated atoms left out.

    Attributes
    ----------
    name : str
        Of the file, for people.
    frames : list of Frame
    isolated : int
        Number of isolated atoms besides.
    """

    name: str
    frames: list[Frame]
    isolated: int

    @classmethod
    def of(cls, path: str | Path, name: str, key: str) -> FrameSet:
        """Read a file in any format that studies take.

        Raises
        ------
        InputError
            If a frame cannot be read or described, if there is none, or if there are too many atoms.
        """
        return cls.gathered(read(path, key), name, key)

    @classmethod
    def gathered(cls, given: Iterable[Frame], name: str, key: str) -> FrameSet:
        """Gather frames that are read one by one; see :meth:`of`."""
        frames, isolated, atoms = [], 0, 0
        for frame in given:
            if frame.is_isolated:
                isolated += 1
                continue
            if frame.atoms.cell.rank < 3:
                raise InputError(f"{key}: frame {frame.number} of '{name}' has no cell with a volume; give it one.")
            atoms += len(frame.atoms)
            if atoms > MOST_ATOMS:
                raise InputError(
                    f"{key}: '{name}' has more than {MOST_ATOMS:,} atoms, too many for one line; make it the pool of a"
                    " study, which reads it in shards (docs/candidates.md)."
                )
            frames.append(frame)
        if not frames:
            raise InputError(f"{key}: '{name}' holds no structure to choose from.")
        return cls(name, frames, isolated)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def elements(self) -> list[str]:
        """Chemical symbols, in alphabetical order."""
        return sorted({symbol for frame in self.frames for symbol in set(frame.atoms.symbols)})

    @property
    def config_types(self) -> list[str]:
        """The ``config_type`` of each frame; empty where it has none."""
        return [str(frame.atoms.info.get("config_type", "")) for frame in self.frames]

    def groups(self) -> dict[str, np.ndarray]:
        """Return the places of the frames of each ``config_type``, by name.

        Raises
        ------
        InputError
            If a frame has none.
        """
        found: dict[str, list[int]] = {}
        for place, frame in enumerate(self.frames):
            if "config_type" not in frame.atoms.info:
                raise InputError(f"--per-config-type: frame {frame.number} of '{self.name}' has no config_type.")
            found.setdefault(str(frame.atoms.info["config_type"]), []).append(place)
        return {name: np.array(found[name]) for name in sorted(found)}

    def left_out(self, places: np.ndarray) -> dict[str, int]:
        """Return each ``config_type`` of which no frame is at ``places``, with the number of its frames."""
        of = self.config_types
        rest = set(of) - {of[place] for place in places} - {""}
        return {name: of.count(name) for name in sorted(rest)}

    def summary(self, duplicates: int | None = None) -> str:
        """Return a line on frames, sizes and formulas, and how many frames are another one again if that is known."""
        sizes = [len(frame.atoms) for frame in self.frames]
        formulas = Counter(frame.atoms.get_chemical_formula() for frame in self.frames)
        common = ", ".join(f"{count} of {formula}" for formula, count in formulas.most_common(3))
        more = f" and others ({len(formulas)} formulas)" if len(formulas) > 3 else ""
        besides = f"; isolated atoms left out: {self.isolated}" if self.isolated else ""
        span = f"{min(sizes)} atoms" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)} atoms"
        again = f"; again: {duplicates}" if duplicates is not None else ""
        frames = "1 frame" if len(self) == 1 else f"{len(self)} frames"
        return f"{self.name}: {frames} of {span}, {common}{more}{again}{besides}"

    def description(self, backend: str, elements: Sequence[str] = ()) -> dict[str, Mapping[str, Any]]:
        """Return the blocks `descriptor` and `kernel` that suit the set, and others with further elements.

        SOAP reaches twice the median distance of nearest neighbours, from 4 to 7 angstrom. For three elements and more
        its spectrum is compressed, which otherwise grows with the square of their number.
        """
        from gapdesign.descriptors import DESCRIPTORS

        kernel = {"pair": {"scale": 0}}
        if DESCRIPTORS[backend].block != "soap":
            return {"descriptor": {"backend": backend}, "kernel": kernel}
        step = -(-len(self) // _SAMPLE)
        nearest = float(np.median([nearest_neighbour(frame.bare()) for frame in self.frames[::step]]))
        soap = {"r_cut": float(np.clip(np.rint(4 * nearest) / 2, 4.0, 7.0)), "n_max": 8, "l_max": 6, "sigma": 0.5}
        if len({*self.elements, *elements}) > 2:
            soap["compression"] = "one_element"
        return {"descriptor": {"backend": backend, "soap": soap}, "kernel": kernel}
