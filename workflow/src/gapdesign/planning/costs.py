"""Costs of jobs: laws through measured unit costs, corrected by the times of earlier jobs of the same study."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan
from pathlib import Path
from statistics import StatisticsError, fmean
from typing import Any

import numpy as np

from gapdesign import engines
from gapdesign.config.part import At
from gapdesign.config.study import Study
from gapdesign.errors import InputError
from gapdesign.methods import default
from gapdesign.models.base import Load, Seconds
from gapdesign.planning.jobs import Jobs
from gapdesign.prototypes import prototypes
from gapdesign.samplers import SAMPLERS

SIZED = {"candidates_shard", "descriptors_shard", "labels_batch", "hyperparameters", "models_fit", "crossval_predict"}
SIZED |= {"design_polish"}
"""Rules whose jobs take longer for larger structures."""

PARAMETERS = 6
"""Parameters of a polished structure: those of a strain."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a study's structures: means over its prototypes.

    Attributes
    ----------
    known
        Whether candidates have these sizes, as deformed prototypes do. Supercells, slabs and the rest do not.
    atoms, environments
        Atoms of a cell, and different environments among them; the environments are described.
    terms
        Terms of a SOAP expansion: neighbours within `r_cut`, times radial and angular functions.
    dimension
        Length of a feature vector.
    label
        Core-hours of one label, as the engine estimates them; None if it cannot.
    """

    atoms: float
    environments: float
    terms: float
    dimension: int
    label: float | None
    known: bool = True

    @classmethod
    def of(cls, study: Study) -> Sizes:
        """Determine the sizes of a study from its prototypes alone; without any, all but the dimension are unknown."""
        known = prototypes(study.prototypes)
        if not known:
            return cls(nan, nan, nan, study.covariance().layout.dimension, None, known=False)
        deformed = all(study.pools.of(design.pool).keeps_cells for design in study.designs.values())
        soap = study.descriptor.soap
        sphere = 4 / 3 * np.pi * soap.r_cut**3
        neighbours = fmean(sphere * len(prototype.atoms) / prototype.atoms.get_volume() for prototype in known)
        return cls(
            atoms=fmean(len(prototype.atoms) for prototype in known),
            environments=fmean(len(np.unique(prototype.orbits)) for prototype in known),
            terms=neighbours * soap.n_max * (soap.l_max + 1) ** 2,
            dimension=study.covariance().layout.dimension,
            label=label_hours(study) if deformed else None,
            known=deformed,
        )


def label_hours(study: Study) -> float | None:
    """Return the mean core-hours of the label of a prototype, as the engine estimates them; None if it cannot."""
    try:
        engine = engines.make(study.labels.engine, study.labels)
        return fmean(engine.core_hours(prototype.atoms) for prototype in prototypes(study.prototypes))
    except (InputError, StatisticsError):  # of no prototypes there is no mean
        return None


class Laws:
    """Core-seconds of one job of each rule, from unit costs.

    Parameters
    ----------
    study : Study
    sizes : Sizes
    units : mapping
        From :func:`gapdesign.planning.units.shipped`.
    kind : str, optional
        Kind of model that the rule is about; by default the first one of the study.
    ranks : int, optional
        Structures in the design that a job is about; by default the mean over the designs.
    grown : float
        Structures in all designs, in units of their budgets.
    """

    def __init__(
        self,
        study: Study,
        sizes: Sizes,
        units: Mapping[str, Any],
        *,
        kind: str | None = None,
        ranks: float | None = None,
        grown: float = 1.0,
    ) -> None:
        self.study, self.sizes, self.units = study, sizes, units["seconds"]
        self.given, self.kind = units, kind
        self.reference = Sizes(**units["reference"], label=None)
        self.ranks = fmean(study.budgets().values()) if ranks is None else ranks
        self.grown = grown
        self.width = sizes.dimension / self.reference.dimension

    def about(self, kind: str | None, ranks: float, *, grown: float = 1.0) -> Laws:
        """Return the laws for another kind of model, or other sizes of designs."""
        return Laws(self.study, self.sizes, self.given, kind=kind, ranks=ranks, grown=grown)

    def __call__(self, rule: str, amount: int) -> float | None:
        """Return the core-seconds of a job with ``amount`` items to work on; None where nothing was measured."""
        if rule in SIZED and not self.sizes.known:
            return None
        law: Callable[[int], float | None] | None = getattr(self, f"_{rule}", None)
        work = law(amount) if law else 0.0
        return None if work is None else self.start + work

    @property
    def start(self) -> float:
        """Core-seconds that any job takes before its work begins."""
        return self.units["start"]

    def _candidates_convert(self, _: int) -> None:
        """Return None: the length of a file of the user's is unknown."""

    _candidates_frames = _candidates_convert

    def _candidates_shard(self, candidates: int) -> float | None:
        """Mean over the pools."""
        whole = size = 0.0
        for pool in map(self.study.pools.of, self.study.pools.names):
            units = {name: self.units["candidate"].get(name, SAMPLERS[name].seconds) for name in pool.shares}
            if None in units.values():
                return None
            unit = sum(share * units[name] for name, share in pool.shares.items()) / sum(pool.shares.values())
            whole, size = whole + pool.most * unit, size + pool.most
        return candidates * whole / size * self.sizes.atoms / self.reference.atoms

    def _descriptors_shard(self, candidates: int) -> float | None:
        """By the terms of SOAP, for descriptors that were measured."""
        descriptor, environments = self.study.descriptor, candidates * self.sizes.environments
        unit = self.units["describe"].get(descriptor.backend)
        if unit is not None:
            return environments * unit * self.sizes.terms / self.reference.terms
        own = descriptor.member.seconds
        return None if own is None else environments * own

    def _rows_functions(self, _: int) -> None:
        """Return None: no rows of labels were measured."""

    _rows_shard = _rows_functions

    def _design_basis(self, _: int) -> float:
        return self.units["basis"] * self.width

    def _design_compress(self, candidates: int) -> float:
        return candidates * self.units["compress"] * self.width

    def _design_select(self, _: int) -> float | None:
        """Mean over the designs."""
        if self.study.kernel.structure != "average":
            return None
        whole = 0.0
        for design in self.study.designs.values():
            unit = self.units["select"].get(design.method)
            if unit is None:
                return None
            size = self.study.pools.of(design.pool).most
            whole += size * unit["candidate"] + self.ranks * unit["rank"]
        return whole * self.width / len(self.study.designs)

    def _design_polish(self, _: int) -> float | None:
        """Mean over the polished designs: the structures that are described if no sweep ends early."""
        asked = [self.study.designs[name].polish for name in self.study.polished()]
        tried = fmean(polish.values * polish.sweeps * (1 + polish.refinements) for polish in asked)
        return self._descriptors_shard(round(self.ranks * PARAMETERS * tried))

    def _growth(self, candidates: int) -> float:
        """A choice from all candidates, and one more rank after the design from the half."""
        unit = self.units["select"][default()]
        return self.width * (2 * candidates * unit["candidate"] + self.ranks * unit["rank"])

    def _design_quality(self, _: int) -> float:
        """Mean over the designs."""
        unit = self.units["quality"]
        size = fmean(self.study.pools.of(design.pool).most for design in self.study.designs.values())
        return self.ranks * self.width * (size * unit["candidate"] + unit["rank"])

    def _design_regrow(self, _: int) -> float | None:
        """Mean over the designs chosen again: in total from less than one pool, but never for more ranks."""
        return self._design_select(1)

    def _design_curves(self, _: int) -> float:
        """Mean over the pools: designs and random draws, from every smaller pool too, against a sample."""
        asked, designs = self.study.quality, self.study.designs.values()
        chosen = (len(designs) / len({design.pool for design in designs}) + asked.draws) * (1 + asked.subpools)
        seen = min(asked.sample, *(self.study.pools.of(design.pool).most for design in designs))
        return chosen * self.ranks * self.width * seen * self.units["quality"]["candidate"]

    _rounds_choose = _design_select

    def _rounds_judge(self, _: int) -> float | None:
        """Two models on a batch, which is no larger than the design."""
        return None if self.model is None else 2 * self.model.predict * self.ranks

    def _labels_isolated(self, _: int) -> float | None:
        if self.sizes.label is None and len(self.study.priced()) == len(self.study.designs):
            return 0.0  # a few atoms beside a known bound
        return None if self.sizes.label is None else 3600 * self.sizes.label * len(self.study.symbols())

    def _labels_batch(self, structures: int) -> float | None:
        return None if self.sizes.label is None else 3600 * self.sizes.label * structures

    def _hyperparameters(self, _: int) -> float | None:
        return None if self.model is None else self.model.hyperparameters

    def _models_fit(self, _: int) -> float | None:
        return None if self.model is None else self.model.fit

    def _crossval_predict(self, _: int) -> float | None:
        tested = self.grown * sum(map(self.study.budget_of, self.study.compared()))
        return None if self.model is None else self.model.predict * tested

    def _properties_model(self, atoms: int) -> float | None:
        return None if self.model is None else self.model.predict * atoms / self.sizes.atoms

    def _properties_reference(self, atoms: int) -> float | None:
        label = label_hours(self.study)
        return None if label is None else 3600 * label * atoms / self.sizes.atoms

    def _replay_points(self, _: int) -> None:
        """Return None: no replay was measured, and the work before these jobs is small."""

    _replay_rows = _replay_choose = _replay_fit = _replay_surfaces = _replay_points

    @cached_property
    def model(self) -> Seconds | None:
        """What jobs of one design, and the test of one structure, cost with this kind of model; None if unknown."""
        at, sizes, soap = At(self.study, kind=self.kind), self.sizes, self.study.descriptor.soap
        neighbours = sizes.terms / (soap.n_max * (soap.l_max + 1) ** 2)
        load = Load(
            structures=self.ranks,
            atoms=sizes.atoms,
            density=neighbours / (4 / 3 * np.pi * soap.r_cut**3),
            environments=sizes.environments,
            species=len(self.study.species()),
        )
        return at.model.member.seconds(at, load)


@dataclass(frozen=True)
class Cost:
    """Cost of the jobs of one rule.

    Attributes
    ----------
    seconds
        Core-seconds of each job; None if unknown.
    timed
        Jobs of earlier runs that this rests on; 0 if it rests on shipped unit costs.
    """

    seconds: tuple[float, ...] | None
    timed: int = 0


def cost(jobs: Jobs, laws: Laws, results: Path, *, slowest: bool = False) -> Cost:
    """Return the cost of the jobs of one rule.

    Where jobs of the same names were timed before, the law is scaled to their times; where there is no law, their
    times are scaled in proportion to the amounts. What is bounded by a budget of core-hours is not scaled: how many of
    its batches have anything to do is known only once the design is.

    Parameters
    ----------
    jobs : Jobs
    laws : Laws
    results : Path
        Folder of the study's results, which may not exist yet.
    slowest : bool
        Go by the slowest job instead of the sum, because some jobs had less to do than their names say.
    """
    law = _weights(jobs, laws)
    weights = law or tuple(float(amount) for amount in jobs.amounts)
    known = []
    for k, name in enumerate(jobs.timed):
        if name and jobs.bounds[k] is None and (wall := timed(results / "benchmarks" / name)) is not None:
            weight = weights[k]
            if law and jobs.works_on and (ranks := structures(results / jobs.works_on[k])):
                then = laws.about(jobs.kind, ranks, grown=ranks / jobs.ranks[k])
                weight = then(jobs.rule, jobs.amounts[k]) or weight
            known.append((wall * jobs.threads, weight))
    if not known:
        return Cost(law)
    if slowest:
        factor = max(seconds / weight for seconds, weight in known)
    else:
        factor = sum(seconds for seconds, _ in known) / sum(weight for _, weight in known)
    scaled = (weights[k] * (factor if jobs.bounds[k] is None else 1) for k in range(len(weights)))
    return Cost(tuple(scaled), len(known))


def unscaled(jobs: Jobs, laws: Laws) -> Cost:
    """Return the cost of the jobs of one rule by its law alone."""
    return Cost(_weights(jobs, laws))


def _weights(jobs: Jobs, laws: Laws) -> tuple[float, ...] | None:
    of = {ranks: laws.about(jobs.kind, ranks) for ranks in set(jobs.ranks)}
    seconds = [
        of[ranks](jobs.rule, amount) if bound is None else laws.start + 3600 * bound
        for ranks, amount, bound in zip(jobs.ranks, jobs.amounts, jobs.bounds, strict=True)
    ]
    return None if None in seconds else tuple(float(value or 0) for value in seconds)


def timed(path: Path) -> float | None:
    """Return the wall seconds in a file that Snakemake's `benchmark` wrote; None if there are none."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return float(next(csv.DictReader(stream, delimiter="\t"))["s"])
    except (OSError, StopIteration, KeyError, TypeError, ValueError):
        return None


def structures(path: Path) -> int:
    """Count the structures in an extended XYZ file, without reading them; 0 if there is no file."""
    try:
        with path.open(encoding="utf-8") as stream:
            return sum("Properties=" in line for line in stream)
    except OSError:
        return 0
