"""What a round was worth: errors of earlier models on structures that none of them has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.crossval.predictions import force_errors
from gapdesign.deviations import root_mean_square
from gapdesign.labels.identity import structure_key

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.engines.base import Label

COLUMNS = (
    "design",
    "after",
    "structures",
    "added",
    "stopped",
    "expected_gain",
    "energy_rmse_mev",
    "energy_max_mev",
    "force_rmse_mev_a",
    "seen_energy_gain",
    "seen_force_gain",
)
"""Columns of ``rounds.csv``."""


def added(frames: Sequence[Atoms], before: Sequence[Atoms]) -> list[Atoms]:
    """Return the labelled structures of a design that the one it continues has not."""
    known = set(map(structure_key, before))
    return [atoms for atoms in frames if structure_key(atoms) not in known]


def errors(frames: Sequence[Atoms], evaluate: Callable[[Atoms], Label]) -> dict[str, float]:
    """Return the errors of a model on structures: of energies in meV per atom, of forces in meV/angstrom."""
    found = [evaluate(atoms) for atoms in frames]
    energies = np.array(
        [
            1000 * (label.energy - atoms.info["REF_energy"]) / len(atoms)
            for atoms, label in zip(frames, found, strict=True)
        ]
    )
    forces = [force_errors(atoms, label) for atoms, label in zip(frames, found, strict=True)]
    return {
        "energy_rmse_mev": root_mean_square(energies),
        "energy_max_mev": float(np.abs(energies).max()) if len(energies) else np.nan,
        "force_rmse_mev_a": root_mean_square(np.concatenate(forces)) if forces else np.nan,
    }


def row(
    design: str,
    after: str,
    frames: Sequence[Atoms],
    before: Sequence[Atoms],
    *,
    expected_gain: float,
    stopped: bool,
    model: Callable[[Atoms], Label],
    earlier: Callable[[Atoms], Label] | None,
) -> dict[str, Any]:
    """Return a row of ``rounds.csv``.

    Parameters
    ----------
    design, after : str
        Names of the design and of the one that it continues.
    frames, before : sequence of Atoms
        Labelled structures of both.
    expected_gain : float
        Of the structures that are added.
    stopped : bool
        Whether none was added because that was not worth it.
    model : callable
        The model of ``before``, which has not seen what is added.
    earlier : callable, optional
        The model before that, if there is one; its errors on the same structures say what those of ``before`` gained.
    """
    new = added(frames, before)
    found = errors(new, model)
    gains = {"seen_energy_gain": np.nan, "seen_force_gain": np.nan}
    if earlier is not None and new:
        then = errors(new, earlier)
        gains["seen_energy_gain"] = gain(then["energy_rmse_mev"], found["energy_rmse_mev"])
        gains["seen_force_gain"] = gain(then["force_rmse_mev_a"], found["force_rmse_mev_a"])
    counts = {"structures": len(frames), "added": len(new), "stopped": stopped, "expected_gain": expected_gain}
    return {"design": design, "after": after} | counts | found | gains


def gain(then: float, now: float) -> float:
    """Return the share by which an error has fallen; nan where there was none.

    >>> gain(10.0, 8.0), gain(8.0, 10.0)
    (0.2, -0.25)
    """
    return round(1 - now / then, 9) if then > 0 else float("nan")


def is_enough(row: dict[str, Any], expected_gain: float, stop: float) -> bool:
    """Return whether a chain of rounds ends: what comes and what came are both worth less than was asked.

    Parameters
    ----------
    row : dict
        The last row of the chain in ``rounds.csv``. If a chain has ended, it stays so.
    expected_gain : float
        Of the structures that would be next.
    stop : float
        Share of the errors that they have to save.
    """
    if row["stopped"]:
        return True
    seen = [row[key] for key in ("seen_energy_gain", "seen_force_gain") if not np.isnan(row[key])]
    return bool(seen) and max(seen) < stop and expected_gain < stop
