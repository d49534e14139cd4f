"""Statistics of the errors of every model on every design, whole and by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.crossval.forces import Forces
from gapdesign.deviations import root_mean_square, tail, worst_twentieth

if TYPE_CHECKING:
    import pandas as pd

ENERGIES = ("std_mev", "q99_mev", "rmse_mev", "mae_mev", "max_mev")
DERIVATIVES = (
    *("rmse_force_mev_a", "q99_force_mev_a", "max_force_mev_a", "rmse_virial_mev"),
    *("n_forces", "n_forces_zero"),
)
WORST_TWENTIETH = ("worst_twentieth_mev", "worst_twentieth_force_mev_a")
COLUMNS = ("model", "test_set", "n", *ENERGIES, *DERIVATIVES, *WORST_TWENTIETH)
GROUPED = ("model", "test_set", "kind", "group", "n", *ENERGIES, *DERIVATIVES, *WORST_TWENTIETH)


def errors(table: pd.DataFrame, forces: Forces) -> pd.DataFrame:
    """Compute statistics of the errors of one model on each design.

    Parameters
    ----------
    table : DataFrame
        Predictions of the model, from :func:`.predictions.predictions`.
    forces : Forces
        Its forces.

    Returns
    -------
    DataFrame
        Of energies, in meV per atom: ``std_mev`` is the standard deviation about the mean, ``q99_mev`` the 0.99
        quantile of the absolute error, interpolated linearly. Of forces, in meV/angstrom: the root mean square of the
        components of the error, the 0.99 quantile and the largest of its lengths. Of virials, in meV per atom: the root
        mean square of the six components. ``n_forces`` counts atoms with labelled forces, ``n_forces_zero`` those among
        them that symmetry holds at zero. ``worst_twentieth_mev`` and ``worst_twentieth_force_mev_a`` are means of the
        largest twentieth of absolute errors of energies and of lengths of errors of forces. What has no label has no
        error.
    """
    import pandas as pd

    rows = []
    for (model, test_set), group in table.reset_index(drop=True).groupby(["model", "test_set"], sort=False):
        atoms = np.isin(forces.structures, group.index)
        rows.append({"model": model, "test_set": test_set, **_energies(group), **_derivatives(group, forces, atoms)})
    return pd.DataFrame(rows, columns=COLUMNS)


def errors_by_group(table: pd.DataFrame, forces: Forces) -> pd.DataFrame:
    """Compute the same statistics by ``config_type``, and those of forces by element.

    Returns
    -------
    DataFrame
        ``kind`` is `config_type` or `element`, ``group`` its value. ``n`` counts structures; an energy belongs to no
        single element.
    """
    import pandas as pd
    from ase.data import chemical_symbols

    rows = []
    for (model, test_set), group in table.reset_index(drop=True).groupby(["model", "test_set"], sort=False):
        of_set = np.isin(forces.structures, group.index)
        name = {"model": model, "test_set": test_set}
        for config_type in sorted(set(group["config_type"]) - {""}):
            mine = group[group["config_type"] == config_type]
            found = _energies(mine) | _derivatives(mine, forces, np.isin(forces.structures, mine.index))
            rows.append(name | {"kind": "config_type", "group": config_type} | found)
        for number in np.unique(forces.numbers[of_set]):
            atoms = of_set & (forces.numbers == number)
            count = len(np.unique(forces.structures[atoms]))
            own = {"kind": "element", "group": chemical_symbols[number], "n": count}
            rows.append(name | own | _forces(forces, atoms))
    return pd.DataFrame(rows, columns=GROUPED)


def _energies(group: pd.DataFrame) -> dict[str, Any]:
    error = group["error_mev"].to_numpy()
    size = np.abs(error)
    return {
        "n": len(size),
        "std_mev": float(np.std(error)),
        "q99_mev": float(tail(size)),
        "rmse_mev": root_mean_square(error),
        "mae_mev": float(size.mean()),
        "max_mev": float(size.max()),
        "worst_twentieth_mev": float(worst_twentieth(size)),
    }


def _derivatives(group: pd.DataFrame, forces: Forces, atoms: np.ndarray) -> dict[str, Any]:
    virials = group["rmse_virial_mev"].dropna()
    return _forces(forces, atoms) | {"rmse_virial_mev": root_mean_square(virials)}


def _forces(forces: Forces, atoms: np.ndarray) -> dict[str, Any]:
    sizes = forces.sizes[atoms]
    return {
        "rmse_force_mev_a": root_mean_square(forces.errors[atoms]),
        "q99_force_mev_a": float(tail(sizes)),
        "max_force_mev_a": float(sizes.max()) if len(sizes) else np.nan,
        "n_forces": len(sizes),
        "n_forces_zero": int(forces.vanish[atoms].sum()),
        "worst_twentieth_force_mev_a": float(worst_twentieth(sizes)),
    }
