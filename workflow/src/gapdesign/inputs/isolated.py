"""Energies of isolated atoms that labels made elsewhere refer to: given, found in the set, or asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gapdesign.errors import InputError
from gapdesign.inputs.labels import SPREAD

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.inputs.labels import Values


class Reference(Protocol):
    """A structure with labels, of a frame or an output, whose text names its file."""

    atoms: Atoms | None
    values: Values | None
    declared: bool
    alone: bool


def isolated_energies(labelled: Iterable[Reference], given: Mapping[str, float]) -> dict[str, float]:
    """Return the energy of each element's isolated atom, in eV, as far as it is known.

    What the configuration gives counts before frames that are declared isolated, and these before atoms that are alone
    in their cells.

    Raises
    ------
    InputError
        If two frames contradict each other.
    """
    energies = dict(given)
    frames = [each for each in labelled if each.alone and _energy(each) is not None]
    for declared in (True, False):
        found: dict[str, Reference] = {}
        for each in frames:
            element = str(each.atoms.symbols)
            if each.declared is not declared or element in energies:
                continue
            first = found.setdefault(element, each)
            if abs(first.values.energy - each.values.energy) > SPREAD:
                raise InputError(
                    f"labels.file.isolated: {first} and {each} are isolated atoms of {element} with the energies"
                    f" {first.values.energy:g} and {each.values.energy:g} eV; give the one that goes with the set, as"
                    f" `isolated: {{{element}: {first.values.energy:g}}}`."
                )
        energies |= {element: each.values.energy for element, each in found.items()}
    return energies


def require(elements: Collection[str], energies: Mapping[str, float], labelled: Sequence[Reference]) -> None:
    """Check that every element has the energy of its isolated atom.

    Raises
    ------
    InputError
        If one has none. The sentence offers what a regression of the set gives.
    """
    missing = [element for element in elements if element not in energies]
    if not missing:
        return
    lacking = next((each for each in labelled if each.declared and str(each.atoms.symbols) == missing[0]), None)
    found = (
        f"{lacking} is one, without an energy" if lacking is not None else "no frame is one (config_type=isolated_atom)"
    )
    fitted = regressed(labelled)
    offer = ""
    if all(element in fitted for element in missing):
        numbers = ", ".join(f"{element}: {fitted[element]:.4f}" for element in missing)
        offer = (
            f" A fit of the set's energies by composition alone gives {{{numbers}}}: it serves where isolated atoms do"
            " not matter, and is no atom's energy."
        )
    raise InputError(
        f"labels.file.isolated: the energy of an isolated atom of {' and '.join(missing)} is missing: {found}; compute"
        f" it as the set was, and give it as `isolated: {{{missing[0]}: -1.23}}`, in eV.{offer}"
    )


def regressed(labelled: Iterable[Reference]) -> dict[str, float]:
    """Return energies of isolated atoms, in eV, that fit the set's energies best by composition alone.

    They are the constant part of the set's energies, which lacks the energy of cohesion: an offer, not a reference.
    """
    compositions, energies = [], []
    for each in labelled:
        if not each.alone and (energy := _energy(each)) is not None:
            compositions.append(Counter(each.atoms.symbols))
            energies.append(energy)
    elements = sorted({element for counts in compositions for element in counts})
    if not elements:
        return {}
    matrix = np.array([[counts[element] for element in elements] for counts in compositions], dtype=float)
    sizes = matrix.sum(axis=1)
    solution, _, rank, _ = np.linalg.lstsq(matrix / sizes[:, None], np.array(energies) / sizes, rcond=None)
    return dict(zip(elements, solution.tolist(), strict=True)) if rank == len(elements) else {}


def _energy(each: Reference) -> float | None:
    return None if each.atoms is None or each.values is None else each.values.energy
