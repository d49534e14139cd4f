"""Make the labelled set of the study w-reduce from the JSON files in which FitSNAP's repository keeps it.

python config/studies/w_reduce.py FitSNAP/examples/WBe_PRB2019/JSON data/w-reduce/w14.extxyz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms, units

from gapdesign.files import write_frames

GROUPS = (
    *("slice_sample", "md_bulk", "vacancy", "surface", "gamma_surface", "gamma_surface_vacancy"),
    "dislocation_quadrupole",
)
"""Folders of the tungsten set of Szlachta, Bartok and Csanyi (2014) among those of another."""


def frame(text: str, group: str) -> Atoms:
    """One structure with its labels; a stress of zeros says that there is none."""
    (data,) = json.loads(text[text.index("{") :])["Dataset"]["Data"]
    atoms = Atoms(data["AtomTypes"], positions=data["Positions"], cell=data["Lattice"], pbc=True)
    atoms.info = {"config_type": group, "REF_energy": data["Energy"]}
    atoms.arrays["REF_forces"] = np.array(data["Forces"], dtype=float)
    # FitSNAP's stress is a pressure in bar.
    stress = np.array(data["Stress"], dtype=float)
    if stress.any():
        atoms.info["REF_virial"] = (stress * 1e5 * units.Pascal * atoms.get_volume()).ravel()
    return atoms


def main(folder: Path, output: Path) -> None:
    """Read all groups, in the order of the numbers in the names of the files."""
    paths = sorted(
        (path for group in GROUPS for path in (folder / group).glob("*.json")),
        key=lambda path: int(path.name.split("_")[0]),
    )
    if not paths:
        sys.exit(f"{folder}: there are no folders {', '.join(GROUPS)} with JSON files in it.")
    output.parent.mkdir(parents=True, exist_ok=True)
    write_frames(output, [frame(path.read_text(encoding="utf-8"), path.parent.name) for path in paths])
    print(f"{len(paths)} structures in {output}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
