"""Predictions of a model beside the labels, a row per structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.deviations import root_mean_square
from gapdesign.voigt import VOIGT, VOIGT_NAMES

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.engines.base import Label


def predictions(
    model: str, designs: Mapping[str, Sequence[Atoms]], predicted: Mapping[str, Sequence[Label]]
) -> pd.DataFrame:
    """Put the predictions of one model beside the labels of every design.

    Parameters
    ----------
    model : str
        Name of the design that the model was fitted to.
    designs : mapping
        Labelled structures of every design.
    predicted : mapping
        Predictions of each design's structures, in the same order.

    Returns
    -------
    DataFrame
        One row per structure: energies in eV per atom, the error (predicted minus reference) in meV per atom; the
        ``config_type`` in the file that it was read from, if there is one; the root-mean-square error of the components
        of its forces and the largest error of a force, in meV/angstrom, and the root-mean-square error of the six
        components of its virial, in meV per atom, each nan where it has no such label; and these six, labelled and
        predicted, in eV per atom.
    """
    import pandas as pd

    rows = []
    for test_set, frames in designs.items():
        for atoms, found in zip(frames, predicted[test_set], strict=True):
            reference, energy = atoms.info["REF_energy"] / len(atoms), found.energy / len(atoms)
            forces, virial = force_errors(atoms, found), virial_errors(atoms, found)
            rows.append(
                {
                    "model": model,
                    "test_set": test_set,
                    "rank": atoms.info["rank"],
                    "pool": atoms.info["pool"],
                    "candidate": atoms.info["candidate"],
                    "n_atoms": len(atoms),
                    "reference_ev": reference,
                    "predicted_ev": energy,
                    "error_mev": 1000 * (energy - reference),
                    "config_type": str(atoms.info.get("source_config_type", "")),
                    "rmse_force_mev_a": root_mean_square(forces),
                    "max_force_mev_a": float(np.linalg.norm(forces, axis=1).max()) if len(forces) else np.nan,
                    "rmse_virial_mev": root_mean_square(virial),
                    **virial_components("reference", atoms.info.get("REF_virial"), len(atoms)),
                    **virial_components("predicted", found.virial if len(virial) else None, len(atoms)),
                }
            )
    return pd.DataFrame(rows)


def force_errors(atoms: Atoms, found: Label) -> np.ndarray:
    """Return predicted minus labelled forces of a structure (n, 3), in meV/angstrom; (0, 3) if it has none."""
    if "REF_forces" not in atoms.arrays:
        return np.empty((0, 3))
    return _difference(found.forces, atoms.arrays["REF_forces"])


def virial_errors(atoms: Atoms, found: Label) -> np.ndarray:
    """Return predicted minus labelled components of a virial, in meV per atom: six, or none where there is no label."""
    if "REF_virial" not in atoms.info or found.virial is None:
        return np.empty(0)
    difference = _difference(found.virial, np.reshape(atoms.info["REF_virial"], (3, 3))) / len(atoms)
    return np.array([difference[place] for place in VOIGT])


def virial_components(kind: str, virial: np.ndarray | None, atoms: int) -> dict[str, float]:
    """Return the six components of a virial by the names of their columns, in eV per atom; nan without one."""
    values = np.full((3, 3), np.nan) if virial is None else np.reshape(virial, (3, 3)) / atoms
    return dict(zip(virial_columns(kind), (float(values[place]) for place in VOIGT), strict=True))


def virial_columns(kind: str) -> list[str]:
    """Return the names of the columns of the components, `reference` or `predicted`, in Voigt's order."""
    return [f"{kind}_virial_{name}_ev" for name in VOIGT_NAMES]


def _difference(predicted: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return an error in thousandths; infinite where a prediction is no number, because nan says that no label is."""
    return np.where(np.isfinite(predicted), 1000 * (np.asarray(predicted) - reference), np.inf)
