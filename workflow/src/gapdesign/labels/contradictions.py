"""Kinds of label that contradict one another, by wrong units and opposite signs.

Energies, forces and virials are derivatives of one function. A simple model of it, linear in its coefficients, is
fitted to one kind of label and predicts another kind on structures that it was not fitted to. The ratio of labels to
predictions is about 1, whatever the model lacks; a unit that is not eV or angstrom, or the sign of a virial, makes it a
number that can be named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.labels.pairmodel import PairModel
from gapdesign.labels.suspicions import Suspicion
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from ase import Atoms

FEWEST = 8
"""Structures with both kinds of label below which nothing is said."""

CERTAIN = 0.9
"""Correlation of labels and predictions below which their ratio says nothing."""

USUAL = 2.5
"""Largest ratio, or smallest inverse, that an imperfect model may give."""

EXTREME = 30.0
"""Ratio, or inverse, that no imperfect model gives, whatever its explanation."""

FACTORS = {
    "energy": {1 / 27.2114: "hartree", 1 / 13.6057: "rydberg", 1e3: "meV", 23.0605: "kcal/mol", 96.4853: "kJ/mol"},
    "forces": {
        1 / 51.4221: "hartree/bohr",
        1 / 25.7110: "rydberg/bohr",
        1e3: "meV/angstrom",
        1 / 27.2114: "hartree/angstrom",
        23.0605: "kcal/mol/angstrom",
    },
    "virial": {
        1602.18: "kilobar",
        160.218: "gigapascal",
        1.60218e6: "bar",
        1 / 27.2114: "hartree",
    },
}
"""Factors by which labels in other units are too large."""


NEAR = 2.0
"""Largest deviation of a ratio from the factor of a unit that is named."""

SUBJECTS = {"energy": "the energy", "forces": "forces", "virial": "the virial"}
NAMES = {"energy": "energies", "forces": "forces", "virial": "virials"}

RIDGE = 1e-4
"""Weight of the regularisation, where the diagonal of the normal equations is 1."""


Parts = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Rows and labels of a structure, by kind."""


def contradictions(frames: Sequence[Atoms]) -> list[Suspicion]:
    """Return the kinds of label that contradict others; none of too few structures.

    Parameters
    ----------
    frames
        Structures of several atoms, labelled as for :func:`gapdesign.labels.suspicions.suspicions`.
    """
    return _named(_compared(frames)) if len(frames) >= FEWEST else []


@dataclass(frozen=True)
class _Ratio:
    """Labels of one kind over predictions from another."""

    quantity: str
    against: str
    ratio: float
    correlation: float

    @property
    def is_certain(self) -> bool:
        return abs(self.correlation) >= CERTAIN

    @property
    def is_usual(self) -> bool:
        return 1 / USUAL <= self.ratio <= USUAL

    @property
    def is_wrong(self) -> bool:
        """Whether a unit or a sign would explain it, or nothing else could."""
        size = abs(self.ratio)
        if 1 / USUAL <= size <= USUAL:
            return self.ratio < 0
        sides = (_units(self.quantity, size), _units(self.against, 1 / size))
        return any(sides) or not 1 / EXTREME <= size <= EXTREME


def _compared(frames: Sequence[Atoms]) -> dict[tuple[str, str], _Ratio]:
    """Predict each kind of label from each other kind, on the half of the structures that was not fitted to."""
    model, counts = PairModel(_elements(frames)), counts_of(frames)
    parts = [parts_of(model, atoms) for atoms in frames]
    sizes = counts.sum(axis=1)
    halves = [np.arange(len(frames)) % 2 == half for half in (0, 1)]
    found = {}
    for source, target in (("forces", "energy"), ("virial", "energy"), ("forces", "virial"), ("virial", "forces")):
        predicted: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        for half in halves:
            coefficients = _fit(model, [part for part, mine in zip(parts, half, strict=True) if mine], source)
            if coefficients is None:
                break
            asked = [k for k in np.flatnonzero(~half) if target in parts[k]]
            if len(asked) < FEWEST // 2:
                break
            own = [parts[k][target][0] @ coefficients / (sizes[k] if target != "forces" else 1) for k in asked]
            given = [parts[k][target][1] / (sizes[k] if target != "forces" else 1) for k in asked]
            if target == "energy":
                shares = counts[asked] / sizes[asked, None]
                own, given = (beyond(shares, np.concatenate(values)) for values in (own, given))
            predicted.append(np.concatenate(own) if target != "energy" else own)
            labels.append(np.concatenate(given) if target != "energy" else given)
        else:
            found[target, source] = _ratio(target, source, np.concatenate(predicted), np.concatenate(labels))
    return found


def counts_of(frames: Sequence[Atoms]) -> np.ndarray:
    """Return the numbers (n, k) of atoms of each element of some structures, by increasing atomic number."""
    elements = _elements(frames)
    return np.array([[(atoms.numbers == z).sum() for z in elements] for atoms in frames], float)


def _elements(frames: Sequence[Atoms]) -> list[int]:
    return sorted({int(z) for atoms in frames for z in atoms.numbers})


def parts_of(model: PairModel, atoms: Atoms) -> Parts:
    """Return the rows and labels of each kind that a structure has."""
    given = {
        "energy": atoms.info.get("REF_energy"),
        "forces": atoms.arrays.get("REF_forces"),
        "virial": atoms.info.get("REF_virial"),
    }
    rows, parts = model.rows(atoms), {}
    for name, value in given.items():
        if value is None:
            continue
        label = np.asarray(value, float).reshape(-1)
        if name == "virial":
            label = label.reshape(3, 3)[tuple(np.transpose(VOIGT))]
        if np.isfinite(label).all():
            parts[name] = rows[name], label
    return parts


def _fit(model: PairModel, parts: Sequence[Parts], kind: str) -> np.ndarray | None:
    """Return the coefficients (m,) that fit one kind of label; None if there is too little of it, or none but zeros."""
    mine = [part[kind] for part in parts if kind in part]
    if len(mine) < FEWEST // 2:
        return None
    matrix, labels = np.zeros((model.size, model.size)), np.zeros(model.size)
    size = 0.0
    for rows, label in mine:
        matrix += rows.T @ rows
        labels += rows.T @ label
        size += float(label @ label)
    if size == 0:
        return None
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-12 * np.diag(matrix).max()))
    scaled = matrix / np.outer(scale, scale) + RIDGE * np.eye(model.size)
    return np.linalg.solve(scaled, labels / scale) / scale


def beyond(shares: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return the part of energies per atom (n,) that is not a sum over the elements, of shares (n, k)."""
    constants = np.linalg.lstsq(shares, energies, rcond=None)[0]
    return energies - shares @ constants


def _ratio(target: str, source: str, predicted: np.ndarray, labels: np.ndarray) -> _Ratio:
    """Return the ratio of the sizes of labels and predictions, with the sign of their correlation."""
    sizes = np.sqrt([predicted @ predicted, labels @ labels])
    if not sizes.all():
        return _Ratio(target, source, float("nan"), 0.0)
    correlation = float(predicted @ labels / sizes.prod())
    return _Ratio(target, source, float(np.sign(correlation) * sizes[1] / sizes[0]), correlation)


def _named(compared: Mapping[tuple[str, str], _Ratio]) -> list[Suspicion]:
    """Name the kind of label that disagrees with others, and the unit or sign that would explain it."""
    certain = [ratio for ratio in compared.values() if ratio.is_certain]
    right = {kind for ratio in certain if ratio.is_usual for kind in (ratio.quantity, ratio.against)}
    wrong = [ratio for ratio in certain if ratio.is_wrong]
    found = []
    while wrong:
        best = max(wrong, key=lambda ratio: abs(ratio.correlation))
        culprit = _culprit(best, right, wrong)
        found.append(_sentence(culprit, best))
        wrong = [ratio for ratio in wrong if culprit not in (ratio.quantity, ratio.against)]
    return found


def _culprit(ratio: _Ratio, right: set[str], wrong: Sequence[_Ratio]) -> str:
    """Return which of two kinds of label is the wrong one.

    It is rather one that agrees with nothing else, then one whose unit would explain the ratio, then the one with more
    contradictions, then the virial, whose sign has two conventions.
    """

    def doubt(kind: str) -> tuple[bool, float, int, bool]:
        size = abs(ratio.ratio if kind == ratio.quantity else 1 / ratio.ratio)
        off = min(abs(np.log(size / factor)) for factor in FACTORS[kind])
        contradictions = sum(kind in (other.quantity, other.against) for other in wrong)
        return kind not in right, -off if off < np.log(NEAR) else -np.inf, contradictions, kind == "virial"

    return max((ratio.quantity, ratio.against), key=doubt)


def _sentence(culprit: str, found: _Ratio) -> Suspicion:
    """Say that a kind of label disagrees with another, and what would explain it."""
    other = found.against if culprit == found.quantity else found.quantity
    ratio = found.ratio if culprit == found.quantity else 1 / found.ratio
    size, verb = abs(ratio), "are" if culprit == "forces" else "is"
    text = f"{SUBJECTS[culprit]} {verb} "
    if ratio < 0:
        text += f"of the opposite sign to what {NAMES[other]} say"
        text += "" if 1 / USUAL <= size <= USUAL else f", and {size:.3g} times as large"
    else:
        text += f"{size:.3g} times what {NAMES[other]} say"
    known = _units(culprit, size)
    text += f"; {'are they' if culprit == 'forces' else 'is it'} in {' or '.join(known)}?" if known else ""
    return Suspicion(culprit, other, ratio, abs(found.correlation), text)


def _units(kind: str, size: float) -> list[str]:
    """Return the units in which labels of a kind would be so many times too large, the likeliest first."""
    off = {name: abs(np.log(size / factor)) for factor, name in FACTORS[kind].items()}
    return sorted((name for name in off if off[name] < np.log(NEAR)), key=off.__getitem__)
