"""What the labels of a round say before the next choice: by what to compare structures, and which have no label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.errors import InputError
from gapdesign.files import read_json, write_json
from gapdesign.methods.costs import power_law
from gapdesign.models.shared import evidence
from gapdesign.models.shared.labels import labels_of
from gapdesign.voigt import OFFSET

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.kernel import KernelOptions

KINDS = {"energy": slice(0, 1), "virial": slice(1, OFFSET), "force": slice(OFFSET, None)}
"""Kinds of labels, and where they are among those of a structure."""

BOUNDS = {"energy": (1e-4, 1.0), "virial": (1e-3, 10.0), "force": (1e-3, 10.0), "scale": (1e-2, 10.0)}
"""Limits of the search: errors in eV per atom and eV/angstrom, the scale of an atom's energy in eV."""

SILENT = 1e-4
"""Length of the row of a force, for weights of unit variance, below which symmetry holds it at zero."""

AT_BOUND = 0.05
"""Distance of logarithms from a limit of the search that counts as being at it."""

FEWEST_TIMED, SPREAD = 5, 0.1
"""Labels from which a power of their costs is fitted, if the logarithms of these differ by so much."""


@dataclass(frozen=True)
class RowScales:
    """Most likely scales of the linear model in which labels have rows.

    Attributes
    ----------
    scale : float
        Standard deviation of the energy of an atom before any label, in eV.
    errors : dict of str to float
        Expected errors of the kinds of labels that there are: ``energy`` and ``virial`` in eV per atom, ``force`` in
        eV/angstrom.
    log_likelihood : float
    at_bound : list of str
        Those that ended at a limit of the search: labels do not determine them, and they have the configured values.
    """

    scale: float
    errors: Mapping[str, float]
    log_likelihood: float
    at_bound: Sequence[str]


@dataclass(frozen=True)
class CostLaw:
    """What labels cost by the clock, as a power of what they were expected to cost.

    Attributes
    ----------
    unit, power : float
        A label costs ``unit * expected ** power``, in core-hours.
    structures : int
        Labels that it was fitted to.
    scatter : float
        Standard deviation of the natural logarithm of measured costs over those by the law.
    """

    unit: float
    power: float
    structures: int
    scatter: float

    @classmethod
    def of(cls, expected: np.ndarray, measured: np.ndarray) -> CostLaw | None:
        """Fit it to core-hours (n,) of labels, by least squares of logarithms, and scale it to their sum.

        With fewer than five labels, or all of one size, only the unit is fitted. None without any label.
        """
        if not len(expected):
            return None
        is_spread = len(expected) >= FEWEST_TIMED and np.ptp(np.log(expected)) > SPREAD
        unit, power, scatter = (
            float(f"{value:.6g}") for value in power_law(expected, measured, power=None if is_spread else 1.0)
        )
        return cls(unit, power, len(expected), scatter)

    def __call__(self, expected: np.ndarray) -> np.ndarray:
        """Return the core-hours of labels that were expected to cost some (n,)."""
        return self.unit * expected**self.power


@dataclass(frozen=True)
class Learnt:
    """What a round knows from the one before.

    Attributes
    ----------
    after : str
        The design that is continued.
    soap_scale, pair_scale : float or None
        Scales of the kernel in its model, in eV; None where the configured ones stay.
    noise : float or None
        Expected error of energies in its model, in eV per atom, if there is one.
    rows : RowScales or None
        Where the method goes by rows of labels.
    costs : CostLaw or None
        Where core-hours end the design, and those of labels were measured.
    spent : float
        Core-hours of what is labelled: measured, or by the law.
    without_label : list of (pool, candidate)
        Candidates that were to be labelled and have no label.
    """

    after: str
    soap_scale: float | None
    pair_scale: float | None
    noise: float | None
    rows: RowScales | None
    costs: CostLaw | None
    spent: float
    without_label: Sequence[tuple[str, int]]

    def kernel(self, configured: KernelOptions) -> KernelOptions:
        """Return the kernel by which structures are compared now."""
        if self.soap_scale is None or self.pair_scale is None:
            return configured
        soap = configured.soap.model_copy(update={"scale": self.soap_scale})
        return configured.model_copy(
            update={"soap": soap, "pair": configured.pair.model_copy(update={"scale": self.pair_scale})}
        )

    def noise_share(self, configured: KernelOptions) -> float:
        """Return the variance of the noise of energies in units of that of the energies; 0 if it is unknown."""
        kernel = self.kernel(configured)
        return 0.0 if self.noise is None else self.noise**2 / (kernel.soap.scale**2 + kernel.pair.scale**2)

    def write(self, path: str | Path) -> None:
        """Write it as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: str | Path) -> Learnt:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or something else.
        """
        found = read_json(path)
        try:
            rows = None if found["rows"] is None else RowScales(**found["rows"])
            costs = None if found["costs"] is None else CostLaw(**found["costs"])
            places = [(str(pool), int(candidate)) for pool, candidate in found.pop("without_label")]
            return cls(**{**found, "rows": rows, "costs": costs}, without_label=places)
        except (TypeError, KeyError, ValueError):
            raise InputError(f"{path}: not what `gapdesign round-learn` writes; run the stage again.") from None


def targets(atoms: Atoms, alone: Mapping[int, float]) -> np.ndarray:
    """Return the labels (7 + 3 n,) of a structure, its energy above isolated atoms; nan where there is none."""
    return labels_of(atoms, float(atoms.info["REF_energy"]) - sum(alone[int(z)] for z in atoms.numbers))


def audible(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return labels (7 + 3 n,) without the forces that are zero by symmetry: these would be taken for exact ones."""
    is_silent = np.sqrt(np.einsum("rp,rp->r", rows, rows)) < SILENT
    is_silent[:OFFSET] = False
    return np.where(is_silent, np.nan, labels)


def row_scales(
    parts: Iterable[tuple[np.ndarray, np.ndarray]],
    size: int,
    start: Mapping[str, float],
    tell: Callable[[str], None] = lambda line: None,
) -> RowScales:
    """Find the expected errors and the scale at which labels are most likely (the evidence, MacKay 1992).

    Few labels may be most likely without any error: what ends at a limit of the search keeps its configured value, and
    the others are found again.

    Parameters
    ----------
    parts
        Rows (7 + 3 n, size), for weights of unit variance, and labels (7 + 3 n,) of structures; nan for no label.
    size : int
    start : mapping
        Values of the configuration to start from: ``scale`` and kinds of labels. Kinds without a value do not count.
    """
    from scipy.optimize import minimize

    wanted = {kind: place for kind, place in KINDS.items() if start.get(kind) is not None}
    products = evidence.products(((rows, audible(rows, labels)) for rows, labels in parts), size, wanted)
    names = [*products, "scale"]
    limits = np.log([BOUNDS[name] for name in names])
    given = np.clip(np.log([start[name] for name in names]), limits[:, 0], limits[:, 1])
    is_free = np.ones(len(names), bool)

    def down(free: np.ndarray) -> tuple[float, np.ndarray]:
        logarithms = given.copy()
        logarithms[is_free] = free
        spread = np.full(size, np.exp(logarithms[-1]))
        found = evidence.posterior(list(products.values()), logarithms[:-1], spread)
        # The derivative by the logarithm of the common scale s of all weights, where M = 1 + s^2 A'WA.
        by_scale = float(found.mean @ found.mean + np.trace(found.covariance)) - size
        return -found.value, -np.append(found.slopes, by_scale)[is_free]

    best = given.copy()
    while is_free.any():
        bounds = limits[is_free].tolist()
        ended = minimize(down, given[is_free], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
        lost = (np.abs(limits[is_free] - ended.x[:, None]) < AT_BOUND).any(axis=1)
        if not lost.any():
            best[is_free] = ended.x
            break
        is_free[np.flatnonzero(is_free)[lost]] = False
    # Values are kept to six digits, so that the last bits of a linear algebra library change no design.
    values = {name: float(f"{np.exp(value):.6g}") for name, value in zip(names, best, strict=True)}
    at_bound = [name for name, is_found in zip(names, is_free, strict=True) if not is_found]
    likelihood = -down(best[is_free])[0]
    tell(", ".join(f"{name} {value:.3g}" for name, value in values.items()) + f", log likelihood {likelihood:.2f}")
    if at_bound:
        tell(f"not determined by the labels, and as configured: {', '.join(at_bound)}")
    scale = values.pop("scale")
    return RowScales(scale, values, float(f"{likelihood:.9g}"), at_bound)
