"""Structures that no engine should see, and labels that no model should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.engines.base import Label

if TYPE_CHECKING:
    from ase import Atoms


def refuse_structure(atoms: Atoms, min_fraction: float) -> str | None:
    """Say why a structure must not reach an engine; None if it may.

    Parameters
    ----------
    atoms
        The structure, of n atoms; images along periodic directions count as neighbours.
    min_fraction
        Smallest distance of two atoms that is allowed, as a fraction of the sum of their covalent radii
        (Cordero et al. 2008, as tabulated by ASE).

    Returns
    -------
    str or None
        One sentence, if there are no atoms, if a number is not finite, if the cell has no volume, or if two
        atoms are too close.
    """
    if len(atoms) == 0:
        return "The structure has no atoms."
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return "A position or a cell vector is not finite."
    volume = abs(np.linalg.det(atoms.cell.array))
    if not volume > 0:
        return f"The volume of the cell is {volume:g} cubic angstrom and must be positive."
    return _refuse_distances(atoms, min_fraction, volume) if min_fraction > 0 else None


def _refuse_distances(atoms: Atoms, min_fraction: float, volume: float) -> str | None:
    from ase.data import covalent_radii
    from matscipy.neighbours import neighbour_list

    radii = covalent_radii[atoms.numbers]
    # Spheres of one size fill at most pi/sqrt(18) of space (Kepler), so the volume bounds the distances, and
    # the neighbour list is spared a cell that holds billions of images.
    densest = len(atoms) * (2 * min_fraction * radii.min()) ** 3 / np.sqrt(2)
    if atoms.pbc.all() and volume < densest:
        return (
            f"The volume of the cell, {volume:.3g} cubic angstrom, is too small for {len(atoms)} atoms at"
            f" distances of {min_fraction:g} of the sum of the covalent radii: at least {densest:.3g}."
        )
    # The search divides space into boxes as wide as its reach; a tiny one would fill the memory with them.
    reach = max(2 * min_fraction * radii.max() + 1e-9, 1.0)
    first, second, distance = neighbour_list("ijd", atoms, reach)
    fraction = distance / (radii[first] + radii[second])
    if fraction.min(initial=np.inf) >= min_fraction:
        return None
    closest = fraction.argmin()
    pair = "-".join(sorted(atoms.symbols[index] for index in (first[closest], second[closest])))
    return (
        f"Two atoms ({pair}) are {distance[closest]:.3f} angstrom apart, {fraction[closest]:.3f} of the sum"
        f" of their covalent radii; the least allowed is {min_fraction:g}."
    )


def refuse_label(atoms: Atoms, label: Label) -> str | None:
    """Say why a label of ``atoms`` must not be kept; None if it may.

    Returns
    -------
    str or None
        One sentence, if energy, forces or virial are of the wrong shape or not finite.
    """
    expected = {"energy": (), "forces": (len(atoms), 3), "virial": (3, 3)}
    for name, shape in expected.items():
        values = np.asarray(getattr(label, name), dtype=float)
        if values.shape != shape:
            return f"The engine gave {name} of shape {values.shape} in place of {shape}."
        if not np.isfinite(values).all():
            return f"The engine gave a value of {name} that is not finite."
    return None
