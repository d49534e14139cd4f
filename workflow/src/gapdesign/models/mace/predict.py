"""Energies, forces and virials that a trained model predicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ase.data import chemical_symbols

from gapdesign import records
from gapdesign.descriptors.mace import graph, header, load
from gapdesign.descriptors.torch_models import refuse_damaged, reproducibly
from gapdesign.engines.base import Label
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms


def evaluator(path: Path) -> Callable[[Atoms], Label]:
    """Return the function from a structure to what a model predicts, in double precision.

    Every structure is a batch of its own, so that its numbers do not depend on others. A cell without a volume has no
    virial.

    Raises
    ------
    InputError
        If the file is missing, damaged or no model of energies by MACE, or mace-torch is missing.
    """
    if not path.exists():
        raise InputError(f"{path}: no such potential; fit the model again.")
    records.check(path)
    known = header(str(path), "models.mace").elements
    refuse_damaged(str(path), "models.mace")
    model = load(str(path), "models.mace", "models.mace")

    def evaluate(atoms: Atoms) -> Label:
        unknown = sorted(set(atoms.numbers.tolist()) - set(known))
        if unknown:
            raise InputError(f"{path}: the model knows no {chemical_symbols[unknown[0]]}; fit it to such labels.")
        with reproducibly():
            found = model(graph(atoms, known, float(model.r_max)), compute_virials=True)
        virial = found["virials"][0].detach().numpy() if atoms.cell.rank == 3 else None
        return Label(found["energy"].item(), found["forces"].detach().numpy(), virial)

    return evaluate
