"""Frames of copper that carry what their labels cost, and a study of these with an engine that refuses the largest."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk


def frames(count: int) -> list[Atoms]:
    """Return strained cells of one to four atoms by turns, whose costs grow with the square."""
    rng, made = np.random.default_rng(2), []
    for k in range(count):
        atoms = bulk("Cu", "fcc", a=3.6).repeat((1, 1, k % 4 + 1))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.05 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.info["hours"] = float(len(atoms) ** 2)
        made.append(atoms)
    return made


def configuration(*, budget: float, at_most: int, designs: dict[str, Any]) -> dict[str, Any]:
    """Return a study, called `hours`, of the frames in `frames.extxyz`."""
    return {
        "study": "hours",
        "pools": {
            "names": ["A"],
            "size": "all",
            "shard_size": 40,
            "sampler": "file",
            "file": {"path": "frames.extxyz", "shuffle": False},
        },
        "descriptor": {"soap": {"r_cut": 4.5, "n_max": 3, "l_max": 3, "sigma": 0.5}},
        "kernel": {"pair": {"r_cut": 4.5}},
        "budget": {"core_hours": budget, "at_most": at_most},
        "costs": {"source": "column", "column": "hours"},
        "designs": designs,
        # By default a second per atom, so that cells of four cost too much.
        "labels": {"engine": "ase", "chunk": 25, "max_failed": 0.6, "max_core_hours": 3.5 / 3600},
    }
