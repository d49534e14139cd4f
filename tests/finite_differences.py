"""Derivatives of descriptors, compared with finite differences of their vectors."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from gapdesign.descriptors import EnvironmentDescriptor, KernelFunctions
from gapdesign.structures import pack
from gapdesign.voigt import VOIGT

STEP = 2e-4


def units(member: EnvironmentDescriptor, atoms: Atoms) -> np.ndarray:
    """Return the vectors (n, d) around all atoms, of unit length."""
    vectors = member(pack([atoms]), 0, np.arange(len(atoms)))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def moved(atoms: Atoms, row: int, step: float) -> Atoms:
    """Return a structure with one of its 6 + 3 n coordinates changed: a component of the strain, or of a position."""
    changed = atoms.copy()
    if row >= len(VOIGT):
        changed.positions.flat[row - len(VOIGT)] += step
        return changed
    strain = np.zeros((3, 3))
    a, b = VOIGT[row]
    strain[a, b] += step / 2
    strain[b, a] += step / 2
    changed.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=False)
    changed.positions = atoms.positions @ (np.eye(3) + strain)
    return changed


def check_sums(member: EnvironmentDescriptor, atoms: Atoms, *, tolerance: float) -> None:
    """Check the sums of vectors and of functions of them, and all derivatives, around the atoms of each element."""
    rng = np.random.default_rng(1)
    own = units(member, atoms)
    points = {int(z): own[atoms.numbers == z][:1] + 0.1 * rng.normal(size=(3, own.shape[1])) for z in atoms.numbers}
    points = {z: some / np.linalg.norm(some, axis=1)[:, None] for z, some in points.items()}
    for functions in (None, KernelFunctions(points, 3)):

        def summed(changed: Atoms, functions: KernelFunctions | None = functions) -> dict[int, np.ndarray]:
            of_all = units(member, changed)
            each = {z: of_all[atoms.numbers == z] for z in points}
            if functions is not None:
                each = {z: (vectors @ points[z].T) ** 3 for z, vectors in each.items()}
            return {z: values.sum(axis=0) for z, values in each.items()}

        found, expected = member.sums(pack([atoms]), 0, functions), summed(atoms)
        assert set(found) == set(points)
        for z, rows in found.items():
            assert rows.shape == (7 + 3 * len(atoms), len(expected[z]))
            np.testing.assert_allclose(rows[0], expected[z], atol=1e-9)
            size = np.abs(rows[1:]).max()
            for row, own in enumerate(rows[1:]):
                near, far = (
                    (summed(moved(atoms, row, step))[z] - summed(moved(atoms, row, -step))[z]) / (2 * step)
                    for step in (STEP, 2 * STEP)
                )
                np.testing.assert_allclose(own, (4 * near - far) / 3, atol=tolerance * max(1.0, size))
