"""Potentials of the training sets of a design, and their errors on all existing labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.replay import leastsquares
from gapdesign.replay.labels import LabelledRows
from gapdesign.replay.rows import OFFSET

if TYPE_CHECKING:
    import pandas as pd

EVERYTHING, LEFT_OUT = "all", "left_out"
"""Test sets beside `core` and `candidates`: both together, and the candidates that a potential was not trained on."""


@dataclass(frozen=True)
class Sigmas:
    """Expected errors: of energies (eV per atom), forces (eV/angstrom) and virials (eV per atom)."""

    energy: float
    force: float
    virial: float

    def of(self, size: int) -> np.ndarray:
        """Return the expected errors of all labels of a structure of ``size`` atoms."""
        return leastsquares.sigmas(size, energy=self.energy, force=self.force, virial=self.virial)


@dataclass(frozen=True)
class Differences:
    """Predictions of k potentials for the n structures of a pool, minus the labels.

    Attributes
    ----------
    energies : (n, k)
        In eV per atom; nan where there is no label.
    squares : (n, k)
        Sums of the squared differences of the components of forces, in eV^2/angstrom^2.
    components : (n,)
        Number of force components that have labels.
    """

    energies: np.ndarray
    squares: np.ndarray
    components: np.ndarray


def trained(
    factor: np.ndarray, pools: Mapping[str, LabelledRows], chosen: Mapping[str, Sequence[int]], sigmas: Sigmas
) -> np.ndarray:
    """Return a factor with the labels of some structures of some pools added."""
    parts = (
        (rows, labels, sigmas.of(size))
        for pool, which in chosen.items()
        for rows, labels, size in pools[pool].of(which)
    )
    return leastsquares.add(factor, parts)


def factors(
    factor: np.ndarray,
    pools: Mapping[str, LabelledRows],
    chosen: Sequence[Mapping[str, Sequence[int]]],
    sigmas: Sigmas,
) -> Iterator[np.ndarray]:
    """Yield the factors of several training sets, in order; a set that contains the one before extends its factor."""
    before: dict[str, set[int]] = {}
    last = factor
    for mine in chosen:
        sets = {pool: set(which) for pool, which in mine.items()}
        if not all(which <= sets.get(pool, set()) for pool, which in before.items()):
            before, last = {}, factor
        rest = {pool: sorted(which - before.get(pool, set())) for pool, which in sets.items()}
        before, last = sets, trained(last, pools, rest, sigmas)
        yield last


def differences(pool: LabelledRows, coefficients: np.ndarray) -> Differences:
    """Test potentials with coefficients (k, m) on a pool."""
    labels, ends = pool.labels, pool.labels.offsets
    energies = np.empty((len(labels.sizes), len(coefficients)))
    squares, components = np.empty_like(energies), np.empty(len(energies), np.int64)
    for span, rows in pool.blocks():
        first = ends[span.start]
        off = rows @ coefficients.T - labels.values[first : ends[span.stop], None]
        for k in range(span.start, span.stop):
            own = off[ends[k] - first : ends[k + 1] - first]
            energies[k] = own[0] / labels.sizes[k]
            squares[k] = np.nansum(own[OFFSET:] ** 2, axis=0)
            components[k] = np.isfinite(own[OFFSET:, 0]).sum()
    return Differences(energies, squares, components)


def errors(
    pools: Mapping[str, LabelledRows],
    core: str | None,
    coefficients: np.ndarray,
    chosen: Sequence[Mapping[str, Sequence[int]]],
) -> pd.DataFrame:
    """Return the errors of k potentials with coefficients (k, m) on every test set.

    Parameters
    ----------
    core
        The pool whose structures are no candidates, if there is one.
    chosen
        For each potential, the candidates of each pool that it was trained on.

    Returns
    -------
    DataFrame
        ``number`` of the potential, ``test_set`` (`all`, `core`, `candidates`, `left_out`), ``group`` (a
        ``config_type`` of the candidates; empty for all of them), ``structures``, ``energy_rmse_mev`` and
        ``energy_q99_mev`` (per atom; the 0.99 quantile of absolute errors), and ``force_rmse_mev`` (per angstrom, over
        components), empty where nothing is labelled.
    """
    import pandas as pd

    found = {name: differences(pool, coefficients) for name, pool in pools.items()}
    sizes = {name: len(pool.labels.sizes) for name, pool in pools.items()}
    candidates = [name for name in pools if name != core]
    names = sorted({group for name in candidates for group in pools[name].labels.groups.tolist() if group})
    table = []
    for number, mine in enumerate(chosen):
        whole = {name: np.ones(sizes[name], bool) for name in pools}
        others = {name: np.ones(sizes[name], bool) for name in candidates}
        for name, which in mine.items():
            others[name][np.asarray(which, dtype=np.int64)] = False
        sets = {EVERYTHING: whole, "candidates": {name: whole[name] for name in candidates}, LEFT_OUT: others}
        if core is not None:
            sets["core"] = {core: whole[core]}
        for test_set, members in sets.items():
            groups = names if test_set in ("candidates", LEFT_OUT) and len(names) > 1 else []
            for group in ["", *groups]:
                picked = {
                    name: mask & (pools[name].labels.groups == group) if group else mask
                    for name, mask in members.items()
                }
                table.append(
                    {"number": number, "test_set": test_set, "group": group, **_measures(found, picked, number)}
                )
    return pd.DataFrame(table)


def judged(errors: pd.DataFrame, core: str | None) -> pd.DataFrame:
    """Return the rows that designs are compared by: of all structures where there is a core, else of those left out."""
    return errors[(errors["test_set"] == (EVERYTHING if core else LEFT_OUT)) & (errors["group"] == "")]


def _measures(found: Mapping[str, Differences], picked: Mapping[str, np.ndarray], number: int) -> dict[str, float]:
    energies = np.concatenate([found[name].energies[mask, number] for name, mask in picked.items()])
    energies = energies[np.isfinite(energies)]
    squares = sum(float(found[name].squares[mask, number].sum()) for name, mask in picked.items())
    components = sum(int(found[name].components[mask].sum()) for name, mask in picked.items())
    return {
        "structures": sum(int(mask.sum()) for mask in picked.values()),
        "energy_rmse_mev": 1e3 * float(np.sqrt(np.mean(energies**2))) if len(energies) else np.nan,
        "energy_q99_mev": 1e3 * float(np.quantile(np.abs(energies), 0.99)) if len(energies) else np.nan,
        "force_rmse_mev": 1e3 * float(np.sqrt(squares / components)) if components else np.nan,
    }
