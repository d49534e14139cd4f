"""Checks of the structures of a set: distances of atoms, atoms without neighbours, structures that are much alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gapdesign.errors import InputError
from gapdesign.inputs.frames import Frame
from gapdesign.sets.features import described
from gapdesign.sets.findings import Findings, isare
from gapdesign.sets.held import FrameSet
from gapdesign.sets.nearest import among, repeats

OVERLAP = 0.5
"""Distance of two atoms, in sums of their covalent radii, below which they overlap."""

NEAR = 0.1
"""Distance of two structures, in units of the set's spacing, below which they are nearly the same."""

MOST = 10_000
"""Structures that are compared with one another."""


@dataclass(frozen=True)
class Distances:
    """Distances of atoms in a structure.

    Attributes
    ----------
    nearest : float
        The smallest, in angstrom; nan if there is none within the cut-off.
    relative : float
        The smallest in sums of covalent radii.
    lone : int
        Atoms without a neighbour within the cut-off.
    """

    nearest: float
    relative: float
    lone: int

    @classmethod
    def of(cls, frame: Frame, cutoff: float) -> Distances:
        """Measure the distances of a structure."""
        from ase.data import covalent_radii
        from matscipy.neighbours import neighbour_list

        atoms = frame.bare()
        i, j, distance = neighbour_list("ijd", atoms, cutoff)
        lone = len(atoms) - len(np.unique(i))
        if not len(distance):
            return cls(float("nan"), float("nan"), lone)
        radii = covalent_radii[atoms.numbers]
        return cls(float(distance.min()), float((distance / (radii[i] + radii[j])).min()), lone)


def check_distances(findings: Findings, distances: Mapping[int, Distances], cutoff: float) -> None:
    """Find atoms that overlap, and atoms without neighbours."""
    overlapping = [place for place, own in distances.items() if own.relative < OVERLAP]
    if overlapping:
        worst = min(overlapping, key=lambda place: distances[place].relative)
        findings.add(
            "suspicious",
            "distances",
            lambda named: (
                f"{named} {isare(overlapping, 'has', 'have')} atoms nearer than half the sum of their covalent"
                f" radii, down to {distances[worst].nearest:.3g} angstrom"
            ),
            "take them out, unless a potential must know such distances",
            overlapping,
        )
    lonely = [place for place, own in distances.items() if own.lone]
    if lonely:
        count = sum(distances[place].lone for place in lonely)
        findings.add(
            "suspicious",
            "lone atoms",
            lambda named: (
                f"{count} {isare([0] * count, 'atom', 'atoms')} without a neighbour within {cutoff:g} angstrom in"
                f" {named}"
            ),
            "look for atoms that evaporated and cells that are too wide; a potential learns nothing from such an atom",
            lonely,
        )


@dataclass(frozen=True)
class Alike:
    """How much the structures of a set are alike.

    Attributes
    ----------
    first : dict of int to int
        Structure to the first one that it coincides with, if there is one.
    nearest : dict of int to float
        Structure to the kernel distance of the nearest other, for those that coincide with none before them; infinite
        if there is no other.
    """

    first: dict[int, int]
    nearest: dict[int, float]

    @property
    def near(self) -> float:
        """Distance below which two structures are nearly the same."""
        known = [distance for distance in self.nearest.values() if np.isfinite(distance)]
        return NEAR * float(np.median(known)) if known else 0.0


def check_alike(findings: Findings, given: FrameSet, places: Sequence[int], progress: Callable[[str], None]) -> Alike:
    """Compare structures with one another, and find those that are nearly another one.

    Parameters
    ----------
    given
        Structures that can be described.
    places
        Their places among all frames.
    """
    if len(given) > MOST:
        sentence = f"{len(given)} structures are not compared with one another; {MOST} would be"
        findings.add("note", "duplicates", sentence, "audit parts of the set, or make it the pool of a study")
        return Alike({}, {})
    try:
        features = described(given, given.elements, _coarse(given), progress)
    except InputError as error:
        findings.add("note", "duplicates", f"structures are not compared: {error}", "audit parts of the set")
        return Alike({}, {})
    again = repeats(features.values, features.covariance)
    distinct = np.flatnonzero(again < 0)
    squared, _ = among(replace(features, values=features.values[distinct]))
    nearest = {places[k]: float(np.sqrt(value)) for k, value in zip(distinct, squared, strict=True)}
    alike = Alike({places[k]: places[again[k]] for k in np.flatnonzero(again >= 0)}, nearest)
    near = [place for place, distance in nearest.items() if distance < alike.near]
    if near:
        findings.add(
            "note",
            "near-duplicates",
            lambda named: (
                f"{len(near)} structures are nearly another one: nearer than a tenth of the spacing of the set,"
                f" {10 * alike.near:.3g}: {named}"
            ),
            "one of each pair is enough: gapdesign pick chooses, gapdesign worth says how many",
            near,
        )
    return alike


def _coarse(given: FrameSet) -> dict[str, Mapping[str, Any]]:
    """Return a description by a shorter SOAP than that of a pick for several elements: it tells copies all the same."""
    from gapdesign.descriptors.options import DescriptorOptions

    found = given.description(DescriptorOptions().backend)
    if len(given.elements) > 2:
        found["descriptor"]["soap"] |= {"n_max": 5, "l_max": 4}
    return found
