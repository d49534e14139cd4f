"""Labels as arrays that a training reads, energies of isolated atoms, and the structures that it does not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols

from gapdesign.errors import InputError
from gapdesign.models.shared import leastsquares

if TYPE_CHECKING:
    from ase import Atoms


def energies_of_atoms(isolated: Sequence[Atoms], elements: Sequence[int]) -> list[float]:
    """Return the energies of isolated atoms of some elements (atomic numbers), in eV.

    Raises
    ------
    InputError
        If a frame is not a single atom with an energy, or an element occurs twice or not at all.
    """
    found: dict[int, float] = {}
    for atom in isolated:
        if len(atom) != 1 or "REF_energy" not in atom.info:
            raise InputError(
                f"isolated atoms: found {atom.get_chemical_formula()} with keys {sorted(atom.info)}; every frame must"
                " be one atom with REF_energy."
            )
        (number,) = atom.numbers.tolist()
        if number in found:
            raise InputError(f"isolated atoms: {atom.symbols} comes twice; give one frame per element.")
        found[number] = _finite(atom.info["REF_energy"], (), f"isolated atoms: the energy of {atom.symbols}").item()
    for z in elements:
        if z not in found:
            raise InputError(f"isolated atoms: none for {chemical_symbols[z]}; give one frame for every element.")
    return [found[z] for z in elements]


def labels_of(atoms: Atoms, energy: float) -> np.ndarray:
    """Return the labels (7 + 3 n,) of a structure of n atoms; nan where there is none.

    Parameters
    ----------
    atoms
        With the labels that it has besides its energy: ``REF_virial`` (nine numbers) and ``REF_forces``.
    energy
        Above that of the isolated atoms, in eV.
    """
    virial = np.reshape(atoms.info["REF_virial"], (3, 3)) if "REF_virial" in atoms.info else None
    return leastsquares.labels(len(atoms), energy=energy, virial=virial, forces=atoms.arrays.get("REF_forces"))


def arrays(frames: Sequence[Atoms]) -> dict[str, np.ndarray]:
    """Return n labelled structures of N atoms in all as arrays by name.

    Returns
    -------
    dict
        ``sizes``, ``energies`` and ``has_virial`` (n,), ``cells`` and ``virials`` (n, 3, 3), ``pbc`` (n, 3);
        ``numbers`` (N,), ``positions`` and ``forces`` (N, 3). Virials that do not exist are zeros.

    Raises
    ------
    InputError
        If there are no structures, or a label is missing, of another shape or not finite.
    """
    if not frames:
        raise InputError("labels: the design has no labelled structure; a model needs at least two.")
    energies, forces, virials = zip(*map(_labels, range(len(frames)), frames), strict=True)
    return {
        "sizes": np.array([len(atoms) for atoms in frames]),
        "numbers": np.concatenate([atoms.numbers for atoms in frames]),
        "positions": np.concatenate([atoms.positions for atoms in frames]),
        "cells": np.array([atoms.cell.array for atoms in frames]),
        "pbc": np.array([atoms.pbc for atoms in frames]),
        "energies": np.array(energies),
        "forces": np.concatenate(forces),
        "virials": np.array([np.zeros((3, 3)) if virial is None else virial for virial in virials]),
        "has_virial": np.array([virial is not None for virial in virials]),
    }


def _labels(index: int, atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return energy, forces and virial of a structure."""
    name = f"structure {index} ({atoms.get_chemical_formula()})"
    for key, place in (("REF_energy", atoms.info), ("REF_forces", atoms.arrays)):
        if key not in place:
            raise InputError(f"labels: {name} has no {key}; label the design again.")
    energy = _finite(atoms.info["REF_energy"], (), f"labels: REF_energy of {name}")
    forces = _finite(atoms.arrays["REF_forces"], (len(atoms), 3), f"labels: REF_forces of {name}")
    if "REF_virial" not in atoms.info:
        return energy, forces, None
    # Nine numbers come as they are, or as the matrix that ASE makes of them.
    virial = _finite(np.ravel(atoms.info["REF_virial"]), (9,), f"labels: REF_virial of {name}").reshape(3, 3)
    return energy, forces, 0.5 * (virial + virial.T)


def _finite(value: object, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return numbers of a shape, or refuse them under a name."""
    found = np.asarray(value, dtype=float)
    if found.shape != shape or not np.isfinite(found).all():
        wanted = f"{int(np.prod(shape))} finite numbers" if shape else "a finite number"
        raise InputError(f"{name} is not {wanted}; label the design again.")
    return found


def kept_back(count: int, share: float, key: str) -> list[int]:
    """Return the indices of structures that training does not see, in equal steps over the order of a design.

    ``key`` is the option that sets the share, for the message.

    >>> kept_back(30, 0.1, "models.mace.validation")
    [5, 15, 25]

    Raises
    ------
    InputError
        If none would be left to train on.
    """
    wanted = max(1, round(share * count))
    if wanted >= count:
        raise InputError(
            f"{key}: of {count} labelled structures {wanted} are kept back, which leaves none to train"
            " on; lower it, or label more."
        )
    return [(2 * k + 1) * count // (2 * wanted) for k in range(wanted)]


def neighbours(frames: Sequence[Atoms], r_cut: float) -> float:
    """Return the mean number of neighbours of an atom within a distance, in angstrom."""
    from matscipy.neighbours import neighbour_list

    pairs = sum(
        len(neighbour_list("i", positions=a.positions, cell=a.cell.complete().array, pbc=a.pbc, cutoff=r_cut))
        for a in frames
    )
    return pairs / sum(map(len, frames))
