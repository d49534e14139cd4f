"""What is suspicious about labels, and what a study does about it.

Labels contradict one another (:mod:`.contradictions`), isolated atoms are of another code, or a model misses what it
was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from gapdesign.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.engines.base import Engine

T = TypeVar("T")

Contradictions = Literal["stop", "warn"]
"""What is done where labels contradict one another grossly."""

MOST = 80
"""Structures that are looked at, evenly spaced."""

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


UNLEARNT = 0.5
"""Share of the spread of energies per atom from which a noise, or an error on a model's own structures, says that it
learnt little."""

AT_BOUND = " (the upper bound of model.bounds.noise; the optimum may lie beyond it)"


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
    from gapdesign.labels.contradictions import contradictions

    chosen = spaced([atoms for atoms in frames if len(atoms) > 1], MOST)
    return [*_of_isolated(chosen, isolated), *contradictions(chosen)]


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
    errors: pd.DataFrame,
    noises: Mapping[str, float],
    designs: Mapping[str, Sequence[Atoms]],
    at_bound: Collection[str] = (),
) -> list[Suspicion]:
    """Name models that did not learn the structures that they were fitted to.

    Either the likelihood took most of what the energies say for noise, or the error on them is far above the noise.

    Parameters
    ----------
    errors
        The table ``crossval/errors.csv``.
    noises
        Expected error of an energy by the likelihood of the energies alone, in eV per atom, by design.
    designs
        Labelled structures by design.
    at_bound
        Designs whose noise ended at the upper bound of the search.
    """
    own = errors[errors["model"] == errors["test_set"]].set_index("model")["rmse_mev"] / 1000
    found = [
        _of_model(name, float(own[name]), noises[name], _spread(frames), name in at_bound)
        for name, frames in designs.items()
        if name in own.index and name in noises and len(frames) > 1
    ]
    return [suspicion for suspicion in found if suspicion is not None]


def _spread(frames: Sequence[Atoms]) -> float:
    """Return the standard deviation of energies per atom, in eV, beyond sums over the elements."""
    from gapdesign.labels.contradictions import beyond, counts_of

    counts = counts_of(frames)
    sizes = counts.sum(axis=1)
    energies = np.array([atoms.info["REF_energy"] for atoms in frames]) / sizes
    return float(np.std(beyond(counts / sizes[:, None], energies)))


def _of_model(model: str, error: float, noise: float, spread: float, at_bound: bool) -> Suspicion | None:
    """Name a model by its error on its own structures and the noise, in eV per atom as all others."""
    missed, taken, differ = (f"{1000 * value:.3g}" for value in (error, noise, spread))
    if error > OWN_FIT * noise and error > OWN_SHARE * spread:
        text = (
            f"the model of {model} misses the energies of its own structures by {missed} meV per atom, where"
            f" their likelihood found a noise of {taken} and they differ by {differ}: do forces or virials contradict"
            " energies?"
        )
    elif at_bound or (spread > 0 and max(noise, error) > UNLEARNT * spread):
        text = (
            f"the likelihood of {model} takes {taken} meV per atom for noise{AT_BOUND if at_bound else ''}, where"
            f" energies differ by {differ}, and the model misses those of its own structures by {missed}: it learnt"
            " little; choose a descriptor that sees the difference, or more structures."
        )
    else:
        return None
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
