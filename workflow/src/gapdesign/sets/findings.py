"""What an audit of a set finds, and how it names frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gapdesign.errors import printable

if TYPE_CHECKING:
    from gapdesign.inputs.frames import Frame

NAMED = 8
"""Runs of frames that are named."""

Severity = Literal["wrong", "suspicious", "note"]
SEVERITIES: tuple[Severity, ...] = ("wrong", "suspicious", "note")
"""Labels that contradict others; what is probably a mistake; what is good to know."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something about a set.

    Attributes
    ----------
    severity : str
    about : str
        A word for it, such as `units`.
    sentence : str
        What it is.
    remedy : str
        What to do.
    places : tuple of int
        Frames that it is about, among all that were read; none if it is about the set.
    """

    severity: Severity
    about: str
    sentence: str
    remedy: str
    places: tuple[int, ...] = ()

    @property
    def is_suspicious(self) -> bool:
        """Whether it is more than good to know."""
        return self.severity != "note"


class Findings:
    """Findings about some frames, gathered one by one.

    Parameters
    ----------
    frames : sequence of Frame
    """

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self.all: list[Finding] = []
        self._is_one_file = len({frame.source for frame in frames}) == 1

    def add(
        self,
        severity: Severity,
        about: str,
        sentence: str | Callable[[str], str],
        remedy: str,
        places: Sequence[int] = (),
    ) -> None:
        """Add a finding, whose sentence may be made from the names of its frames."""
        own = tuple(map(int, places))
        text = sentence if isinstance(sentence, str) else sentence(self.named(own))
        self.all.append(
            Finding(severity=severity, about=about, sentence=printable(text), remedy=printable(remedy), places=own)
        )

    def named(self, places: Sequence[int]) -> str:
        """Name some frames by their numbers and files, the first few runs of them, and their common group."""
        runs = self._runs(places)
        shown = [_run(start, stop) for _, start, stop in runs[:NAMED]]
        for k, (source, _, _) in enumerate(runs[:NAMED]):
            # A file is named once, after the last of its runs.
            if not self._is_one_file and (k + 1 == len(shown) or runs[k + 1][0] != source):
                shown[k] += f" of {Path(source).name}"
        rest = len(places) - sum(1 + stop - start for _, start, stop in runs[:NAMED])
        more = f" and {rest} more" if rest else ""
        groups = {str(self.frames[place].atoms.info.get("config_type", "")) for place in places}
        of = f" ({next(iter(groups))})" if len(groups) == 1 and "" not in groups else ""
        return f"{'frame' if len(places) == 1 else 'frames'} {', '.join(shown)}{more}{of}"

    def _runs(self, places: Sequence[int]) -> list[tuple[str, int, int]]:
        """Return the file and the first and last number of runs of frames that follow each other."""
        runs: list[tuple[str, int, int]] = []
        for place in places:
            frame = self.frames[place]
            if runs and runs[-1][0] == frame.source and runs[-1][2] + 1 == frame.number:
                runs[-1] = (frame.source, runs[-1][1], frame.number)
            else:
                runs.append((frame.source, frame.number, frame.number))
        return runs

    def ordered(self) -> list[Finding]:
        """Return all findings, the worst first."""
        return sorted(self.all, key=lambda finding: SEVERITIES.index(finding.severity))


def _run(start: int, stop: int) -> str:
    return str(start) if start == stop else f"{start}, {stop}" if stop == start + 1 else f"{start} to {stop}"


def isare(places: Sequence[int], one: str, many: str) -> str:
    """Return the form of a verb that goes with a number of frames."""
    return one if len(places) == 1 else many
