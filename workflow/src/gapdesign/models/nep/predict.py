"""Energies, forces and virials that a model predicts, by nep-adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ase.data import chemical_symbols

from gapdesign import records
from gapdesign.cells import periodic
from gapdesign.descriptors.nep import load
from gapdesign.descriptors.neuroevolution import header, refuse_unsound
from gapdesign.engines.base import Label
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

_KEY = "models.nep"


def evaluator(path: Path) -> Callable[[Atoms], Label]:
    """Return the function from a structure to what a model predicts, in double precision.

    Where a structure is not periodic, its cell is made so long that no atom has an image within the cut-off. A cell
    without a volume has no virial.

    Raises
    ------
    InputError
        If the file is missing, cut short or no neuroevolution potential, or nep-adapters is missing.
    """
    if not path.exists():
        raise InputError(f"{path}: no such potential; fit the model again.")
    records.check(path)
    known = header(str(path), _KEY)
    refuse_unsound(str(path), _KEY)
    program = load(str(path), path.stat().st_mtime_ns, _KEY, _KEY)

    def evaluate(atoms: Atoms) -> Label:
        unknown = sorted({chemical_symbols[z] for z in atoms.numbers} - set(known.elements))
        if unknown:
            raise InputError(f"{path}: the model knows no {unknown[0]}; fit it to such labels.")
        found = program.predict_structures([periodic(atoms, known.cutoff)])
        virial = found.virials.sum(axis=0).reshape(3, 3) if atoms.cell.rank == 3 else None
        return Label(float(found.energy[0]), found.forces, virial)

    return evaluate
