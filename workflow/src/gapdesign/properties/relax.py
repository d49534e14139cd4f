"""Relaxation of crystals under their symmetry, so that a prototype remains what its name says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.properties.base import NotMeasuredError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

LARGEST = 0.3
"""Change of the volume, as a fraction, beyond which a crystal has run away."""

SYMMETRY = 1e-4
"""Largest deviation, in angstrom, of positions that count as symmetric."""

ROUGH = 1e-2
"""The same for a prototype as the user gives it, which may come from a file with few digits."""


def relax_crystal(
    atoms: Atoms, calculator: Calculator, *, max_force: float, max_steps: int, fixed_volume: bool = False
) -> Atoms:
    """Relax cell and positions, keeping every symmetry of the crystal.

    Parameters
    ----------
    atoms
        The crystal; it is not changed.
    calculator
        The potential.
    max_force
        Largest remaining force, in eV/angstrom, and virial, in eV per atom.
    max_steps
        Largest number of steps.
    fixed_volume
        Whether to keep the volume.

    Returns
    -------
    Atoms
        A copy without constraints, with ``calculator`` attached.

    Raises
    ------
    NotMeasuredError
        If it does not relax within ``max_steps``, or its volume runs away.
    """
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter

    relaxed = atoms.copy()
    relaxed.calc = calculator
    relaxed.set_constraint(FixSymmetry(relaxed, symprec=ROUGH))
    _minimise(relaxed, FrechetCellFilter(relaxed, constant_volume=fixed_volume), max_force, max_steps)
    relaxed.set_constraint()
    return relaxed


def relax_ions(atoms: Atoms, calculator: Calculator, *, max_force: float, max_steps: int) -> Atoms:
    """Relax the positions in a fixed cell; see :func:`relax_crystal`."""
    from ase.constraints import FixSymmetry

    relaxed = atoms.copy()
    relaxed.calc = calculator
    if len(relaxed) > 1:
        # A small strain lowers the symmetry; to resolve it, the tolerance must be far below the strain.
        relaxed.set_constraint(FixSymmetry(relaxed, symprec=SYMMETRY))
        _minimise(relaxed, relaxed, max_force, max_steps)
        relaxed.set_constraint()
    return relaxed


def _minimise(atoms: Atoms, what, max_force: float, max_steps: int) -> None:
    from ase.optimize import BFGS

    start = atoms.get_volume()
    optimizer = BFGS(what, logfile=None, maxstep=0.05)
    try:
        for converged in optimizer.irun(fmax=max_force, steps=max_steps):
            if converged:
                return
            change = atoms.get_volume() / start - 1
            if abs(change) > LARGEST:
                raise NotMeasuredError(f"The crystal did not relax: its volume changed by {100 * change:.0f} %.")
    except (RuntimeError, np.linalg.LinAlgError, ValueError) as error:
        raise NotMeasuredError(f"The crystal did not relax: {' '.join(str(error).split())}") from None
    raise NotMeasuredError(f"The crystal did not relax in {max_steps} steps (properties.max_steps).")
