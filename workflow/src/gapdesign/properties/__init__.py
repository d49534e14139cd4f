"""Properties of crystals, measured on a model or on the reference engine, to judge potentials by.

A property is one module with one function ``measure(subject, calculator, options) -> Finding``. To add one, write the
module and enter it in :data:`PROPERTIES` and, by the same name, in :data:`gapdesign.properties.options.Name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal

from gapdesign.properties import dimer, elastic, lattice, nve, phonons, volumes
from gapdesign.properties.base import Crystal, Evaluate, Evaluator, Finding, NotMeasuredError, Point, Value
from gapdesign.properties.options import MeasuredOptions, PropertiesOptions
from gapdesign.properties.relax import relax_crystal

if TYPE_CHECKING:
    import pandas as pd
    from ase.calculators.calculator import Calculator

    from gapdesign.prototypes import Prototype

__all__ = ["CURVES", "PROPERTIES", "VALUES", "Measurement", "PropertiesOptions", "Property"]

VALUES = ("prototype", "property", "value", "unit", "reason")
"""Columns of the table of values. A property without a value appears under its module's name, with a reason."""

CURVES = ("prototype", "curve", "branch", "x", "y", "label")
"""Columns of the table of curves."""


@dataclass(frozen=True)
class Property:
    """Measurement of one property.

    Parameters
    ----------
    measure
        The function in its module.
    of
        Its subjects: every crystal, some crystals (those that the property's own options name, or the first one), or
        every pair of elements.
    """

    measure: Callable[..., Finding]
    of: Literal["crystals", "some crystals", "pairs"]


PROPERTIES: dict[str, Property] = {
    "lattice": Property(lattice.measure, "crystals"),
    "volumes": Property(volumes.measure, "crystals"),
    "elastic": Property(elastic.measure, "crystals"),
    "dimer": Property(dimer.measure, "pairs"),
    "phonons": Property(phonons.measure, "some crystals"),
    "nve": Property(nve.measure, "some crystals"),
}
"""Every property by name, in the order of the report."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The measurements to make on one potential.

    Parameters
    ----------
    names
        Properties to measure.
    prototypes
        Crystals; energies are relative to the first one.
    options
        Options of the measurements.
    farthest
        Longest dimer, in angstrom.
    seed
        Seed of the velocities of `nve`.
    say
        Called with a line of text to report progress.
    """

    names: Sequence[str]
    prototypes: Sequence[Prototype]
    options: MeasuredOptions
    farthest: float
    seed: int
    say: Callable[[str], None] = field(default=lambda line: None)

    def run(self, evaluate: Evaluate) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Measure the properties; one that fails becomes a row with the reason.

        Parameters
        ----------
        evaluate
            The potential.

        Returns
        -------
        tuple of DataFrame
            Values, with the columns ``VALUES``, and curves, with the columns ``CURVES``.

        Raises
        ------
        InputError
            If the potential, or a package that a property needs, is missing.
        """
        import pandas as pd

        calculator = Evaluator(evaluate)
        crystals = self._relaxed(calculator)
        values: list[dict[str, Any]] = []
        curves: list[dict[str, Any]] = []
        for name in (name for name in PROPERTIES if name in self.names):
            for place, subject in self._subjects(name, crystals):
                self.say(f"{name} of {place}")
                try:
                    if isinstance(subject, NotMeasuredError):
                        raise subject
                    finding = self._function(name)(subject, calculator, self.options)
                except NotMeasuredError as error:
                    values.append(dict(zip(VALUES, (place, name, None, "", str(error)), strict=True)))
                    continue
                values += [dict(zip(VALUES, (place, *_row(value)), strict=True)) for value in finding.values]
                curves += [dict(zip(CURVES, (place, name, *_place(point)), strict=True)) for point in finding.curve]
        return pd.DataFrame(values, columns=VALUES), pd.DataFrame(curves, columns=CURVES)

    def _function(self, name: str) -> Callable[..., Finding]:
        own = {"dimer": {"farthest": self.farthest}, "nve": {"seed": self.seed}}
        return partial(PROPERTIES[name].measure, **own.get(name, {}))

    def _relaxed(self, calculator: Calculator) -> dict[str, Crystal | NotMeasuredError]:
        """Return every prototype at equilibrium, or the reason why it has none."""
        if all(PROPERTIES[name].of == "pairs" for name in self.names):
            return {}
        limits = {"max_force": self.options.max_force, "max_steps": self.options.max_steps}
        found: dict[str, Crystal | NotMeasuredError] = {}
        ground = float("nan")
        for prototype in self.prototypes:
            self.say(f"relaxing {prototype.name}")
            above = float("nan")
            try:
                atoms = relax_crystal(prototype.atoms, calculator, **limits)
                energy = atoms.get_potential_energy() / len(atoms)
            except NotMeasuredError as error:
                found[prototype.name] = error
                continue
            if prototype is self.prototypes[0]:
                ground = energy
            elif _composition(prototype) == _composition(self.prototypes[0]):
                above = energy - ground
            found[prototype.name] = Crystal(prototype.name, atoms, above)
        return found

    def _subjects(self, name: str, crystals: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        if PROPERTIES[name].of == "pairs":
            symbols = sorted({symbol for prototype in self.prototypes for symbol in prototype.atoms.symbols})
            for pair in combinations_with_replacement(symbols, 2):
                yield "-".join(pair), pair
            return
        chosen = getattr(self.options, name).crystals if PROPERTIES[name].of == "some crystals" else list(crystals)
        yield from ((crystal, crystals[crystal]) for crystal in chosen or list(crystals)[:1])


def _composition(prototype: Prototype) -> dict[int, float]:
    numbers = prototype.atoms.numbers.tolist()
    return {number: numbers.count(number) / len(numbers) for number in sorted(set(numbers))}


def _row(value: Value) -> tuple[str, float, str, str]:
    return value.name, value.value, value.unit, ""


def _place(point: Point) -> tuple[int, float, float, str]:
    return point.branch, point.x, point.y, point.label
