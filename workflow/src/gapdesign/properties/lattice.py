"""Lattice constants, and the energy of a prototype above the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapdesign.properties.base import Crystal, Finding, Value

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from gapdesign.properties.options import PropertiesOptions

TOLERANCE = 1e-3
"""Largest deviation of a cell from its Bravais lattice."""


def measure(crystal: Crystal, calculator: Calculator, options: PropertiesOptions) -> Finding:
    """Read the lattice constants of the relaxed crystal's conventional cell, as ASE defines them.

    Returns
    -------
    Finding
        ``a``, ``b``, ``c`` in angstrom and angles in degrees, as far as the Bravais lattice leaves them free; ``c/a``
        if only these two are free; ``above`` in meV per atom.
    """
    lattice = crystal.atoms.cell.get_bravais_lattice(eps=TOLERANCE)
    free = lattice.vars()
    values = [Value(name, float(size), "Å" if name in "abc" else "degrees") for name, size in free.items()]
    if set(free) == {"a", "c"}:
        values.append(Value("c/a", free["c"] / free["a"], ""))
    if crystal.above == crystal.above:
        values.append(Value("above", 1000 * crystal.above, "meV/atom"))
    return Finding(values)
