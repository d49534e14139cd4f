"""pacemaker and GRACE: extended XYZ, from which their own program makes the table that pacemaker reads."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

import yaml

from gapdesign.files import write_text
from gapdesign.formats.base import VALID, Dataset, Datum, Format
from gapdesign.formats.shared.extxyz import frames


class PacemakerFormat(Format):
    """Energies, forces and stresses under ASE's names.

    A pickle runs code when it is read, so none is written: GRACE reads these files as they are, and `extxyz2df`, which
    comes with it (tensorpotential 0.6.2), makes pacemaker's table of them.
    """

    name = "pacemaker"
    summary = "extended XYZ under ASE's names for GRACE and, by `extxyz2df`, for pacemaker; no pickle"
    title = "pacemaker"
    isolated = "numbers"
    suffix = ".extxyz"

    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part; see :class:`gapdesign.formats.base.Format`."""
        write_text(path, frames(data, "energy", "forces", stress="stress"))

    def lines(self, dataset: Dataset) -> list[str]:
        """Return commands and lines of `input.yaml`; see :class:`gapdesign.formats.base.Format`."""
        files = self.files(dataset)
        tables = {part: f"{part}.pkl.gz" for part in files}
        energies = yaml.safe_dump(dataset.energies, default_flow_style=True, sort_keys=False, width=inf).strip()
        test = [f"  test_filename: {tables[VALID]}"] if VALID in files else []
        return [
            # Without the option, older releases write over a file whose name ends with .extxyz.
            *(f"extxyz2df {files[part]} --output-dataset-filename {tables[part]}" for part in files),
            "data:",
            f"  filename: {tables['train']}",
            *test,
            f"  reference_energy: {energies}" if dataset.knows_atoms else "  reference_energy: auto",
        ]
