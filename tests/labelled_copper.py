"""A small study whose labels are there already: rattled copper, by ASE's effective-medium potential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from gapdesign.files import write_frames

CORE, CANDIDATES = 3, 8


def configuration(folder: Path) -> dict[str, Any]:
    """Write core and candidates into a folder and give a study of them; candidates have no virial."""
    frames, rng = [], np.random.default_rng(11)
    for k in range(CORE + CANDIDATES):
        atoms = bulk("Cu", "fcc", a=3.6 + 0.02 * k, cubic=True)
        atoms.positions += (0.02 if k < CORE else 0.15) * rng.normal(size=atoms.positions.shape)
        atoms.calc = EMT()
        energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False)
        atoms.calc = None
        atoms.info = {"REF_energy": energy, "config_type": f"kind-{k % 2}"}
        atoms.arrays["REF_forces"] = forces
        if k < CORE:
            atoms.info["REF_virial"] = (-stress * atoms.get_volume()).ravel()
        frames.append(atoms)
    alone = Atoms("Cu", cell=[20] * 3, pbc=True)
    alone.calc = EMT()
    write_frames(folder / "core.extxyz", frames[:CORE])
    write_frames(folder / "rest.extxyz", frames[CORE:])
    return {
        "study": "copper",
        "seed": 5,
        "prototypes": {"fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6}},
        "pools": {
            "names": ["core", "rest"],
            "shard_size": 5,
            "sampler": "file",
            "overrides": {
                "core": {"size": CORE, "file": {"path": "core.extxyz", "shuffle": False}},
                "rest": {"size": CANDIDATES, "file": {"path": "rest.extxyz", "shuffle": False}},
            },
        },
        "descriptor": {"backend": "quippy", "soap": {"r_cut": 4.5, "n_max": 3, "l_max": 2, "sigma": 0.5}},
        "kernel": {"soap": {"scale": 2.0}, "pair": {"r_cut": 5.0, "length": 0.7, "scale": 1.0}},
        "budget": 4,
        "designs": {
            "RND": {"pool": "rest", "method": "random"},
            "FPS": {"pool": "rest", "method": "fps", "existing": "core.extxyz"},
            "MED": {"pool": "rest", "method": "k_medoids"},
        },
        "labels": {
            "engine": "file",
            "file": {
                "paths": ["core.extxyz", "rest.extxyz"],
                "isolated": {"Cu": float(alone.get_potential_energy())},
            },
        },
        "model": {"sparse": {"points_per_length": 2, "jitter": 1e-8}},
        "replay": {
            "core": "core",
            "budgets": [2, 4],
            "draws": 2,
            "points": 12,
            "surfaces": {"prototype": "fcc", "reference": {"100": 1.0, "111": 0.9}, "repeats": 2, "max_force": 0.05},
        },
    }
