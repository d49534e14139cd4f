"""What a property is measured on, what it gives, and the calculator that asks once for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from gapdesign.engines.base import Label

if TYPE_CHECKING:
    from ase import Atoms

Evaluate = Callable[["Atoms"], Label]
"""Energy, forces and virial of a structure: what a model and a reference engine have in common."""

GPA = 160.21766208
"""Gigapascals in one eV/angstrom^3."""


class NotMeasuredError(Exception):
    """A property has no value for this potential; the message, one sentence, says why."""


@dataclass(frozen=True)
class Value:
    """One number.

    Parameters
    ----------
    name
        Of the property, such as ``C11``.
    value
        The number.
    unit
        Its unit; empty for a pure number.
    """

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Point:
    """One point of a curve.

    Parameters
    ----------
    x, y
        Its coordinates.
    branch
        Which line of the curve it is on, such as the band of phonons.
    label
        What the place is called, such as a point of high symmetry.
    """

    x: float
    y: float
    branch: int = 0
    label: str = ""


@dataclass(frozen=True)
class Finding:
    """What one measurement gave: values, and the curve that they were read from if there is one."""

    values: list[Value] = field(default_factory=list)
    curve: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Crystal:
    """A prototype at the equilibrium of one potential.

    Parameters
    ----------
    name
        Of the prototype.
    atoms
        Relaxed under its symmetry.
    above
        Energy above the first prototype of the study, in eV an atom; NaN where their compositions differ, or where the
        first one did not relax.
    """

    name: str
    atoms: Atoms
    above: float


class Evaluator(Calculator):
    """A calculator of ASE that computes energy, forces and stress in one call, and refuses what is not finite.

    Parameters
    ----------
    evaluate
        What computes them.
    """

    implemented_properties = ("energy", "forces", "stress", "free_energy")

    def __init__(self, evaluate: Evaluate) -> None:
        super().__init__()
        self._evaluate = evaluate

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute all results, whatever ``properties`` asks for; see ASE's interface.

        Raises
        ------
        NotMeasuredError
            If a result is not finite.
        """
        from ase.stress import full_3x3_to_voigt_6_stress

        super().calculate(atoms, properties, system_changes)
        label = self._evaluate(self.atoms)
        if not (np.isfinite(label.energy) and np.isfinite(label.forces).all() and np.isfinite(label.virial).all()):
            raise NotMeasuredError("The potential gave an energy, force or virial that is not finite.")
        stress = -label.virial / self.atoms.get_volume()
        self.results = {
            "energy": label.energy,
            "free_energy": label.energy,
            "forces": label.forces,
            "stress": full_3x3_to_voigt_6_stress(stress),
        }
