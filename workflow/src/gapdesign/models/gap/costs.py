"""Time and memory of gap_fit, predicted from structures and points before it starts.

Three steps take the time: derivatives of SOAP vectors, their products with the points, and the QR factorisation of the
linear system. The derivatives of all structures, and then the system, are what gap_fit keeps in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, pi
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.quippy import QuippyDescriptor as Quippy
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.models.base import DENSER, Load, Seconds
from gapdesign.models.gap.options import GapOptions

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.config.study import Study
    from gapdesign.models.gap.environments import GapStructures
    from gapdesign.models.gap.expansion import Expansion

DESCRIBE, MULTIPLY, SOLVE = 1.2e-7, 1.85e-9, 8e-10
"""Seconds for a component of a derivative, for its product with one point, and for a row times two points
(`python benchmarks/gap_cells.py`)."""

PROGRAMS = 350
"""MiB of gap_fit and of the Python process that runs it, besides what grows with the data."""


@dataclass(frozen=True)
class Points:
    """Numbers of points.

    Attributes
    ----------
    environments
        For each element.
    distances
        Over all pairs of elements.
    """

    environments: Mapping[int, int]
    distances: int

    @classmethod
    def of(cls, basis: Expansion) -> Points:
        """Return the numbers of a basis."""
        return cls({z: len(own) for z, own in basis.soap.items()}, sum(map(len, basis.pairs.values())))

    @property
    def total(self) -> int:
        """Number of coefficients of the potential."""
        return sum(self.environments.values()) + self.distances


@dataclass(frozen=True)
class Work:
    """What gap_fit has to do for some structures, whatever the points.

    Attributes
    ----------
    dimension
        Length d of a SOAP vector.
    derivatives
        For each element, derivatives of the SOAP vectors around its atoms: three per atom and neighbour for the forces
        of a structure, and six more for its virial.
    labels
        Energies, components of forces and components of virials.
    """

    dimension: int
    derivatives: Mapping[int, int]
    labels: int

    @classmethod
    def of(cls, data: Sequence[Atoms], soap: SoapOptions, seen: GapStructures, *, labels: int) -> Work:
        """Count the work for labelled structures, isolated atoms included, whose environments are ``seen``."""
        from matscipy.neighbours import neighbour_list

        derivatives = dict.fromkeys(seen.soap, 0)
        for atoms in data if seen.soap else ():
            each = 3 * ("REF_forces" in atoms.arrays) + 6 * ("REF_virial" in atoms.info)
            near = each * (1 + np.bincount(neighbour_list("i", atoms, soap.r_cut), minlength=len(atoms)))
            for centre in set(atoms.numbers.tolist()):
                derivatives[centre] += int(near[atoms.numbers == centre].sum())
        dimension = max((block.vectors.shape[1] for block in seen.soap.values()), default=0)
        return cls(dimension, derivatives, labels)

    @classmethod
    def expected(cls, at: At) -> tuple[Work, Points] | None:
        """Return the work for a design whose structures have the sizes of the largest prototype, and its points.

        None where candidates have other sizes, which only the labels then tell.
        """
        study, load = at.study, Load.of_largest(at)
        if load is None:
            return None
        soap, pair, species = study.descriptor.soap, study.kernel.pair, study.species()
        environments = load.structures * load.environments / len(species)
        sparse = at.model.options.sparse
        most = sparse.most or environments
        grid = ceil(pair.r_cut / pair.length * sparse.points_per_length)
        centres = species if study.kernel.soap.scale > 0 else ()
        return (
            cls.alike(
                load.structures,
                atoms=load.atoms,
                neighbours=DENSER * load.neighbours(soap.r_cut),
                dimension=Quippy.dimension(soap, len(species)),
                centres=centres,
            ),
            Points(dict.fromkeys(centres, int(min(most, environments))), grid * len(species) * (len(species) + 1) // 2),
        )

    @classmethod
    def alike(
        cls, structures: int, *, atoms: float, neighbours: float, dimension: int, centres: Collection[int]
    ) -> Work:
        """Return the work for structures of one size with all labels, with equal shares of the elements."""
        derivatives = 9 * structures * atoms * (1 + neighbours)
        shares = dict.fromkeys(centres, int(derivatives / max(1, len(centres))))
        return cls(dimension, shares, int(structures * (7 + 3 * atoms)))

    def seconds(self, points: Points) -> float:
        """Return the CPU seconds of gap_fit."""
        total = points.total
        products = sum(self.derivatives[z] * count for z, count in points.environments.items())
        described = DESCRIBE * sum(self.derivatives.values()) + MULTIPLY * products
        return self.dimension * described + SOLVE * (self.labels + total) * total**2

    def megabytes(self, points: Points) -> int:
        """Return the MiB of the fit."""
        total = points.total
        covariances, system = self.labels * total, (self.labels + total) * total
        first = self.dimension * sum(self.derivatives.values()) + system
        return PROGRAMS + ceil(8 * max(first, 2 * (system + covariances)) / 2**20)

    def require(self, memory: int | None, points: Points) -> None:
        """Refuse a fit that needs more than ``memory``, in MiB.

        Raises
        ------
        InputError
            If it does; the sentence says what to change.
        """
        needed = self.megabytes(points)
        if memory is not None and needed > memory:
            raise InputError(
                f"model: this fit needs {needed} MiB and may use {memory}; add `--set-resources"
                f" models_fit:mem_mb={-(-needed // 100) * 100}`, or lower descriptor.soap.n_max, l_max or r_cut, the"
                " budget, or model.sparse.points."
            )


DISTANCES = 20
"""Distances in which the function of a pair of elements is expanded."""


def seconds(at: At, load: Load) -> Seconds:
    """Return what jobs cost: by the measured fits of the reference, and the work here relative to the work there."""
    from gapdesign.planning.units import power, shipped  # brings the whole plan, which no fit needs

    units = shipped()
    known, measured, options = units["reference"], units["seconds"], at.model.options
    lbfgs, ranks = measured["lbfgs"], load.structures
    search = power(lbfgs, ranks * load.environments)
    if options.optimizer == "lbfgs":
        search *= options.lbfgs.starts / 8
    else:
        (number, one), *_ = measured["cma"].items()
        evaluations = options.cma.population * options.cma.restarts * options.cma.generations
        search *= one / lbfgs[number] * evaluations / (64 * 3 * 150)
    # The reference is zirconium with the SOAP vectors that are the defaults.
    soap = SoapOptions()
    there = Load(
        ranks,
        atoms=known["atoms"],
        density=known["terms"] / (soap.n_max * (soap.l_max + 1) ** 2) / (4 / 3 * pi * soap.r_cut**3),
        environments=known["environments"],
        species=1,
    )
    relative = _gap_fit(at.study, options, load) / _gap_fit(type(at.study)(), GapOptions(), there)
    fit = power(measured["fit"], ranks * there.environments) * relative
    return Seconds(search, fit, measured["predict"] * load.environments)


def _gap_fit(study: Study, options: GapOptions, load: Load) -> float:
    """Return the CPU seconds of gap_fit for structures of these sizes, with the kernel of a study."""
    soap, centres = study.descriptor.soap, range(load.species) if study.kernel.soap.scale > 0 else range(0)
    shared = max(1, len(centres))
    work = Work.alike(
        load.structures,
        atoms=load.atoms,
        neighbours=load.neighbours(soap.r_cut),
        dimension=Quippy.dimension(soap, shared),
        centres=centres,
    )
    environments = load.structures * load.environments / shared
    points = int(environments if options.sparse.most is None else min(options.sparse.most, environments))
    return work.seconds(Points(dict.fromkeys(centres, points), DISTANCES * (len(centres) + 1) // 2))
