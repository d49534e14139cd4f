"""What labels cost, before any is computed: by an engine's estimate, by numbers of frames, or by a fitted law."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.inputs.carried import PREFIX

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.engines.base import Engine
    from gapdesign.structures import Batch

ENGINE = "engine"
"""Source of the costs of a study that names none."""

UNITS = {"core_hours": 1.0, "seconds": 1 / 3600}
"""Core-hours, on one core, of the units in which frames carry costs."""


_AGAINST = {"engine": "the engine's estimate", "electrons": "the number of valence electrons"}


class CostOptions(Options):
    """Costs of labels, in core-hours, by which a `budget` of core-hours is spent."""

    source: Literal["engine", "column", "measured"] = Field(
        ENGINE,
        description="`engine`: the engine's own estimate. `column`: a number that the frames of the pools carry."
        " `measured`: a power law, fitted to the numbers that the frames of `path` carry.",
    )
    column: str | None = Field(
        None,
        min_length=1,
        description="Name of that number in the frames, such as `castep_run_time`, for the sources `column` and"
        " `measured`.",
    )
    unit: Literal[tuple(UNITS)] = Field("core_hours", description="Unit of the number.")
    cores: float = Field(
        1.0,
        gt=0,
        description="Cores that every calculation ran on, where the number is a wall time: it is multiplied by them.",
    )
    path: str | None = Field(
        None,
        min_length=1,
        description="File, in a format that ASE reads, of frames whose labels were timed, for the source `measured`.",
    )
    against: Literal[tuple(_AGAINST)] = Field(
        "engine",
        description="What the law is a power of: the estimate of the engine, or the number of valence electrons, for an"
        " engine that estimates nothing.",
    )

    @property
    def factor(self) -> float:
        """Core-hours of the number 1."""
        return self.cores * UNITS[self.unit]

    @property
    def needs_engine(self) -> bool:
        """True if the engine estimates costs."""
        return self.source == ENGINE or (self.source == "measured" and self.against == ENGINE)


def mismatch(options: CostOptions, *, engine: str, computes: bool) -> str | None:
    """Return which of the options contradicts the others or the engine: key, mistake and remedy; None if none does.

    Parameters
    ----------
    options : CostOptions
    engine : str
        Name of the engine.
    computes : bool
        Whether it computes labels, and so estimates what they cost.
    """
    reads, fits = options.source != ENGINE, options.source == "measured"
    for key, value, wanted in (("column", options.column, reads), ("path", options.path, fits)):
        if wanted and value is None:
            return f"{key}: source: {options.source} needs this key; see config/README.md."
        if value is not None and not wanted:
            return f"{key}: source: {options.source} does not read it; remove it, or change the source."
    if options.needs_engine and not computes:
        key = "source" if options.source == ENGINE else "against"
        other = "column or measured" if key == "source" else "electrons"
        return f"{key}: the engine '{engine}' computes no labels, and so estimates no costs; set it to {other}."
    return None


def number(info: Mapping[str, Any], key: str, where: str) -> float:
    """Return a cost that a frame carries.

    Parameters
    ----------
    info : mapping
        What it carries.
    key : str
    where : str
        Key of the configuration or option of a verb, and words that name the frame, for messages.

    Raises
    ------
    InputError
        If there is none, or it is no number above 0.
    """
    value = info.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"{where} has {'no value' if value is None else repr(value)}; give a number.")
    if not 0 < value < np.inf:
        raise InputError(f"{where} has {value}, not a cost above 0.")
    return float(value)


class Prices:
    """Costs of the labels of candidates, which carry what their frames in files did.

    Parameters
    ----------
    options : CostOptions
    engine : Engine, optional
        Where ``options.needs_engine``.
    progress : callable
        Called with a line of text about the law that is fitted, if one is.

    Raises
    ------
    InputError
        If the law cannot be fitted.
    """

    def __init__(
        self,
        options: CostOptions,
        engine: Engine | None = None,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._options, self._engine = options, engine
        self._law = Law.of(options, engine) if options.source == "measured" else None
        if self._law is not None:
            progress(self._law.in_words(options))

    def __call__(self, atoms: Atoms) -> float:
        """Return the core-hours of the label of a candidate or a member of a design.

        Raises
        ------
        InputError
            If its frame carries no such number, or it is of no frame.
        """
        options = self._options
        if options.source == ENGINE:
            return self._engine.core_hours(atoms)
        if self._law is not None:
            return self._law(atoms)
        if f"{PREFIX}file" not in atoms.info:
            raise InputError(
                f"costs.source: candidate {atoms.info.get('candidate')} is no frame of a file, and carries no"
                f" {options.column}; choose engine or measured."
            )
        where = f"frame {atoms.info[f'{PREFIX}frame']} of '{atoms.info[f'{PREFIX}file']}'"
        key = f"{PREFIX}{options.column}"
        return options.factor * number(atoms.info, key, f"costs.column: {options.column}: {where}")


def costs_of(batch: Batch, prices: Callable[[Atoms], float]) -> np.ndarray:
    """Return the core-hours (n,) float64 of the label of each candidate of a shard.

    Raises
    ------
    InputError
        If one has no cost above 0.
    """
    found = np.array([prices(batch.annotated(k)) for k in range(len(batch))], float)
    for k in np.flatnonzero(~((found > 0) & (found < np.inf))):
        raise InputError(
            f"costs.source: the label of candidate {batch.candidates[k]} would cost {found[k]:g} core-hours, and a cost"
            " is a number above 0; choose another source."
        )
    return found


@dataclass(frozen=True)
class Law:
    """A power law of the costs of labels.

    Attributes
    ----------
    size : callable
        Returns the number of a structure that its cost is a power of.
    unit, power : float
        The cost is ``unit * size ** power``, in core-hours.
    frames : int
        Frames that it was fitted to.
    scatter : float
        Standard deviation of the natural logarithm of measured costs over those by the law.
    """

    size: Callable[[Atoms], float]
    unit: float
    power: float
    frames: int
    scatter: float

    @classmethod
    def of(cls, options: CostOptions, engine: Engine | None) -> Law:
        """Fit the law to the frames of a file, by least squares of logarithms, and scale it to their sum.

        Raises
        ------
        InputError
            If a frame has no cost, or all frames are of one size.
        """
        from gapdesign.inputs.frames import read

        size = _electrons if options.against == "electrons" else engine.core_hours
        sizes, costs = [], []
        for frame in read(options.path, "costs.path"):
            where = f"costs.column: {options.column}: frame {frame.number} of '{frame.source}'"
            costs.append(options.factor * number(frame.atoms.info, options.column, where))
            sizes.append(size(frame.bare()))
        if np.ptp(np.log(sizes)) < 1e-6:
            raise InputError(f"costs.path: all frames of '{options.path}' are of one size, and a power needs several.")
        unit, power, scatter = power_law(np.array(sizes), np.array(costs))
        return cls(size, unit, power, len(sizes), scatter)

    def in_words(self, options: CostOptions) -> str:
        """Return what it is, and how well it fits."""
        return (
            f"law of {self.frames} frames of '{options.path}': {self.unit:.3g} times the {self.power:.3g}th power of"
            f" {_AGAINST[options.against]}; measured costs scatter by a factor of {np.exp(self.scatter):.2f}"
        )

    def __call__(self, atoms: Atoms) -> float:
        """Return the cost of a label, in core-hours."""
        return self.unit * self.size(atoms) ** self.power


def power_law(sizes: np.ndarray, costs: np.ndarray, *, power: float | None = None) -> tuple[float, float, float]:
    """Return unit and power of a law of costs (n,), and its scatter: see :class:`Law`.

    The power is that of least squares of logarithms, unless given. These give a median, and a budget is about sums:
    the unit is scaled to these.
    """
    x, y = np.log(sizes), np.log(costs)
    if power is None:
        power = float((x - x.mean()) @ (y - y.mean()) / ((x - x.mean()) @ (x - x.mean())))
    unit = float(np.sum(costs) / np.sum(np.exp(power * x)))
    return unit, power, float(np.std(y - np.log(unit) - power * x))


def _electrons(atoms: Atoms) -> float:
    from gapdesign.engines.shared.planewaves import valence

    return float(sum(valence(int(z)) for z in atoms.numbers))
