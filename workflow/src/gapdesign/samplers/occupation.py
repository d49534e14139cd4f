"""Sampler `occupation`: alloys whose elements occupy the sites of a prototype at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from pydantic import Field

from gapdesign.errors import InputError
from gapdesign.samplers.crystals import CrystalOptions, OneByOne, disturb, pick, supercell
from gapdesign.structures import Prototype


class OccupationOptions(CrystalOptions):
    """Options of the sampler `occupation`: solid solutions on the sites of the prototypes."""

    atoms: int = Field(
        8, ge=1, description="Least number of atoms: the prototype is repeated, as nearly to a cube as it goes."
    )
    composition: dict[str, float] | None = Field(
        None,
        description="Share of each element; `none` draws the shares of all elements of the prototypes, every"
        " composition as likely.",
    )


def make(options: OccupationOptions, prototypes: Sequence[Prototype]) -> OneByOne:
    """Sampler of random alloys.

    Raises
    ------
    InputError
        If the composition names an element that no prototype has, or its shares are not positive.
    """
    elements = np.unique(np.concatenate([prototype.atoms.numbers for prototype in prototypes]))
    shares = _shares(options.composition, elements)

    def build(generator: np.random.Generator) -> Atoms:
        atoms = supercell(pick(prototypes, generator), options.atoms)
        # Exponential numbers over their sum are uniform on the simplex.
        drawn = shares if shares is not None else -np.log1p(-generator.random(len(elements)))
        bounds = np.cumsum(drawn / drawn.sum())
        sites = np.searchsorted(bounds, generator.random(len(atoms)), side="right")
        atoms.numbers[:] = elements[np.minimum(sites, len(elements) - 1)]
        return disturb(atoms, options, generator)

    return OneByOne(prototypes, build)


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
