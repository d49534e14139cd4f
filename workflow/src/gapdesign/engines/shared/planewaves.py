"""Code shared by plane-wave programs: meshes of k-points, and the cost of a calculation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

_HBAR2_OVER_2M = 3.809982
"""Half of hbar squared over the electron mass, in eV angstrom^2: times k^2 the kinetic energy of wave number k."""

SECONDS = 3.5e-5
"""Core seconds per k-point, band and plane wave, measured with GPAW on strained hcp zirconium (docs/engines.md)."""

_NOBLE = (0, 2, 10, 18, 36, 54, 86)


class KpointOptions(Options):
    """A mesh of k-points that contains the centre of the zone."""

    length: float = Field(
        40.0,
        gt=0,
        description="Length R in angstrom from which the mesh of each structure follows, as `Auto` does in VASP:"
        " N_i = max(1, int(R |b_i| + 0.5)) points along the reciprocal vector b_i (without 2 pi).",
    )
    mesh: tuple[int, int, int] | None = Field(
        None, description="One mesh for every structure, such as [9, 9, 6], instead of `length`."
    )


def meshes(cell: np.ndarray, options: KpointOptions) -> list[tuple[int, int, int]]:
    """Return the meshes that the options allow for a cell: only one, unless a length is about to round up or down.

    Parameters
    ----------
    cell
        Lattice vectors as rows, shape (3, 3), in angstrom.
    options
        The mesh.

    Returns
    -------
    list of tuple of int
        The mesh by definition, then those that a program would find from a cell with fewer digits.
    """
    if options.mesh is not None:
        return [options.mesh]
    exact = options.length * np.linalg.norm(np.linalg.inv(cell), axis=0) + 0.5
    found = [tuple(np.maximum(1, np.floor(exact + shift)).astype(int).tolist()) for shift in (0, 1e-4, -1e-4)]
    return list(dict.fromkeys(found))


def is_mesh(points: np.ndarray, weights: np.ndarray, mesh: Sequence[int]) -> bool:
    """Return whether irreducible k-points are those of a mesh that contains the centre of the zone.

    All of them must lie on the mesh. The centre, which no symmetry maps elsewhere, must have the weight of one point.

    Parameters
    ----------
    points
        Fractional coordinates, shape (k, 3).
    weights
        Their weights, shape (k,), of any sum.
    mesh
        Points along each reciprocal vector.
    """
    scaled = np.asarray(points) * np.asarray(mesh)
    weights = np.asarray(weights) / np.sum(weights)
    centre = np.abs(points).max(axis=1) < 1e-6
    single = abs(weights[centre].sum() * np.prod(mesh) - 1) < 0.01
    return bool(single and np.abs(scaled - np.round(scaled)).max() < 1e-3)


def core_hours(atoms: Atoms, cutoff: float, kpoints: KpointOptions) -> float:
    """Estimate the cost of a calculation, in core hours.

    The estimate is the product of the numbers of k-points (half of the mesh, by time reversal), bands (half of the
    electrons, and a quarter of that more) and plane waves, V k^3 / 6 pi^2, and of :data:`SECONDS`. It ignores all other
    symmetry and the set-up costs.

    Parameters
    ----------
    atoms
        The structure.
    cutoff
        Kinetic energy of the shortest plane wave, in eV.
    kpoints
        The mesh.
    """
    waves = atoms.get_volume() * (cutoff / _HBAR2_OVER_2M) ** 1.5 / (6 * np.pi**2)
    bands = 0.625 * sum(valence(int(number)) for number in atoms.numbers)
    points = (np.prod(meshes(atoms.cell.array, kpoints)[0]) + 1) // 2
    return float(SECONDS * points * bands * waves / 3600)


def valence(number: int) -> int:
    """Return the number of valence electrons in a usual plane-wave data set, closely enough to estimate costs.

    These are the electrons outside the last noble-gas core, without full d and f shells; the first columns of the
    periodic table also count the s and p shells below.
    """
    core = max(noble for noble in _NOBLE if noble < number)
    outer = number - core
    if core >= 54 and outer > 16:
        outer -= 14
    if core >= 18 and outer > 12:
        outer -= 10
    return outer + (8 if core >= 10 and outer <= 6 and _is_early(number, core) else 0)


def _is_early(number: int, core: int) -> bool:
    """Return whether an element stands in the first six columns of the periodic table, from the fourth row on."""
    column = number - core - (14 if core >= 54 and number - core > 16 else 0)
    return core >= 18 and column <= 6
