"""Labels of structures, checked, and the rows of the basis that should reproduce them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase.data import chemical_symbols

from gapdesign.errors import InputError
from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import OFFSET
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.models.ace.basis import Basis

SILENT = 1e-10
"""Largest derivative of functions in a row of a force that symmetry makes zero."""


class Rows(NamedTuple):
    """Rows and labels of one structure of n atoms.

    Attributes
    ----------
    atoms
        The number n.
    values : (7 + 3 n, d)
        What each coefficient adds to the energy, the virial and the forces.
    labels : (7 + 3 n,)
        In eV, the energy above that of isolated atoms, and eV/angstrom; NaN where there is none, and for forces that
        are zero by symmetry, whatever the coefficients.
    """

    atoms: int
    values: np.ndarray
    labels: np.ndarray


def isolated_energies(isolated: Sequence[Atoms], species: Sequence[int]) -> np.ndarray:
    """Return the energies of isolated atoms of all elements, in eV.

    Raises
    ------
    InputError
        If an element has none or several, or a frame is not one atom with an energy.
    """
    found: dict[int, float] = {}
    for atoms in isolated:
        energy = atoms.info.get("REF_energy")
        if len(atoms) != 1 or energy is None or not np.isfinite(energy) or int(atoms.numbers[0]) in found:
            raise InputError(
                f"isolated atoms: {atoms.get_chemical_formula()} is not one atom of an element of its own with a finite"
                " REF_energy; give one such frame for every element."
            )
        found[int(atoms.numbers[0])] = float(energy)
    if missing := [chemical_symbols[z] for z in species if z not in found]:
        raise InputError(f"isolated atoms: none of {', '.join(missing)}; give one frame for every element.")
    return np.array([found[z] for z in species])


def labels(atoms: Atoms, alone: np.ndarray, species: Sequence[int]) -> np.ndarray:
    """Return the labels (7 + 3 n,) of a structure; those of a virial that is not there are NaN.

    Raises
    ------
    InputError
        If a label is missing, has a wrong shape or is not finite, or the structure has another element.
    """
    formula = atoms.get_chemical_formula()
    if others := set(atoms.numbers.tolist()) - set(species):
        raise InputError(
            f"labels: {formula} holds {chemical_symbols[min(others)]}, which is no element of the study; leave it out."
        )
    found = {"REF_energy": atoms.info.get("REF_energy"), "REF_forces": atoms.arrays.get("REF_forces")}
    sizes = {"REF_energy": 1, "REF_forces": 3 * len(atoms)}
    if "REF_virial" in atoms.info:
        found["REF_virial"], sizes["REF_virial"] = atoms.info["REF_virial"], 9
    numbers = {}
    for key, value in found.items():
        if value is None:
            raise InputError(f"labels: {formula} has no {key}; label the design again.")
        numbers[key] = np.asarray(value, dtype=float).ravel()
        if numbers[key].size != sizes[key] or not np.isfinite(numbers[key]).all():
            raise InputError(
                f"labels: {key} of {formula} is not {sizes[key]} finite number{'s' * (sizes[key] > 1)}; mend it or"
                " leave the structure out."
            )
    energy = numbers["REF_energy"].item() - alone[np.searchsorted(species, atoms.numbers)].sum()
    virial = numbers["REF_virial"].reshape(3, 3) if "REF_virial" in numbers else None
    if virial is not None:
        virial = (virial + virial.T) / 2
    return leastsquares.labels(len(atoms), energy=energy, virial=virial, forces=numbers["REF_forces"])


def rows(basis: Basis, frames: Sequence[Atoms], isolated: Sequence[Atoms]) -> Iterator[Rows]:
    """Yield the rows and labels of structures; see :class:`Rows`.

    Raises
    ------
    InputError
        If labels or isolated atoms are missing or no numbers.
    """
    if not frames:
        raise InputError("labels: the design has no labelled structure; a model needs at least one.")
    alone = isolated_energies(isolated, basis.species)
    for atoms in frames:
        own, values = labels(atoms, alone, basis.species), linear(basis, atoms)
        yield Rows(len(atoms), values, np.where(unknowable(values), np.nan, own))


def unknowable(rows: np.ndarray) -> np.ndarray:
    """Return the labels (7 + 3 n,) whose rows say nothing: forces that are zero by symmetry."""
    return (np.abs(rows).max(axis=1) < SILENT) & (np.arange(len(rows)) >= OFFSET)


def linear(basis: Basis, atoms: Atoms) -> np.ndarray:
    """Return the derivatives (7 + 3 n, d) of the energy, the virial and the forces by the coefficients."""
    width = basis.width
    found = np.zeros((OFFSET + 3 * len(atoms), basis.size))
    forces = found[OFFSET:].reshape(len(atoms), 3, -1)
    kinds = np.searchsorted(basis.species, atoms.numbers)
    for edges in basis.edges(atoms):
        terms, slopes = basis.factors(edges)
        factors = edges.pooled(terms)
        values = (basis.coupling @ basis.multiplied(factors).T).T
        changes = basis.derivatives(factors)
        for row, centre in enumerate(edges.centres):
            own = slice(edges.starts[row], edges.starts[row + 1])
            column = slice(width * kinds[centre], width * (kinds[centre] + 1))
            found[0, column] += values[row]
            others, place = np.unique(edges.others[own], return_inverse=True)
            moved = np.zeros((slopes.shape[1], len(others), 3))
            np.add.at(moved, (slice(None), place), slopes[own].transpose(1, 0, 2))
            strained = np.einsum("eac,ed->acd", slopes[own], edges.vectors[own])
            strained = np.stack([(strained[:, a, b] + strained[:, b, a]) / 2 for a, b in VOIGT], axis=1)
            both = changes[row] @ np.hstack([moved.reshape(len(moved), -1), strained])
            found[1:OFFSET, column] -= both[:, 3 * len(others) :].T
            pulls = both[:, : 3 * len(others)].reshape(width, len(others), 3).transpose(1, 2, 0)
            forces[others, :, column] -= pulls
            forces[centre, :, column] += pulls.sum(axis=0)
    return found
