"""Sampler `occupation`: alloys whose elements occupy the sites of a prototype at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from pydantic import Field

from gapdesign.errors import InputError
from gapdesign.prototypes import Prototype
from gapdesign.samplers.shared.crystals import CrystalOptions, OneByOneSampler, disturb, pick, supercell


class OccupationOptions(CrystalOptions):
    """Options of the sampler `occupation`: solid solutions on the sites of the prototypes."""

    atoms: int = Field(
        8,
        ge=1,
        description="Smallest number of atoms; the prototype is repeated to a cell as close to a cube as possible.",
    )
    composition: dict[str, float] | None = Field(
        None,
        description="Share of each element; by default the shares of all elements of the prototypes are drawn at"
        " random, with every composition equally likely.",
    )


class OccupationSampler(OneByOneSampler):
    """Supercells of the prototypes with elements at random on their sites.

    Raises
    ------
    InputError
        If the composition names an element that no prototype has, or its shares are not positive.
    """

    name = "occupation"
    summary = "a prototype whose sites the elements share at random"
    Options = OccupationOptions

    def __init__(self, options: OccupationOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        self._elements = np.unique(np.concatenate([prototype.atoms.numbers for prototype in prototypes]))
        self._shares = _shares(options.composition, self._elements)

    def build(self, generator: np.random.Generator) -> Atoms:
        """Build one structure."""
        atoms = supercell(pick(self.prototypes, generator), self.options.atoms)
        shares = self._shares
        if shares is None:
            # Exponential numbers over their sum are uniform on the simplex.
            shares = -np.log1p(-generator.random(len(self._elements)))
        bounds = np.cumsum(shares / shares.sum())
        sites = np.searchsorted(bounds, generator.random(len(atoms)), side="right")
        atoms.numbers[:] = self._elements[np.minimum(sites, len(self._elements) - 1)]
        return disturb(atoms, self.options, generator)


def _shares(composition: dict[str, float] | None, elements: np.ndarray) -> np.ndarray | None:
    if composition is None:
        return None
    known = [chemical_symbols[z] for z in elements]
    for symbol, share in composition.items():
        if symbol not in known:
            raise InputError(
                f"pools.occupation.composition: no prototype has the element '{symbol}', only {', '.join(known)};"
                " add a prototype that has it."
            )
        if not share >= 0:
            raise InputError(f"pools.occupation.composition.{symbol}: the share {share} is negative; give 0 or more.")
    if not sum(composition.values()) > 0:
        raise InputError("pools.occupation.composition: the shares add up to 0; make one positive.")
    shares = {atomic_numbers[symbol]: share for symbol, share in composition.items()}
    return np.array([shares.get(int(z), 0.0) for z in elements])
