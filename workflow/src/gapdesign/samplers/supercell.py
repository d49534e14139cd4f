"""Sampler `supercell`: point defects (vacancies, interstitials, substitutions) in supercells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atom, Atoms
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.prototypes import Prototype
from gapdesign.samplers.shared.crystals import CrystalOptions, OneByOneSampler, disturb, emptiest, pick, supercell


class DefectOptions(Options):
    """Relative frequency of each kind of defect."""

    vacancy: float = Field(1.0, ge=0, description="An atom is removed.")
    interstitial: float = Field(1.0, ge=0, description="An atom is added in a void.")
    substitution: float = Field(
        1.0, ge=0, description="An atom becomes another element of the prototypes; none if they have only one."
    )


class SupercellOptions(CrystalOptions):
    """Options of the sampler `supercell`: crystals with point defects."""

    atoms: int = Field(
        32,
        ge=2,
        description="Smallest number of atoms; the prototype is repeated to a cell as close to a cube as possible.",
    )
    defects: int = Field(2, ge=1, description="Largest number of defects in a structure; the number is uniform from 1.")
    kinds: DefectOptions = Field(DefectOptions(), description="Kinds of defects.")


class SupercellSampler(OneByOneSampler):
    """Supercells of the prototypes with point defects.

    Raises
    ------
    InputError
        If no kind of defect is left.
    """

    name = "supercell"
    summary = "a supercell with vacancies, interstitials or substitutions"
    Options = SupercellOptions

    def __init__(self, options: SupercellOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        self._elements = np.unique(np.concatenate([prototype.atoms.numbers for prototype in prototypes]))
        weights = np.array([options.kinds.vacancy, options.kinds.interstitial, options.kinds.substitution])
        weights[2] *= len(self._elements) > 1
        if not weights.any():
            raise InputError(
                "pools.supercell.kinds: no kind of defect is left (a substitution needs prototypes of several"
                " elements); give one a weight above 0."
            )
        self._kinds = np.cumsum(weights / weights.sum())

    def build(self, generator: np.random.Generator) -> Atoms:
        """Build one structure."""
        atoms = supercell(pick(self.prototypes, generator), self.options.atoms)
        for _ in range(int(generator.integers(1, self.options.defects + 1))):
            kind = int(np.searchsorted(self._kinds, generator.random(), side="right"))
            DEFECTS[kind](atoms, self._elements, generator)
        return disturb(atoms, self.options, generator)


def _vacancy(atoms: Atoms, elements: np.ndarray, generator: np.random.Generator) -> None:
    if len(atoms) > 1:
        del atoms[int(generator.integers(len(atoms)))]


def _interstitial(atoms: Atoms, elements: np.ndarray, generator: np.random.Generator) -> None:
    atoms.append(Atom(int(generator.choice(elements)), emptiest(atoms, generator)))


def _substitution(atoms: Atoms, elements: np.ndarray, generator: np.random.Generator) -> None:
    site = int(generator.integers(len(atoms)))
    atoms.numbers[site] = generator.choice(elements[elements != atoms.numbers[site]])


DEFECTS = (_vacancy, _interstitial, _substitution)
"""Functions that make each kind of defect, in the order of the weights."""
