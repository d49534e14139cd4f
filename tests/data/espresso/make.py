"""Write the samples of this folder anew: ``python make.py`` where pw.x and Debian's quantum-espresso-data are.

Two atoms of aluminium in a strained cell, once converged and once stopped after two iterations. Times are taken out,
and of the bands in the XML all but the k-points.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.io import write

from gapdesign.engines.espresso import EspressoEngine, EspressoOptions

HERE = Path(__file__).parent
LIBRARY = "/usr/share/espresso/pseudo"


def clean(text: str) -> str:
    text = re.sub(r"\d{1,2} ?[A-Z][a-z]{2} ?20\d\d", "1Jan2020", text)
    text = re.sub(r"\d?\d: ?\d?\d: ?\d?\d", "00:00:00", text)
    text = re.sub(r"(?s)<(eigenvalues|occupations) size.*?</\1>\s*", "", text)
    text = re.sub(r"(?s)<timing_info>.*?</timing_info>\s*", "", text)
    text = re.sub(r"(?s)     init_run     :.*?(?=   This run)", "", text)
    text = re.sub(r".*(CPU|cpu).*\n", "", text)
    return text


def main() -> None:
    atoms = bulk("Al", a=4.0) * (2, 1, 1)
    rng = np.random.default_rng(1)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.standard_normal((2, 3))
    write(HERE / "sent.xyz", atoms, format="extxyz")
    for sample, steps in (("converged", 100), ("unconverged", 2)):
        options = EspressoOptions(
            **{"ecutwfc": 12, "kpoints": {"mesh": (3, 3, 3)}, "input": {"electron_maxstep": steps}},
            pseudopotentials={"library": LIBRARY, "symbols": {"Al": "Al.pz-vbc.UPF"}},
        )
        with tempfile.TemporaryDirectory() as folder:
            EspressoEngine(options).write_input(atoms, folder)
            output = subprocess.run(["pw.x", "-in", "pw.in"], cwd=folder, capture_output=True, text=True).stdout
            (HERE / f"{sample}.out").write_text(clean(output))
            (HERE / f"{sample}.xml").write_text(clean(Path(folder, "pwscf.save/data-file-schema.xml").read_text()))


if __name__ == "__main__":
    main()
