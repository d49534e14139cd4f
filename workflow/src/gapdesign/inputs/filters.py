"""Filters of frames, by what a frame carries, its number of atoms and its elements."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np
from ase.data import atomic_numbers
from pydantic import Field, field_validator, model_validator

from gapdesign.config.options import Options


class RangeOptions(Options):
    """A range of numbers."""

    min: float | None = Field(None, description="Smallest number.")
    max: float | None = Field(None, description="Largest number.")

    def holds(self, value: Any) -> bool:
        """Return whether a value is a number of the range."""
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
            return False
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


Wanted = bool | int | float | str | tuple[bool | int | float | str, ...] | RangeOptions


class FilterOptions(Options):
    """Conditions on the frames of files."""

    keep: dict[str, Wanted] = Field(
        {},
        description="Values that a frame must carry to become a candidate, by their names: one, a list of which it has"
        " one, or a range. For example `{config_type: [bulk, slab], temperature: {max: 900}}`.",
    )
    drop: dict[str, Wanted] = Field(
        {}, description="Values by which a frame is left out, in the same form: one of them is enough."
    )
    atoms: tuple[int, int] | None = Field(
        None, description="Fewest and most atoms of a frame that becomes a candidate; by default any number."
    )
    elements: tuple[str, ...] | None = Field(
        None, min_length=1, description="Frames of these elements alone become candidates; by default all."
    )

    @field_validator("elements")
    @classmethod
    def _known(cls, symbols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for symbol in symbols or ():
            if atomic_numbers.get(symbol, 0) < 1:
                raise ValueError(f"'{symbol}' is not a chemical element; write a symbol such as Zr")
        return symbols

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.atoms is not None and not 1 <= self.atoms[0] <= self.atoms[1]:
            raise ValueError("`atoms` needs the fewest and the most atoms, 1 or more, the smaller number first")
        return self

    @property
    def filter(self) -> FilterOptions:
        """The conditions alone."""
        return FilterOptions(**{name: getattr(self, name) for name in FilterOptions.model_fields})

    @property
    def reads_values(self) -> bool:
        """Whether what a frame carries matters."""
        return bool(self.keep or self.drop)

    @property
    def is_open(self) -> bool:
        """Whether every frame passes."""
        return not self.reads_values and self.atoms is None and self.elements is None

    def passes(self, values: Mapping[str, Any], atoms: int, symbols: Collection[str]) -> bool:
        """Return whether a frame becomes a candidate.

        Parameters
        ----------
        values
            What it carries by name; not read unless :attr:`reads_values`.
        atoms : int
            Their number.
        symbols
            Its elements.
        """
        if self.atoms is not None and not self.atoms[0] <= atoms <= self.atoms[1]:
            return False
        if self.elements is not None and not set(symbols) <= set(self.elements):
            return False
        if any(name in values and _matches(values[name], wanted) for name, wanted in self.drop.items()):
            return False
        return all(name in values and _matches(values[name], wanted) for name, wanted in self.keep.items())


def _matches(value: Any, wanted: Wanted) -> bool:
    if isinstance(wanted, RangeOptions):
        return wanted.holds(value)
    return any(_equals(value, one) for one in (wanted if isinstance(wanted, tuple) else (wanted,)))


def _equals(value: Any, wanted: bool | int | float | str) -> bool:
    """Compare as numbers or truth values where both are, and else as text: a file may have 111 for the name `111`."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) == isinstance(wanted, bool) and value == wanted:
        return True
    return isinstance(wanted, str) and isinstance(value, str | int | float) and str(value) == wanted
