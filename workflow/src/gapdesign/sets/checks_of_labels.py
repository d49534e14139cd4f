"""Checks of the values of labels in a set: isolated atoms, structures with two energies, units and signs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gapdesign.inputs.labels import SPREAD, Labelled, with_labels
from gapdesign.labels.misfits import Misfit, misfits
from gapdesign.labels.suspicions import suspicions
from gapdesign.sets.findings import Findings, Severity, isare

DIFFERENT, WRONG = 1e-3, 5e-3
"""Differences of two energies of one structure, in eV per atom, from which they are suspicious, and wrong: smaller ones
come from other k-points in a supercell."""


def check_isolated(findings: Findings, labelled: Sequence[Labelled], structures: Sequence[int]) -> dict[str, float]:
    """Find isolated atoms that are missing, or contradict each other; return the energy of each element's."""
    alone = [place for place, each in enumerate(labelled) if each.alone]
    undeclared = [place for place in alone if not labelled[place].declared]
    if undeclared:
        findings.add(
            "note",
            "isolated atoms",
            lambda named: (
                f"{named} {isare(undeclared, 'is one atom', 'are one atom each')} far from its images, and"
                " taken for isolated without being declared so"
            ),
            "give it config_type=isolated_atom, or take it out if it is none",
            undeclared,
        )
    energies: dict[str, list[int]] = {}
    for place in alone:
        if labelled[place].values.energy is not None:
            energies.setdefault(str(labelled[place].atoms.symbols), []).append(place)
    for element, places in energies.items():
        values = [labelled[place].values.energy for place in places]
        if max(values) - min(values) > SPREAD:
            findings.add(
                "wrong",
                "isolated atoms",
                lambda named, element=element, values=values: (
                    f"isolated atoms of {element} have energies from {min(values):.6g} to {max(values):.6g} eV: {named}"
                ),
                "keep the one that was computed as the set was",
                places,
            )
    lacking = sorted({symbol for place in structures for symbol in {*labelled[place].atoms.symbols}} - {*energies})
    if lacking and any(each.values.energy is not None for each in labelled):
        findings.add(
            "note",
            "isolated atoms",
            f"no isolated atom of {', '.join(lacking)} has an energy",
            "compute one as the set was; fits of GAP, ACE and MACE want it",
        )
    return {element: labelled[places[0]].values.energy for element, places in energies.items()}


def check_repeats(findings: Findings, labelled: Sequence[Labelled], first: Mapping[int, int]) -> None:
    """Find structures that are there twice, and contradict each other.

    Parameters
    ----------
    first
        The first structure that each one that is there again coincides with.
    """
    if not first:
        return
    findings.add(
        "note",
        "duplicates",
        lambda named: (
            f"{len(first)} {isare([*first], 'structure repeats an earlier one', 'structures repeat earlier ones')}"
            f" or a supercell of one: {named}"
        ),
        "take them out, and keep test and training sets apart: the same structure in both tests nothing",
        sorted(first),
    )
    off = {}
    for place, other in first.items():
        own, its = (labelled[k].values.energy for k in (place, other))
        if own is not None and its is not None:
            off[place] = abs(own / len(labelled[place].atoms) - its / len(labelled[other].atoms))
    apart = sorted(place for place, difference in off.items() if difference > SPREAD)
    if apart:
        worst = max(apart, key=off.__getitem__)
        grave: Severity = "note" if off[worst] < DIFFERENT else "suspicious" if off[worst] < WRONG else "wrong"
        findings.add(
            grave,
            "duplicates",
            lambda named: (
                f"{named} {isare(apart, 'repeats', 'repeat')} an earlier structure with another energy; frame"
                f" {labelled[worst].number} differs from frame {labelled[first[worst]].number} by"
                f" {off[worst]:.3g} eV per atom"
            ),
            "keep the right one of each pair",
            apart,
        )


def check_values(
    findings: Findings,
    labelled: Sequence[Labelled],
    structures: Sequence[int],
    isolated: Mapping[str, float],
    progress: Callable[[str], None],
) -> None:
    """Find units and signs that contradict each other, of the whole set and of single frames."""
    held = [place for place in structures if len(labelled[place].atoms) > 1]
    frames = [with_labels(labelled[place].atoms, labelled[place].values) for place in held]
    for suspicion in suspicions(frames, isolated):
        findings.add(
            "wrong" if suspicion.is_gross else "suspicious",
            "units and signs",
            f"of the whole set, {suspicion.sentence}",
            "correct the labels, their keys or their units",
        )
    groups: dict[tuple[str, str], list[Misfit]] = {}
    for misfit in misfits(frames, progress):
        groups.setdefault((misfit.quantity, misfit.explanation), []).append(misfit)
    for (quantity, explanation), own in sorted(groups.items()):
        places = [held[misfit.place] for misfit in own]
        noun = {"energy": "energy", "forces": "forces", "virial": "virial"}[quantity]
        if explanation:
            in_what = explanation if explanation.startswith("the ") else f"{explanation} and not in eV and angstrom"
            findings.add(
                "wrong",
                "units and signs",
                lambda named, noun=noun, in_what=in_what: (
                    f"{noun} of {named} would fit all other labels if {'it were' if noun != 'forces' else 'they were'}"
                    f" {'of' if in_what.startswith('the ') else 'in'} {in_what}"
                ),
                "convert these, or take them out",
                places,
            )
        else:
            worst = max(own, key=lambda misfit: abs(misfit.deviation))
            findings.add(
                "suspicious",
                "energies",
                lambda named, worst=worst: (
                    f"the energy of {named} is far from what all other labels say, by up to"
                    f" {worst.deviation:+.3g} eV per atom"
                ),
                "look for unconverged runs, another code or other settings; if they are right, they are extrapolation",
                places,
            )
