"""MACE: extended XYZ with the keys that `mace_run_train` reads by default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gapdesign.files import write_text
from gapdesign.formats.base import VALID, Dataset, Datum, Format
from gapdesign.formats.shared.extxyz import frames


class MaceFormat(Format):
    """Energies, forces and stresses as MACE reads them; its stress has the sign of ASE's, positive under tension."""

    name = "mace"
    summary = "extended XYZ with `REF_energy`, `REF_forces` and `REF_stress`"
    title = "MACE"
    needs = ("energy",)
    isolated = "structures"
    suffix = ".xyz"

    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part; see :class:`gapdesign.formats.base.Format`."""
        write_text(path, frames(data, "REF_energy", "REF_forces", stress="REF_stress"))

    def lines(self, dataset: Dataset) -> list[str]:
        """Return a command; see :class:`gapdesign.formats.base.Format`."""
        files = self.files(dataset)
        valid = f"--valid_file={files[VALID]}" if VALID in files else "--valid_fraction=0.1"
        has_stress = any(each.stress is not None for data in dataset.parts.values() for each in data)
        stress = " --loss=universal --compute_stress=True --stress_key=REF_stress" if has_stress else ""
        atoms = "" if dataset.knows_atoms else " --E0s=average"
        return [
            f"mace_run_train --name=mine --train_file={files['train']} {valid} --energy_key=REF_energy"
            f" --forces_key=REF_forces{stress}{atoms}"
        ]
