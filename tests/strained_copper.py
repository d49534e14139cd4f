"""Strained copper with labels by ASE's effective medium theory, on which small models are trained and checked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from gapdesign.engines.base import Label


def labelled(atoms: Atoms) -> Atoms:
    """Label a structure as the workflow does."""
    computed = atoms.copy()
    computed.calc = EMT()
    atoms.info["REF_energy"] = computed.get_potential_energy()
    atoms.arrays["REF_forces"] = computed.get_forces()
    if atoms.cell.rank == 3:
        atoms.info["REF_virial"] = (-atoms.get_volume() * computed.get_stress(voigt=False)).ravel()
    return atoms


def strained() -> list[Atoms]:
    """Return eight cells, of one atom and of two."""
    rng, made = np.random.default_rng(3), []
    for k in range(8):
        atoms = bulk("Cu", "fcc", a=3.6).repeat((1 + k % 2, 1, 1))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.06 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.05 * rng.normal(size=(len(atoms), 3))
        made.append(labelled(atoms))
    return made


def check_derivatives(evaluate: Callable[[Atoms], Label], atoms: Atoms) -> None:
    """Check forces and virial of two atoms against central differences of energies."""
    found, step = evaluate(atoms), 1e-5
    for index in np.ndindex(2, 3):
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index] += sign * step
            ends.append(evaluate(moved).energy)
        assert found.forces[index] == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=1e-6)
    for index in ((0, 0), (0, 1), (2, 2)):
        ends = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[index] += sign * step / 2
            strain[index[::-1]] += sign * step / 2
            changed = atoms.copy()
            changed.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            ends.append(evaluate(changed).energy)
        assert found.virial[index] == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=1e-6)
