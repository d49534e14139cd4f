"""Forces that a model predicts beside the labels, a row per atom, and samples of them for figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.files import read_arrays, write_arrays

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.engines.base import Label

ZERO, NOISE = 1e-5, 1e-2
"""Predicted and labelled force, in eV/angstrom, below which symmetry holds an atom in its place.

So it does in every cell of one atom. A model is exactly symmetric, and DFT almost.
"""

SHOWN = 20_000
"""Most atoms in the samples of all models together, or one per model and test set if these are more."""

AXES = "xyz"


@dataclass(frozen=True, eq=False)
class Forces:
    """Labelled and predicted forces of all structures that one model was tested on.

    Attributes
    ----------
    structures : (n,) int
        For each atom, the row of its structure in the model's table of predictions, ascending. Atoms of structures
        without forces are left out.
    numbers : (n,) int
        Atomic numbers.
    reference, predicted : (n, 3)
        In eV/angstrom.
    """

    structures: np.ndarray
    numbers: np.ndarray
    reference: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, frames: Sequence[Atoms], predicted: Sequence[Label]) -> Forces:
        """Gather forces of structures in the order of the table of predictions."""
        pairs = zip(frames, predicted, strict=True)
        known = [(row, *pair) for row, pair in enumerate(pairs) if "REF_forces" in pair[0].arrays]
        empty = np.empty((0, 3))
        return cls(
            structures=np.repeat([row for row, *_ in known], [len(atoms) for _, atoms, _ in known]).astype(np.int32),
            numbers=np.concatenate([empty[:, 0], *(atoms.numbers for _, atoms, _ in known)]).astype(np.uint8),
            reference=np.concatenate([empty, *(atoms.arrays["REF_forces"] for _, atoms, _ in known)]),
            predicted=np.concatenate([empty, *(found.forces for *_, found in known)]),
        )

    def write(self, path: str | Path) -> None:
        """Write the forces atomically; equal ones give equal bytes."""
        names = ("structures", "numbers", "reference", "predicted")
        write_arrays(path, {name: getattr(self, name) for name in names})

    @classmethod
    def read(cls, path: str | Path) -> Forces:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or not whole.
        """
        return read_arrays(path, lambda arrays: cls(**arrays), run="snakemake")

    @cached_property
    def errors(self) -> np.ndarray:
        """Predicted minus labelled components (n, 3), in meV/angstrom; infinite where a prediction is no number."""
        known = np.isfinite(self.predicted)
        return np.where(known, 1000 * (self.predicted - self.reference), np.inf)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Lengths (n,) of the errors, in meV/angstrom."""
        return np.linalg.norm(self.errors, axis=1)

    @cached_property
    def vanish(self) -> np.ndarray:
        """Whether symmetry holds a force at zero (n,)."""
        predicted, reference = (np.linalg.norm(values, axis=1) for values in (self.predicted, self.reference))
        return (predicted < ZERO) & (reference < NOISE)


def sample(table: pd.DataFrame, forces: Forces, panels: int) -> pd.DataFrame:
    """Choose atoms for figures: evenly from the smallest to the largest error of each test set.

    The distribution of errors is that of all atoms, the worst one is among them, and the table stays small however many
    atoms there are. Forces that symmetry holds at zero are left out.

    Parameters
    ----------
    table
        Predictions of one model.
    forces
        Its forces.
    panels
        Number of pairs of models and test sets in the whole study, which share :data:`SHOWN`.

    Returns
    -------
    DataFrame
        One row per atom: ``model``, ``test_set``, ``rank``, ``atom`` (its place in the structure, from 0),
        ``element``, components of the labelled and the predicted force in eV/angstrom, and the length of the error in
        meV/angstrom.
    """
    import pandas as pd
    from ase.data import chemical_symbols

    most, chosen = max(1, SHOWN // panels), [np.empty(0, dtype=int)]
    sets = table["test_set"].to_numpy()[forces.structures]
    for test_set in dict.fromkeys(table["test_set"]):
        mine = np.flatnonzero((sets == test_set) & ~forces.vanish)
        falling = mine[np.argsort(-forces.sizes[mine], kind="stable")]
        count = min(most, len(mine))
        chosen.append(np.sort(falling[np.arange(count) * len(mine) // max(1, count)]))
    rows = np.concatenate(chosen)
    structures = forces.structures[rows]
    told = table.iloc[structures][["model", "test_set", "rank"]].reset_index(drop=True)
    places = {"atom": rows - np.searchsorted(forces.structures, structures)}
    places["element"] = [chemical_symbols[number] for number in forces.numbers[rows]]
    values = {
        f"{kind}_{axis}_ev_a": getattr(forces, kind)[rows, place]
        for kind in ("reference", "predicted")
        for place, axis in enumerate(AXES)
    }
    return pd.concat([told, pd.DataFrame(places | values | {"error_mev_a": forces.sizes[rows]})], axis=1)
