"""Potentials of the training sets of a design, and their errors on all existing labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.deviations import root_mean, root_mean_square, tail
from gapdesign.models.shared.leastsquares import OFFSET
from gapdesign.replay.labels import LabelledRows
from gapdesign.streams import stream

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.models.linear import Training

EVERYTHING, LEFT_OUT, COMMON = "all", "left_out", "test"
"""Test sets beside `core` and `candidates`: both together, the candidates that a potential was not trained on, and
those that no potential was trained on."""

MEASURED = {"energy_rmse_mev": "energy", "force_rmse_mev": "force"}
"""Errors with intervals."""

RESAMPLES = 400
"""Number of test sets drawn from one, structure by structure with replacement, for the intervals of errors."""

INTERVAL = (0.05, 0.95)
"""Quantiles over these at the ends of an interval."""


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


def trained(start: Training, pools: Mapping[str, LabelledRows], chosen: Mapping[str, Sequence[int]]) -> Training:
    """Return a training set with some structures of some pools added."""
    return start.add(part for pool, which in chosen.items() for part in pools[pool].of(which))


def trainings(
    start: Training, pools: Mapping[str, LabelledRows], chosen: Sequence[Mapping[str, Sequence[int]]]
) -> Iterator[Training]:
    """Yield several training sets, in order; one that contains the one before extends it."""
    before: dict[str, set[int]] = {}
    last = start
    for mine in chosen:
        sets = {pool: set(which) for pool, which in mine.items()}
        if not all(which <= sets.get(pool, set()) for pool, which in before.items()):
            before, last = {}, start
        rest = {pool: sorted(which - before.get(pool, set())) for pool, which in sets.items()}
        before, last = sets, trained(last, pools, rest)
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
    test: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Return the errors of k potentials with coefficients (k, m) on every test set.

    Parameters
    ----------
    core
        The pool whose structures are no candidates, if there is one.
    chosen
        For each potential, the candidates of each pool that it was trained on.
    test
        Candidates (n,) of some pools that no potential was trained on.

    Returns
    -------
    DataFrame
        ``number`` of the potential, ``test_set`` (`all`, `core`, `candidates`, `left_out`, `test`), ``group`` (a
        ``config_type`` of the candidates; empty for all of them), ``structures``, ``energy_rmse_mev`` and
        ``energy_q99_mev`` (per atom; the 0.99 quantile of absolute errors), and ``force_rmse_mev`` (per angstrom, over
        components), empty where nothing is labelled. The ends of intervals that hold nine in ten such errors of other
        test sets like it, ``energy_low_mev``, ``energy_high_mev``, ``force_low_mev`` and ``force_high_mev``, are given
        for whole test sets.
    """
    import pandas as pd

    found = {name: differences(pool, coefficients) for name, pool in pools.items()}
    sizes = {name: len(pool.labels.sizes) for name, pool in pools.items()}
    test = test or {}
    candidates = [name for name in pools if name != core and len(test.get(name, ())) < sizes[name]]
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
        if test:
            sets[COMMON] = {name: np.isin(np.arange(sizes[name]), mine) for name, mine in test.items()}
        for test_set, members in sets.items():
            groups = names if test_set in ("candidates", LEFT_OUT, COMMON) and len(names) > 1 else []
            for group in ["", *groups]:
                picked = {
                    name: mask & (pools[name].labels.groups == group) if group else mask
                    for name, mask in members.items()
                }
                row = {"number": number, "test_set": test_set, "group": group, **_measures(found, picked, number)}
                table.append(row | ({} if group else _interval(found, picked, number)))
    return pd.DataFrame(table)


def judged_by(errors: pd.DataFrame, core: str | None) -> str:
    """Return the test set that designs are compared by.

    It is the common one, if there is one; else all structures where there is a core, or those that each leaves out.
    """
    if (errors["test_set"] == COMMON).any():
        return COMMON
    return EVERYTHING if core else LEFT_OUT


def judged(errors: pd.DataFrame, core: str | None) -> pd.DataFrame:
    """Return the rows that designs are compared by."""
    return errors[(errors["test_set"] == judged_by(errors, core)) & (errors["group"] == "")]


def _interval(found: Mapping[str, Differences], picked: Mapping[str, np.ndarray], number: int) -> dict[str, float]:
    """Return the ends of the intervals of errors, by resampling the structures of the test set."""
    energies = np.concatenate([found[name].energies[mask, number] for name, mask in picked.items()])
    squares = np.concatenate([found[name].squares[mask, number] for name, mask in picked.items()])
    components = np.concatenate([found[name].components[mask] for name, mask in picked.items()])
    labelled, n = np.isfinite(energies), len(energies)
    if not n:
        return {}
    # The same for every potential, so that those of two designs are drawn alike.
    lots = np.random.Generator(stream(f"replay/resamples/{n}")).integers(0, n, (RESAMPLES, n))
    drawn = {
        "energy": (np.where(labelled, energies, 0.0) ** 2, labelled.astype(float)),
        "force": (squares, components.astype(float)),
    }
    ends = {}
    for name, (total, count) in drawn.items():
        counts = count[lots].sum(axis=1)
        errors = 1e3 * np.sqrt(total[lots].sum(axis=1)[counts > 0] / counts[counts > 0])
        low, high = np.quantile(errors, INTERVAL) if len(errors) else (np.nan, np.nan)
        ends |= {f"{name}_low_mev": float(low), f"{name}_high_mev": float(high)}
    return ends


def _measures(found: Mapping[str, Differences], picked: Mapping[str, np.ndarray], number: int) -> dict[str, float]:
    energies = np.concatenate([found[name].energies[mask, number] for name, mask in picked.items()])
    energies = energies[np.isfinite(energies)]
    squares = sum(float(found[name].squares[mask, number].sum()) for name, mask in picked.items())
    components = sum(int(found[name].components[mask].sum()) for name, mask in picked.items())
    return {
        "structures": sum(int(mask.sum()) for mask in picked.values()),
        "energy_rmse_mev": 1e3 * root_mean_square(energies),
        "energy_q99_mev": 1e3 * float(tail(np.abs(energies))),
        "force_rmse_mev": 1e3 * root_mean(squares, components),
    }
