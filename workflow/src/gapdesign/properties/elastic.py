"""Elastic constants by the stress-strain method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.properties.base import GPA, Crystal, Finding, Value
from gapdesign.properties.relax import SYMMETRY, relax_ions
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from gapdesign.properties.options import PropertiesOptions

_CUBIC = ("C11", "C12", "C44")
_UNIAXIAL = ("C11", "C12", "C13", "C33", "C44")
_ORTHORHOMBIC = (*_UNIAXIAL, "C22", "C23", "C55", "C66")
_ALL = tuple(f"C{i}{j}" for i in range(1, 7) for j in range(i, 7))


def independent(spacegroup: int) -> tuple[str, ...]:
    """Return the names of the elastic constants that the symmetry leaves (nearly) independent, by space group number.

    Nye 1985, table 9. In the lower classes of the tetragonal and trigonal systems C16 and C15 are included; they are
    zero if the axes are the crystal's own.
    """
    if spacegroup >= 195:
        return _CUBIC
    if spacegroup >= 168:
        return _UNIAXIAL
    if spacegroup >= 143:
        return (*_UNIAXIAL, "C14", *(("C15",) if spacegroup <= 148 else ()))
    if spacegroup >= 75:
        return (*_UNIAXIAL, "C66", *(("C16",) if spacegroup <= 88 else ()))
    if spacegroup >= 16:
        return tuple(sorted(_ORTHORHOMBIC))
    return _ALL


def measure(crystal: Crystal, calculator: Calculator, options: PropertiesOptions) -> Finding:
    """Measure the independent elastic constants, in GPa, in the crystal's own axes.

    Raises
    ------
    NotMeasuredError
        If the positions in a strained cell do not relax.
    """
    number, tensor = stiffness(
        crystal.atoms, calculator, strain=options.strain, max_force=options.max_force, max_steps=options.max_steps
    )
    return Finding(
        [Value(name, float(tensor[int(name[1]) - 1, int(name[2]) - 1]), "GPa") for name in independent(number)]
    )


def stiffness(
    atoms: Atoms, calculator: Calculator, *, strain: float, max_force: float, max_steps: int
) -> tuple[int, np.ndarray]:
    """Fit the elastic tensor to central differences of the stress, with positions relaxed in each strained cell.

    Given the symmetry, only as many strains are applied as determine all constants: two for a cubic crystal, three
    for a hexagonal one, all six for a triclinic one.

    Parameters
    ----------
    atoms
        The crystal, without stress.
    calculator
        The potential.
    strain
        Strain in either direction; for shear, the engineering strain.
    max_force, max_steps
        See :func:`gapdesign.properties.relax.relax_crystal`.

    Returns
    -------
    tuple
        Number of the space group; and C in GPa, shape (6, 6), in Voigt's order and the standard axes of the crystal.
    """
    import spglib

    found = spglib.get_symmetry_dataset((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers), SYMMETRY)
    cell = atoms.cell[:].T
    allowed = invariant(np.array([cell @ rotation @ np.linalg.inv(cell) for rotation in found.rotations]))
    strains = strains_needed(allowed)
    columns = [_stress_rate(atoms, calculator, number, strain, max_force, max_steps) for number in strains]
    coefficients, *_ = np.linalg.lstsq(_columns(allowed, strains), np.concatenate(columns), rcond=None)
    tensor = np.tensordot(coefficients, allowed, axes=1)
    return int(found.number), GPA * _voigt(_rotate(_full(tensor), found.std_rotation_matrix))


def invariant(rotations: np.ndarray) -> np.ndarray:
    """Find all elastic tensors that are invariant under a point group.

    Parameters
    ----------
    rotations
        Elements of the group, as Cartesian matrices, shape (m, 3, 3).

    Returns
    -------
    ndarray
        An orthonormal basis, shape (k, 6, 6), in Voigt's order.
    """
    averages = []
    for i, j in zip(*np.triu_indices(6), strict=True):
        unit = np.zeros((6, 6))
        unit[i, j] = unit[j, i] = 1
        averages.append(np.mean([_voigt(_rotate(_full(unit), rotation)) for rotation in rotations], axis=0).ravel())
    _, sizes, basis = np.linalg.svd(averages)
    return basis[: np.sum(sizes > 1e-6)].reshape(-1, 6, 6)


def strains_needed(allowed: np.ndarray) -> list[int]:
    """Choose strains, by their places in Voigt's order, that determine a tensor spanned by :func:`invariant`."""
    chosen: list[int] = []
    rank = 0
    for number in range(6):
        more = np.linalg.matrix_rank(_columns(allowed, [*chosen, number]), tol=1e-6)
        if more > rank:
            chosen, rank = [*chosen, number], more
    return chosen


def _columns(allowed: np.ndarray, strains: list[int]) -> np.ndarray:
    """Return the stresses (6 per strain) with which each basis tensor responds, shape (6 s, k)."""
    return np.concatenate([allowed[:, :, number].T for number in strains])


def _stress_rate(
    atoms: Atoms, calculator: Calculator, number: int, strain: float, max_force: float, max_steps: int
) -> np.ndarray:
    """Return the central difference of the stress (6,) in one strain, in eV/angstrom^3."""
    i, j = VOIGT[number]
    direction = np.zeros((3, 3))
    direction[i, j] += 0.5
    direction[j, i] += 0.5
    stresses = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.set_cell(atoms.cell @ (np.eye(3) + sign * strain * direction), scale_atoms=True)
        strained = relax_ions(strained, calculator, max_force=max_force, max_steps=max_steps)
        stresses.append(strained.get_stress())
    return (stresses[0] - stresses[1]) / (2 * strain)


def _rotate(full: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    for _ in range(4):  # each pass rotates the first index and moves it last
        full = np.tensordot(full, rotation, axes=(0, 1))
    return full


def _full(tensor: np.ndarray) -> np.ndarray:
    """Convert from Voigt's order (6, 6) to four indices (3, 3, 3, 3)."""
    place = np.zeros((3, 3), dtype=int)
    for number, (i, j) in enumerate(VOIGT):
        place[i, j] = place[j, i] = number
    return tensor[place[:, :, None, None], place[None, None]]


def _voigt(full: np.ndarray) -> np.ndarray:
    """Convert from four indices to Voigt's order."""
    rows, columns = np.transpose(VOIGT)
    return full[rows[:, None], columns[:, None], rows[None], columns[None]]
