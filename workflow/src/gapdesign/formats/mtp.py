"""Moment tensor potentials: configurations as the programs MLIP-2 and MLIP-3 read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from gapdesign.cells import periodic
from gapdesign.files import write_text
from gapdesign.formats.base import FAR, VALID, Dataset, Datum, Format
from gapdesign.voigt import VOIGT, VOIGT_NAMES


class MtpFormat(Format):
    """Configurations with energy, forces and `PlusStress`, which is the virial: positive under pressure, in eV."""

    name = "mtp"
    summary = "configurations (.cfg) for MLIP-2 and MLIP-3"
    title = "MLIP"
    needs = ()
    isolated = "structures"
    suffix = ".cfg"

    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part; see :class:`gapdesign.formats.base.Format`."""
        write_text(path, "\n".join(_configuration(each, dataset.elements) for each in data))

    def lines(self, dataset: Dataset) -> list[str]:
        """Return commands of both versions, and the types; see :class:`gapdesign.formats.base.Format`."""
        files = self.files(dataset)
        valid = f" --valid-cfgs={files[VALID]}" if VALID in files else ""
        return [
            f"mlp train start.mtp {files['train']}{valid} --trained-pot-name=mine.mtp",
            f"mlp train start.almtp {files['train']} --save_to=mine.almtp",
            f"species_count = {len(dataset.elements)}",
            *(f"type {k}: {symbol}" for k, symbol in enumerate(dataset.elements)),
        ]


def _configuration(datum: Datum, elements: Sequence[str]) -> str:
    values = datum.values
    atoms = periodic(datum.atoms, FAR) if datum.atoms.pbc.any() else datum.atoms
    lines = ["BEGIN_CFG", " Size", f"    {len(atoms)}"]
    if atoms.pbc.any():
        lines += [" Supercell", *(f"    {_written(vector)}" for vector in atoms.cell.array)]
    columns = [atoms.positions] if values.forces is None else [atoms.positions, values.forces]
    names = "cartes_x cartes_y cartes_z" + ("" if values.forces is None else " fx fy fz")
    lines.append(f" AtomData:  id type {names}")
    lines += [
        f"    {k} {elements.index(symbol)} {_written(row)}"
        for k, (symbol, row) in enumerate(zip(atoms.symbols, np.hstack(columns), strict=True), start=1)
    ]
    if values.energy is not None:
        lines += [" Energy", f"    {_written([values.energy])}"]
    if values.virial is not None and atoms.pbc.any():
        lines += [
            f" PlusStress:  {' '.join(VOIGT_NAMES)}",
            f"    {_written(values.virial[place] for place in VOIGT)}",
        ]
    group = "_".join(str(datum.said.get("config_type", "")).split())
    lines += [f" Feature   config_type {group}"] if group else []
    return "\n".join([*lines, "END_CFG"]) + "\n"


def _written(numbers: Iterable[float]) -> str:
    """Return numbers in as many digits as they have, without exponents, which not every reader takes."""
    return " ".join(np.format_float_positional(float(number), trim="0") for number in numbers)
