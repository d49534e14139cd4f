"""Labelled structures in the form in which models are fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms


def training_frame(atoms: Atoms) -> Atoms:
    """Return a copy with only the labels, as gap_fit reads them.

    ASE writes a 3 x 3 array as JSON, which gap_fit ignores silently, but gap_fit understands nine numbers. The
    config_type keeps gap_fit from taking a primitive cell of one atom for an isolated atom.
    """
    from ase import Atoms

    formula = atoms.get_chemical_formula()
    missing = [key for key in ("REF_energy",) if key not in atoms.info]
    missing += [key for key in ("REF_forces",) if key not in atoms.arrays]
    if missing:
        raise InputError(f"labels: {formula} has no {', '.join(missing)}; label the design again.")
    copy = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info = {
        "REF_energy": float(atoms.info["REF_energy"]),
        "config_type": "design",
    }
    if "REF_virial" in atoms.info:  # labels made elsewhere may have none
        virial = np.asarray(atoms.info["REF_virial"], dtype=float)
        if virial.size != 9:
            raise InputError(f"labels: REF_virial of {formula} has {virial.size} numbers; give nine, or 3 x 3.")
        virial = virial.reshape(3, 3)
        copy.info["REF_virial"] = (0.5 * (virial + virial.T)).ravel()
    copy.arrays["REF_forces"] = np.asarray(atoms.arrays["REF_forces"], dtype=float)
    return copy
