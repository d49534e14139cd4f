"""Neuroevolution potentials: extended XYZ as GPUMD and torchnep read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gapdesign.cells import periodic
from gapdesign.files import write_text
from gapdesign.formats.base import FAR, TRAIN, VALID, Dataset, Datum, Format
from gapdesign.formats.shared import extxyz

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.inputs.labels import Values


def frame(
    atoms: Atoms, values: Values, energies: Mapping[str, float], cutoff: float, config_type: str | None = None
) -> str:
    """Return a structure with its labels.

    Parameters
    ----------
    atoms
        The structure.
    values
        Its labels; energy and forces are needed.
    energies
        Energies of isolated atoms by element, in eV, which the energy is counted from; 0 for those not named.
    cutoff
        In angstrom; cells that are not periodic are made so long that no atom has an image within it.
    config_type
        Name of its group.
    """
    energy = values.energy - sum(energies.get(symbol, 0.0) for symbol in atoms.symbols)
    info = {"energy": energy, "virial": values.virial, "config_type": config_type}
    return extxyz.frame(periodic(atoms, cutoff), info, {"forces": values.forces})


class NepFormat(Format):
    """Cohesive energies, where isolated atoms are known, forces and virials; every cell is periodic."""

    name = "nep"
    summary = "extended XYZ as GPUMD and torchnep read it, with energies counted from isolated atoms"
    title = "NEP"
    isolated = "subtracted"
    suffix = ".xyz"

    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part; see :class:`gapdesign.formats.base.Format`."""
        found = (
            frame(each.atoms, each.values, dataset.energies, FAR, str(each.said.get("config_type", "")) or None)
            for each in data
        )
        write_text(path, "".join(found))

    def files(self, dataset: Dataset) -> dict[str, str]:
        """Return `train.xyz` and `test.xyz`, which GPUMD looks for by these names."""
        names = {TRAIN: "train.xyz", VALID: "test.xyz"}
        return {part: names[part] for part in dataset.parts}

    def lines(self, dataset: Dataset) -> list[str]:
        """Return the first line of `nep.in`; see :class:`gapdesign.formats.base.Format`."""
        return [f"type {len(dataset.elements)} {' '.join(dataset.elements)}"]
