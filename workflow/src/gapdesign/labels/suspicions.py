"""What labels say about themselves: wrong units, opposite signs, and isolated atoms of another code.

Energies, forces and virials are derivatives of one function. A simple model of it, linear in its coefficients, is
fitted to one kind of label and predicts another kind on structures that it was not fitted to. The ratio of labels to
predictions is about 1, whatever the model lacks; a unit that is not eV or angstrom, or the sign of a virial, makes it a
number that can be named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from gapdesign.errors import InputError
from gapdesign.structures import VOIGT

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.engines.base import Engine
    from gapdesign.labels.pairmodel import PairModel

T = TypeVar("T")

Contradictions = Literal["stop", "warn"]
"""What is done where labels contradict one another grossly."""

MOST = 80
"""Structures that are looked at, evenly spaced."""

FEWEST = 8
"""Structures with both kinds of label below which nothing is said."""

CERTAIN = 0.9
"""Correlation of labels and predictions below which their ratio says nothing."""

USUAL = 2.5
"""Largest ratio, or smallest inverse, that an imperfect model may give."""

EXTREME = 30.0
"""Ratio, or inverse, that no imperfect model gives, whatever its explanation."""

COHESION = (-0.5, 15.0)
"""Range of the energy per atom, in eV, by which structures are below isolated atoms."""

GROSS = 10.0
"""Ratio, or inverse, from which labels are of no use."""

GROSS_COHESION = 100.0
"""Energy per atom, in eV, from which isolated atoms are of no use."""

OWN_FIT = 10.0
"""Error of a model on its own structures, in units of the noise that the likelihood found, that is suspicious."""

OWN_SHARE = 0.01
"""Share of the spread of energies per atom that a model must leave unexplained for its error to be suspicious."""

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


def spaced(values: Sequence[T], most: int) -> list[T]:
    """Return up to ``most`` of some values, evenly spaced."""
    count = min(len(values), most)
    return [values[k * len(values) // count] for k in range(count)]


@dataclass(frozen=True)
class Suspicion:
    """Something about labels that is probably wrong.

    Attributes
    ----------
    quantity
        `energy`, `forces`, `virial`, `isolated`, or `model` where a model misses what it was fitted to.
    against
        The kind of label that it was compared with.
    ratio
        Label over prediction; the energy per atom below isolated atoms, in eV; the error of a model over the noise.
    correlation
        Of labels and predictions; nan where nothing was predicted.
    sentence
        For the user.
    """

    quantity: str
    against: str
    ratio: float
    correlation: float
    sentence: str

    @property
    def is_gross(self) -> bool:
        """Whether a model of such labels would be of no use."""
        size = abs(self.ratio)
        if self.quantity == "isolated":
            return size > GROSS_COHESION
        return self.quantity != "model" and not 1 / GROSS < size < GROSS


def suspicions(frames: Sequence[Atoms], isolated: Mapping[str, float]) -> list[Suspicion]:
    """Return what is suspicious about the labels of some structures.

    Parameters
    ----------
    frames
        Structures with ``REF_energy`` and ``REF_virial`` (nine numbers, minus the stress times the volume) in ``info``
        and ``REF_forces`` in ``arrays``, or some of these, in eV and angstrom.
    isolated
        Energy of the isolated atom of each element, in eV.
    """
    chosen = spaced([atoms for atoms in frames if len(atoms) > 1], MOST)
    found = _of_isolated(chosen, isolated)
    if len(chosen) < FEWEST:
        return found
    compared = _compared(chosen)
    return [*found, *_named(compared)]


def of_engine(engine: Engine, elements: Sequence[str]) -> list[Suspicion]:
    """Return what is suspicious about labels that were made elsewhere, before anything rests on them.

    Parameters
    ----------
    engine
        Has a sample of labelled structures where it finds labels in files.
    elements
        Chemical symbols of the study.
    """
    from ase import Atoms

    frames = engine.sample(MOST)
    if not frames:
        return []
    return suspicions(frames, {symbol: engine.label(Atoms(symbol), isolated=True).energy for symbol in elements})


def of_models(
    errors: pd.DataFrame, noises: Mapping[str, float], designs: Mapping[str, Sequence[Atoms]]
) -> list[Suspicion]:
    """Compare errors of models on the structures that they were fitted to with the noise that the likelihood found.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    noises
        Expected error of an energy by the likelihood of the energies alone, in eV per atom, by design.
    designs
        Labelled structures by design.
    """
    own = errors[errors["model"] == errors["test_set"]].set_index("model")["rmse_mev"] / 1000
    found = [
        _of_model(name, float(own[name]), noises[name], _spread(frames))
        for name, frames in designs.items()
        if name in own.index and name in noises and len(frames) > 1
    ]
    return [suspicion for suspicion in found if suspicion is not None]


def _spread(frames: Sequence[Atoms]) -> float:
    """Return the standard deviation of energies per atom, in eV, beyond sums over the elements."""
    elements = sorted(set(_numbers(frames)))
    shares = np.array([[np.mean(atoms.numbers == z) for z in elements] for atoms in frames])
    energies = np.array([atoms.info["REF_energy"] / len(atoms) for atoms in frames])
    return float(np.std(_beyond(shares, energies)))


def _of_model(model: str, error: float, noise: float, spread: float) -> Suspicion | None:
    """Name a model whose error on its own structures, in eV per atom as all others, is far above the noise."""
    if not (error > OWN_FIT * noise and error > OWN_SHARE * spread):
        return None
    text = (
        f"the model of {model} misses the energies of its own structures by {1000 * error:.3g} meV per atom, where"
        f" their likelihood found a noise of {1000 * noise:.3g} and they differ by {1000 * spread:.3g}: do forces or"
        " virials contradict energies?"
    )
    return Suspicion("model", "energy", error / noise, float("nan"), text)


def judge(found: Sequence[Suspicion], contradictions: Contradictions, say: Callable[[str], None]) -> None:
    """Say what is suspicious, and stop where labels of no use would be believed.

    Raises
    ------
    InputError
        If a suspicion is gross and ``contradictions`` is `stop`.
    """
    for suspicion in found:
        if suspicion.is_gross and contradictions == "stop":
            end = "" if suspicion.sentence.endswith("?") else "."
            raise InputError(
                f"labels.contradictions: {suspicion.sentence}{end} Correct the labels, their keys or their units, or"
                " set labels.contradictions to 'warn'."
            )
        say(f"suspicious labels: {suspicion.sentence}")


def table(found: Sequence[Suspicion]) -> pd.DataFrame:
    """Return suspicions as a table, a row each."""
    import pandas as pd

    return pd.DataFrame(list(map(asdict, found)), columns=[field.name for field in fields(Suspicion)])


def _of_isolated(frames: Sequence[Atoms], isolated: Mapping[str, float]) -> list[Suspicion]:
    """Compare the most stable structure with its isolated atoms."""
    below = [
        (sum(isolated[symbol] for symbol in atoms.symbols) - atoms.info["REF_energy"]) / len(atoms)
        for atoms in frames
        if "REF_energy" in atoms.info and set(atoms.symbols) <= set(isolated)
    ]
    if not below or COHESION[0] <= max(below) <= COHESION[1]:
        return []
    text = (
        f"the most stable structure is {abs(max(below)):.3g} eV per atom {'below' if max(below) > 0 else 'above'} its"
        " isolated atoms: are their energies from another code, or in another unit?"
    )
    return [Suspicion("isolated", "energy", float(max(below)), float("nan"), text)]


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
    from gapdesign.labels.pairmodel import PairModel

    model = PairModel(sorted({int(z) for atoms in frames for z in atoms.numbers}))
    parts = [_parts(model, atoms) for atoms in frames]
    counts = np.array([[(atoms.numbers == z).sum() for z in sorted(set(_numbers(frames)))] for atoms in frames], float)
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
                own, given = (_beyond(shares, np.concatenate(values)) for values in (own, given))
            predicted.append(np.concatenate(own) if target != "energy" else own)
            labels.append(np.concatenate(given) if target != "energy" else given)
        else:
            found[target, source] = _ratio(target, source, np.concatenate(predicted), np.concatenate(labels))
    return found


def _numbers(frames: Sequence[Atoms]) -> list[int]:
    return [int(z) for atoms in frames for z in atoms.numbers]


def _parts(model: PairModel, atoms: Atoms) -> Parts:
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


def _beyond(shares: np.ndarray, energies: np.ndarray) -> np.ndarray:
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
