"""Single labels that do not fit the other labels of a set: of another unit, of the opposite sign, or far off.

The simple model of :mod:`.pairmodel` is fitted to all kinds of label at once, without those that it misses most, and
predicts each label of each structure. What a unit or a sign would explain is named so; an energy that nothing explains
is named where it is far from the prediction beside all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.labels.contradictions import CERTAIN, FACTORS, FEWEST, NEAR, RIDGE, USUAL, Parts, counts_of, parts_of
from gapdesign.labels.pairmodel import PairModel
from gapdesign.labels.suspicions import spaced
from gapdesign.progress import Pace

if TYPE_CHECKING:
    from ase import Atoms

FITTED = 300
"""Structures that the model is fitted to, evenly spaced."""

ROUNDS = 4
"""Fits, each without the labels that the one before missed most."""

FAR = 8.0
"""Deviation, in units of the typical one, of a label that is left out of the fit, or that is named."""

LEAST = 0.1
"""Deviation of an energy, in eV per atom, below which nothing is said."""

LARGE = 1.0
"""Deviation, in eV per atom, from which an energy is named although no unit or sign would explain it."""

SEEN = 2.0
"""Size of a predicted force or virial, in units of the typical deviation, below which nothing is said of its label."""

MANY = 12
"""Components, counted by their participation ratio, from which a label that is too small is one in another unit."""

KINDS = ("energy", "forces", "virial")


@dataclass(frozen=True)
class Misfit:
    """A label that does not fit the others.

    Attributes
    ----------
    place : int
        Of the structure.
    quantity : str
        `energy`, `forces` or `virial`.
    explanation : str
        The unit that it is in, `the opposite sign`, or nothing.
    deviation : float
        From the prediction: in eV per atom for energies; the ratio of sizes for the others.
    """

    place: int
    quantity: str
    explanation: str
    deviation: float


def misfits(frames: Sequence[Atoms], progress: Callable[[str], None] = lambda line: None) -> list[Misfit]:
    """Return the labels that do not fit the others; none of too few structures.

    Parameters
    ----------
    frames
        Structures of several atoms, labelled as for :func:`gapdesign.labels.suspicions.suspicions`.
    progress
        Called with a line of text now and then.
    """
    if len(frames) < FEWEST:
        return []
    reader = _Reader(frames)
    fit = _fitted(reader)
    found, pace = [], Pace()
    for place in range(len(frames)):
        found += fit.judged(place, reader.parts(place))
        if pace.is_due():
            progress(f"labels of {place + 1} of {len(frames)} structures compared with one another")
    return found


class _Reader:
    """Rows and labels of structures, energies per atom with a constant for each element."""

    def __init__(self, frames: Sequence[Atoms]) -> None:
        self.frames, self.counts = frames, counts_of(frames)
        self.sizes = self.counts.sum(axis=1)
        self._model = PairModel(sorted({int(z) for atoms in frames for z in atoms.numbers}))
        self.width = self._model.size + self.counts.shape[1]

    def parts(self, place: int) -> Parts:
        """Return rows and labels of a structure; energies and virials are per atom."""
        size, found = self.sizes[place], {}
        for kind, (rows, labels) in parts_of(self._model, self.frames[place]).items():
            shares = np.zeros((len(rows), self.counts.shape[1]))
            if kind == "energy":
                shares[:] = self.counts[place]
            unit = 1 if kind == "forces" else size
            found[kind] = np.column_stack([rows, shares]) / unit, labels / unit
        return found


@dataclass(frozen=True)
class _Fit:
    """A fit to all kinds of label.

    Attributes
    ----------
    coefficients : (m,)
    typical : dict
        Kind of label to the typical root mean square of deviations of a structure.
    """

    coefficients: np.ndarray
    typical: dict[str, float]

    def judged(self, place: int, parts: Parts) -> list[Misfit]:
        """Return the labels of a structure that do not fit."""
        found = []
        for kind, (rows, labels) in parts.items():
            if kind not in self.typical:
                continue
            own = rows @ self.coefficients
            judge = self._energy if kind == "energy" else self._vector
            if (misfit := judge(place, kind, own, labels)) is not None:
                found.append(misfit)
        return found

    def _energy(self, place: int, kind: str, own: np.ndarray, labels: np.ndarray) -> Misfit | None:
        off = float(labels[0] - own[0])
        bound = max(FAR * self.typical[kind], LEAST)
        if abs(off) <= bound:
            return None
        explained = {name: labels[0] / factor for factor, name in FACTORS[kind].items()} | {_SIGN: -labels[0]}
        near = {name: abs(value - own[0]) for name, value in explained.items()}
        best = min(near, key=near.__getitem__)
        if near[best] <= bound and near[best] < abs(off) / USUAL:
            return Misfit(place, kind, best, off)
        return Misfit(place, kind, "", off) if abs(off) > max(bound, LARGE) else None

    def _vector(self, place: int, kind: str, own: np.ndarray, labels: np.ndarray) -> Misfit | None:
        sizes = np.sqrt([own @ own, labels @ labels])
        if not sizes.all():
            return None
        correlation, ratio = float(own @ labels / sizes.prod()), float(sizes[1] / sizes[0])
        if abs(correlation) < CERTAIN or sizes[0] / np.sqrt(len(own)) <= SEEN * self.typical[kind]:
            return None
        # A few components may all be small by chance, and along the same direction by symmetry.
        if ratio < 1 / USUAL and (labels @ labels) ** 2 / (labels**4).sum() < MANY:
            return None
        if 1 / USUAL <= ratio <= USUAL:
            return Misfit(place, kind, _SIGN, ratio) if correlation < 0 else None
        off = {name: abs(np.log(ratio / factor)) for factor, name in FACTORS[kind].items()}
        best = min(off, key=off.__getitem__)
        return Misfit(place, kind, best, ratio) if off[best] < np.log(NEAR) else None


_SIGN = "the opposite sign"


def _fitted(reader: _Reader) -> _Fit:
    """Fit the model to all kinds of label, each on the scale of its typical size, without those that it misses most."""
    places = spaced(range(len(reader.frames)), FITTED)
    sample = [reader.parts(place) for place in places]
    sizes = {kind: _sizes(kind, reader, places, sample) for kind in KINDS}
    kept = {kind: own <= FAR * np.nanmedian(own) for kind, own in sizes.items() if np.nansum(own > 0) >= FEWEST // 2}
    scales = {kind: _rms(sizes[kind][mine]) for kind, mine in kept.items()}
    fit = _Fit(np.zeros(reader.width), {})
    for _ in range(ROUNDS if scales else 0):
        matrix, right = np.zeros((reader.width, reader.width)), np.zeros(reader.width)
        for kind, scale in scales.items():
            for place in np.flatnonzero(kept[kind]):
                rows, labels = sample[place][kind]
                weighted = rows / (scale**2 * len(rows))
                matrix += weighted.T @ rows
                right += weighted.T @ labels
        diagonal = np.sqrt(np.maximum(np.diag(matrix), 1e-12 * np.diag(matrix).max()))
        scaled = matrix / np.outer(diagonal, diagonal) + RIDGE**2 * np.eye(reader.width)
        coefficients = np.linalg.solve(scaled, right / diagonal) / diagonal
        missed = {kind: np.array([_missed(part.get(kind), coefficients) for part in sample]) for kind in scales}
        fit = _Fit(coefficients, {kind: float(np.nanmedian(own)) for kind, own in missed.items()})
        kept = {kind: own <= FAR * fit.typical[kind] for kind, own in missed.items()}
    return fit


def _sizes(kind: str, reader: _Reader, places: Sequence[int], sample: Sequence[Parts]) -> np.ndarray:
    """Return the size (n,) of each structure's label of a kind; of energies, the part beyond sums over elements."""
    sizes = np.array([_rms(part[kind][1]) if kind in part else np.nan for part in sample])
    there = np.isfinite(sizes)
    if kind == "energy" and there.any():
        counts = reader.counts[places][there]
        energies = np.array([part[kind][1][0] for part in sample if kind in part])
        sizes[there] = np.abs(beyond_most(counts / counts.sum(axis=1)[:, None], energies))
    return sizes


def _missed(part: tuple[np.ndarray, np.ndarray] | None, coefficients: np.ndarray) -> float:
    return np.nan if part is None else _rms(part[1] - part[0] @ coefficients)


def beyond_most(shares: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return energies per atom (n,) beyond sums over the elements, of shares (n, k), that most of them follow.

    The sum of the deviations is least, and not that of their squares, so that a few that are far off do not count.
    """
    weights = np.ones(len(energies))
    off = energies
    for _ in range(30):
        constants = np.linalg.lstsq(shares * weights[:, None], energies * weights, rcond=None)[0]
        off = energies - shares @ constants
        weights = 1 / np.sqrt(np.maximum(np.abs(off), 1e-6 * max(float(np.abs(off).max()), 1e-12)))
    return off


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
