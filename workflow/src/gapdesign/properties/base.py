"""Subjects and results of measurements, and the calculator that computes all results in one call."""

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
"""Function from a structure to its energy, forces and virial, which models and reference engines have in common."""

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
        Name of the property, such as ``C11``.
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
        Index of the line of the curve, such as the band of phonons.
    label
        Name of the place, such as a point of high symmetry.
    """

    x: float
    y: float
    branch: int = 0
    label: str = ""


@dataclass(frozen=True)
class Finding:
    """Result of one measurement: values, and the curve that they were read from, if any."""

    values: list[Value] = field(default_factory=list)
    curve: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Crystal:
    """A prototype at the equilibrium of one potential.

    Parameters
    ----------
    name
        Name of the prototype.
    atoms
        The crystal, relaxed under its symmetry.
    above
        Energy above the first prototype of the study, in eV per atom; NaN where their compositions differ, or where the
        first one did not relax.
    """

    name: str
    atoms: Atoms
    above: float


class Evaluator(Calculator):
    """An ASE calculator that computes energy, forces and stress in one call, and refuses values that are not finite.

    Parameters
    ----------
    evaluate
        Function that computes them.
    """

    implemented_properties = ("energy", "forces", "stress", "free_energy")

    def __init__(self, evaluate: Evaluate) -> None:
        super().__init__()
        self._evaluate = evaluate

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute all results, whichever ``properties`` are requested; see ASE's interface.

        Raises
        ------
        NotMeasuredError
            If a result is not finite.
        """
        from ase.stress import full_3x3_to_voigt_6_stress

        super().calculate(atoms, properties, system_changes)
        label = self._evaluate(self.atoms)
        if not (np.isfinite(label.energy) and np.isfinite(label.forces).all() and np.isfinite(label.virial).all()):
            raise NotMeasuredError("The potential returned an energy, force or virial that is not finite.")
        stress = -label.virial / self.atoms.get_volume()
        self.results = {
            "energy": label.energy,
            "free_energy": label.energy,
            "forces": label.forces,
            "stress": full_3x3_to_voigt_6_stress(stress),
        }
