"""An audit of a set of frames: what was read, and what is wrong, suspicious or good to know about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.inputs.frames import Frame
from gapdesign.inputs.labels import Keys, Labelled, Tally, in_words, of_frames
from gapdesign.sets import checks_of_keys, checks_of_labels, checks_of_structures
from gapdesign.sets.checks_of_keys import Key
from gapdesign.sets.checks_of_structures import Alike, Distances
from gapdesign.sets.findings import SEVERITIES, Finding, Findings
from gapdesign.sets.held import MOST_ATOMS, FrameSet

if TYPE_CHECKING:
    import pandas as pd

CUTOFF = 6.0
"""Radius, in angstrom, within which an atom should have a neighbour."""

FENCE = 5.0
"""Distance from the quartiles, in units of their difference, beyond which a value is an outlier."""

LEAST = {"energy": 0.2, "force": 2.0, "nearest": 0.1}
"""Distance from the quartiles below which no value is an outlier: in eV per atom, eV/angstrom, angstrom."""

LARGEST_FORCE = 50.0
"""Force, in eV/angstrom, above which a frame is suspicious."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    name : str
        Of the set, for people.
    frames : list of Frame
    labelled : list of Labelled
    structures : list of int
        Places of the frames that are no isolated atoms.
    tally : Tally
    keys : list of Key
    findings : list of Finding
        The worst first.
    alike : Alike
    table : DataFrame
        A row per structure.
    """

    name: str
    frames: list[Frame]
    labelled: list[Labelled]
    structures: list[int]
    tally: Tally
    keys: list[Key]
    findings: list[Finding]
    alike: Alike
    table: pd.DataFrame

    @property
    def suspicious(self) -> list[Finding]:
        """Findings that are more than good to know."""
        return [finding for finding in self.findings if finding.is_suspicious]

    def counts(self) -> str:
        """Return how many findings of each severity there are, in words."""
        found = Counter(finding.severity for finding in self.findings)
        return ", ".join(f"{severity}: {found[severity]}" for severity in SEVERITIES)

    def groups(self) -> list[list[Any]]:
        """Return, for each ``config_type``: its name, frames, atoms and the labels that they have."""
        found: dict[str, list[Labelled]] = {}
        for each in self.labelled:
            found.setdefault(each.group, []).append(each)
        return [
            [name, len(own), sum(len(each.atoms) for each in own)]
            + [sum(getattr(each.values, what) is not None for each in own) for what in ("energy", "forces", "virial")]
            for name, own in sorted(found.items())
        ]

    def read(self) -> list[str]:
        """Return lines on what was read."""
        count = len(self.frames) - len(self.structures)
        held = FrameSet(self.name, [self.frames[place] for place in self.structures], count)
        return [held.summary() if len(held) else f"{self.name}: isolated atoms only", in_words(self.tally.data())]


def audit(
    frames: Iterable[Frame],
    name: str,
    keys: Keys,
    progress: Callable[[str], None] = lambda line: None,
) -> Audit:
    """Look for what is wrong with a set.

    Parameters
    ----------
    frames
        All frames, read one by one.
    name
        Of the set, for people.
    keys
        Names of the labels, where they are named.
    progress
        Called with a line of text now and then.

    Raises
    ------
    InputError
        If a frame cannot be read, a named key is in no frame, or there are too many atoms.
    """
    held = _held(frames, name)
    findings, amiss = Findings(held), []
    labelled, tally = of_frames(held, keys, lambda error, frame: amiss.append((error, frame)))
    tally.files = len({frame.source for frame in held})
    structures = [place for place, each in enumerate(labelled) if not each.alone]
    for error, frame in amiss:
        if frame is not None:
            _, _, sentence = str(error).partition(": ")
            findings.add("wrong", "labels", sentence.rstrip("."), "the label is left out here", [held.index(frame)])
    found = checks_of_keys.keys(held)
    checks_of_keys.check_keys(findings, found, tally)
    checks_of_keys.check_lacking(findings, labelled, found, structures, tally)
    checks_of_keys.check_settings(findings, held)
    isolated = checks_of_labels.check_isolated(findings, labelled, structures)
    distances = {place: Distances.of(held[place], CUTOFF) for place in structures}
    checks_of_structures.check_distances(findings, distances, CUTOFF)
    alike = _alike(findings, held, structures, progress)
    checks_of_labels.check_repeats(findings, labelled, alike.first)
    checks_of_labels.check_values(findings, labelled, structures, isolated, progress)
    table = _table(held, labelled, structures, distances, alike)
    _check_outliers(findings, table, structures)
    return Audit(
        name=name, frames=held, labelled=labelled, structures=structures, tally=tally, keys=found,
        findings=findings.ordered(), alike=alike, table=table,
    )  # fmt: skip


def _held(frames: Iterable[Frame], name: str) -> list[Frame]:
    held, atoms = [], 0
    for frame in frames:
        atoms += len(frame.atoms)
        if atoms > MOST_ATOMS:
            raise InputError(
                f"FILE: '{name}' has more than {MOST_ATOMS:,} atoms, too many for one line; audit parts of it."
            )
        held.append(frame)
    return held


def _alike(
    findings: Findings, held: Sequence[Frame], structures: Sequence[int], progress: Callable[[str], None]
) -> Alike:
    flat = [place for place in structures if held[place].atoms.cell.rank < 3]
    if flat:
        findings.add(
            "note",
            "cells",
            lambda named: f"{named} without a cell that has a volume",
            "give them one, with vacuum around a cluster; they are not compared here, and cannot be described",
            flat,
        )
    rest = [place for place in structures if held[place].atoms.cell.rank == 3]
    if not rest:
        return Alike({}, {})
    given = FrameSet("the set", [held[place] for place in rest], 0)
    return checks_of_structures.check_alike(findings, given, rest, progress)


def _table(
    held: Sequence[Frame],
    labelled: Sequence[Labelled],
    structures: Sequence[int],
    distances: dict[int, Distances],
    alike: Alike,
) -> pd.DataFrame:
    """Return a row per structure; energies per atom are beyond sums over the elements."""
    import pandas as pd

    from gapdesign.labels.contradictions import counts_of
    from gapdesign.labels.misfits import beyond_most

    values = [labelled[place].values for place in structures]
    energies = np.full(len(structures), np.nan)
    having = [k for k, own in enumerate(values) if own.energy is not None]
    if having:
        counts = counts_of([labelled[structures[k]].atoms for k in having])
        sizes = counts.sum(axis=1)
        energies[having] = beyond_most(counts / sizes[:, None], np.array([values[k].energy for k in having]) / sizes)
    forces = [
        float(np.linalg.norm(own.forces, axis=1).max()) if own.forces is not None else float("nan") for own in values
    ]
    return pd.DataFrame({
        "source_file": [held[place].source for place in structures],
        "frame": [held[place].number for place in structures],
        "config_type": [labelled[place].group for place in structures],
        "formula": [held[place].atoms.get_chemical_formula() for place in structures],
        "energy": energies,
        "force": forces,
        "nearest": [distances[place].nearest for place in structures],
        "distance": [0.0 if place in alike.first else alike.nearest.get(place, np.inf) for place in structures],
    }).replace(np.inf, np.nan)  # fmt: skip


def _check_outliers(findings: Findings, table: pd.DataFrame, structures: Sequence[int]) -> None:
    """Find values that are far from those of nearly all other structures."""
    words = {
        "energy": ("energies", "an energy beyond its composition", "eV per atom"),
        "force": ("forces", "a largest force", "eV/angstrom"),
        "nearest": ("distances", "a nearest distance", "angstrom"),
    }
    for column, (about, what, unit) in words.items():
        values = table[column].to_numpy(float)
        if np.isfinite(values).sum() < 8:
            continue
        low, high = np.nanquantile(values, (0.25, 0.75))
        reach = max(FENCE * (high - low), LEAST[column])
        out = np.flatnonzero((values < low - reach) | (values > high + reach))
        if not len(out):
            continue
        worst = out[np.argmax(np.maximum(low - values[out], values[out] - high))]
        grave = column == "force" and values[worst] > LARGEST_FORCE
        findings.add(
            "suspicious" if grave else "note",
            about,
            lambda named, what=what, unit=unit, out=out, worst=worst, values=values, low=low, high=high: (
                f"{named} {'has' if len(out) == 1 else 'have'} {what} far from that of the others, up to"
                f" {values[worst]:.3g} {unit}, where half of all are from {low:.3g} to {high:.3g}"
            ),
            "look at them: outliers of a set are either what it must know or what spoils it",
            [structures[k] for k in out],
        )
