"""Linear ACE: extended XYZ for ACEpotentials.jl and ace-jax."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gapdesign.files import write_text
from gapdesign.formats.base import VALID, Dataset, Datum, Format
from gapdesign.formats.shared.extxyz import frames


class AceFormat(Format):
    """Energies, forces and virials under names that ASE does not turn into results of a calculator."""

    name = "ace"
    summary = "extended XYZ with `REF_energy`, `REF_forces` and `REF_virial`, for ACEpotentials.jl, ace-jax and gap_fit"
    title = "ACE"
    needs = ("energy",)
    isolated = "structures"
    suffix = ".xyz"

    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part; see :class:`gapdesign.formats.base.Format`."""
        write_text(path, frames(data, "REF_energy", "REF_forces", virial="REF_virial"))

    def lines(self, dataset: Dataset) -> list[str]:
        """Return arguments of both programs; see :class:`gapdesign.formats.base.Format`."""
        files = self.files(dataset)
        test = f" --test {files[VALID]}" if VALID in files else ""
        energies = ", ".join(f":{symbol} => {energy!r}" for symbol, energy in dataset.energies.items())
        given = [f"Eref = [{energies}]"] if dataset.knows_atoms else []
        return [
            f"aj fit --train {files['train']}{test} --energy-key REF_energy --force-key REF_forces --virial-key"
            " REF_virial --e0 lsq",
            'data_keys = (energy_key = "REF_energy", force_key = "REF_forces", virial_key = "REF_virial")',
            *given,
        ]
