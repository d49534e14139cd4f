"""Crystals relaxed under their symmetry, so that a prototype stays what it is called."""

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
"""How well positions must repeat, in angstrom, to count as symmetric."""

ROUGH = 1e-2
"""The same for a prototype as given, which may come from a file with few digits."""


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
        Largest force, in eV/angstrom, and virial, in eV an atom, that may be left.
    max_steps
        The most steps.
    fixed_volume
        Keep the volume.

    Returns
    -------
    Atoms
        A copy without constraint, its calculator ``calculator``.

    Raises
    ------
    NotMeasuredError
        If it does not relax in so many steps, or its volume runs away.
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
    """Relax the positions in a cell that stays; see :func:`relax_crystal`."""
    from ase.constraints import FixSymmetry

    relaxed = atoms.copy()
    relaxed.calc = calculator
    if len(relaxed) > 1:
        # A little strain lowers the symmetry: it must be told apart, so the tolerance is far below the strain.
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
