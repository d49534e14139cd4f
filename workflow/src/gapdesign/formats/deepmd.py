"""DeePMD-kit: folders of NumPy arrays, one for the structures of each composition."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gapdesign.cells import periodic
from gapdesign.files import write_array, write_text
from gapdesign.formats.base import FAR, VALID, Dataset, Datum, Format


class DeepmdFormat(Format):
    """Systems of structures that have the same elements, labels and kind of periodicity, as `deepmd/npy`.

    Atoms are sorted by element, so that a composition is one system whatever the order of its atoms. The virial has
    the sign of DeePMD-kit: minus the stress times the volume.
    """

    name = "deepmd"
    summary = "folders of NumPy arrays, a system for each composition, for DeePMD-kit"
    title = "DeePMD-kit"
    needs = ("energy",)
    isolated = "numbers"
    suffix = ""

    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part; see :class:`gapdesign.formats.base.Format`."""
        systems: dict[str, list[Datum]] = {}
        for each in data:
            systems.setdefault(_system(each, dataset.elements), []).append(each)
        for name, members in systems.items():
            _write(members, path / name, dataset.elements)

    def lines(self, dataset: Dataset) -> list[str]:
        """Return lines of `input.json`; see :class:`gapdesign.formats.base.Format`."""
        files = self.files(dataset)
        valid = [f'"validation_data": {{"systems": "{files[VALID]}"}}'] if VALID in files else []
        return [
            f'"type_map": {json.dumps(dataset.elements)}',
            f'"training_data": {{"systems": "{files["train"]}"}}',
            *valid,
            *([f'"atom_ener": {json.dumps(list(dataset.energies.values()))}'] if dataset.knows_atoms else []),
        ]


def _system(datum: Datum, elements: Sequence[str]) -> str:
    """Return the name of the system that a structure belongs to."""
    symbols = list(datum.atoms.symbols)
    formula = "".join(f"{symbol}{symbols.count(symbol)}" for symbol in elements if symbol in symbols)
    kinds = [] if datum.atoms.pbc.any() else ["nopbc"]
    kinds += [f"no-{name}" for name in ("forces", "virial") if getattr(datum.values, name) is None]
    return "-".join([formula, *kinds])


def _write(data: Sequence[Datum], folder: Path, elements: Sequence[str]) -> None:
    types = [np.array([elements.index(symbol) for symbol in each.atoms.symbols]) for each in data]
    orders = [np.argsort(each, kind="stable") for each in types]
    write_text(folder / "type.raw", "".join(f"{number}\n" for number in types[0][orders[0]]))
    write_text(folder / "type_map.raw", "".join(f"{symbol}\n" for symbol in elements))
    atoms = [each.atoms for each in data]
    arrays = {"energy": [each.values.energy for each in data]}
    if atoms[0].pbc.any():
        atoms = [periodic(each, FAR) for each in atoms]
        arrays["box"] = [each.cell.array.ravel() for each in atoms]
    else:
        write_text(folder / "nopbc", "")
    arrays["coord"] = [each.positions[order].ravel() for each, order in zip(atoms, orders, strict=True)]
    if data[0].values.forces is not None:
        arrays["force"] = [each.values.forces[order].ravel() for each, order in zip(data, orders, strict=True)]
    if data[0].values.virial is not None:
        arrays["virial"] = [each.values.virial.ravel() for each in data]
    for name, rows in arrays.items():
        write_array(folder / "set.000" / f"{name}.npy", np.array(rows, dtype=float))
