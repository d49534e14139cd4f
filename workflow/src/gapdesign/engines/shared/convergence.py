"""Whether the electrons of VASP and pw.x converged in the last ionic step, whose structure and label are read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SLACK = 2.0
"""Largest energy change in the last electronic step, in units of EDIFF: VASP compares more digits than it prints, and
prints one or two digits of EDIFF."""

_ITERATION = re.compile(r"-- Iteration +([\d*]+)\( *([\d*]+)\)")
_NUMBER = r"([-+]?\d*\.?\d+(?:[EeDd][-+]?\d+)?)"
_TAGS = {
    "NELM": re.compile(r"^ +NELM +=\s*(\d+); *NELMIN"),
    "EDIFF": re.compile(rf"^ +EDIFF +=\s*{_NUMBER} +stopping-criterion"),
    "NSW": re.compile(r"^ +NSW +=\s*(\d+) +number of steps"),
    "IBRION": re.compile(r"^ +IBRION +=\s*(-?\d+) +ionic relax"),
}
_CHANGE = re.compile(rf"^ *total energy-change \(2\. order\) *:\s*{_NUMBER}")
_ENDED = "General timing and accounting"
_AT_REST = "reached required accuracy"


def refuse_electrons(count: int, change: float | None, *, limit: int, tolerance: float) -> str | None:
    """Return why the last electronic loop of VASP is not converged, or None if it is.

    VASP 5 says "aborting loop because EDIFF is reached" at the end of every loop, converged or not, so numbers decide.

    Parameters
    ----------
    count
        Number of electronic steps in the last ionic step.
    change
        Energy change in the last of them, in eV; None if there is none.
    limit
        NELM.
    tolerance
        EDIFF, in eV.
    """
    if count >= limit:
        return f"the electrons did not converge in {limit} steps (NELM)"
    if change is None:
        return "the last electronic step is the only one; it was stopped early"
    if not abs(change) <= _SLACK * tolerance:
        return f"the last electronic step changed the energy by {abs(change):.2g} eV; it was stopped early"
    return None


@dataclass
class _Outcar:
    """Content of OUTCAR that convergence depends on, gathered line by line."""

    tags: dict[str, float]
    ionic: int = 0
    electronic: int = 0
    change: float | None = None
    ending: str = ""
    ended: bool = False
    at_rest: bool = False

    def take(self, line: str) -> None:
        """Read one line."""
        for name, pattern in _TAGS.items():
            if name not in self.tags and name in line and (found := pattern.search(line)):
                self.tags[name] = float(found[1].replace("D", "E").replace("d", "e"))
        if found := _ITERATION.search(line):
            # The counter overflows into asterisks; steps are counted here, and a loop begins with its first one.
            first = found[2].strip("*") == "1"
            self.ionic += first
            self.electronic = 1 if first else self.electronic + 1
            self.change, self.ending = None, ""
        elif found := _CHANGE.search(line):
            self.change = float(found[1])
        elif "aborting loop" in line:
            self.ending = line.strip(" -\n")
        self.ended |= _ENDED in line
        self.at_rest |= _AT_REST in line


def refuse_outcar(lines: Iterable[str]) -> str | None:
    """Return why the last ionic step in OUTCAR gives no label, or None if it does."""
    found = _Outcar({})
    for line in lines:
        found.take(line)
    if not found.ended:
        return f"It does not say “{_ENDED}”."
    if missing := [name for name in ("NELM", "EDIFF") if name not in found.tags]:
        return f"It does not say what {missing[0]} was."
    if not found.electronic:
        return "It holds no electronic step."
    if found.ending != "aborting loop because EDIFF is reached":
        return f"Its last electronic loop ends with “{found.ending}”." if found.ending else "Its last loop has no end."
    limit, steps, relaxes = int(found.tags["NELM"]), int(found.tags.get("NSW", 0)), found.tags.get("IBRION", -1) > 0
    if reason := refuse_electrons(found.electronic, found.change, limit=limit, tolerance=found.tags["EDIFF"]):
        return f"{reason[0].upper()}{reason[1:]}."
    if relaxes and 1 < steps <= found.ionic and not found.at_rest:
        return f"The atoms did not come to rest in {steps} steps (NSW)."
    return None


def refuse_pw(lines: Iterable[str]) -> str | None:
    """Return why the text output of pw.x gives no label, or None if it does."""
    achieved, done = None, False
    for line in lines:
        if "convergence NOT achieved" in line:
            return "It says “convergence NOT achieved”."
        if "Self-consistent Calculation" in line:
            achieved = False
        elif "convergence has been achieved" in line:
            achieved = True
        done |= "JOB DONE" in line
    if not achieved:
        return "It does not say “convergence has been achieved”" + (" of its last step." if achieved is False else ".")
    return None if done else "It does not say “JOB DONE”."
