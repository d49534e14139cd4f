"""Estimate of the work that properties take, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.cells import supercell
from gapdesign.properties.phonons import repeats

if TYPE_CHECKING:
    from gapdesign.properties.options import PropertiesOptions
    from gapdesign.prototypes import Prototype

RELAXATION, VOLUME, STRAINS = 8, 3, 12
"""Calculations per relaxation of a crystal, per volume, and for all strains, as hcp zirconium takes them."""


def atoms_evaluated(options: PropertiesOptions, prototypes: Sequence[Prototype], names: Sequence[str]) -> int:
    """Estimate the sum of the numbers of atoms over all calculations that properties take.

    Parameters
    ----------
    options
        Options of the measurements.
    prototypes
        Crystals of the study.
    names
        Properties to measure.

    Returns
    -------
    int
        Estimate within a factor of about two, since the number of relaxation steps depends on the potential.
    """
    each = sum(len(prototype.atoms) for prototype in prototypes)
    elements = len({symbol for prototype in prototypes for symbol in prototype.atoms.symbols})
    work = RELAXATION * each if set(names) - {"dimer"} else 0
    work += VOLUME * options.volumes.points * each if "volumes" in names else 0
    work += STRAINS * each if "elastic" in names else 0
    work += elements * (elements + 1) * options.dimer.points if "dimer" in names else 0
    if "phonons" in names:
        for prototype in _some(prototypes, options.phonons.crystals):
            cells = int(np.prod(repeats(prototype.atoms, options.phonons.length)))
            work += 2 * len(np.unique(prototype.orbits)) * cells * len(prototype.atoms)
    if "nve" in names:
        for prototype in _some(prototypes, options.nve.crystals):
            work += (options.nve.steps + 1) * len(supercell(prototype.atoms, options.nve.atoms))
    return work


def _some(prototypes: Sequence[Prototype], names: Sequence[str] | None) -> list[Prototype]:
    return [prototype for prototype in prototypes if prototype.name in names] if names else list(prototypes[:1])
