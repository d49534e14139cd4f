"""From structures to features, and from features to the distance between structures.

Descriptors of the environments of atoms are a family: each module here that has a class derived from
:class:`EnvironmentDescriptor` is one, and :mod:`.options` holds their options. Features average environments, and
add distances of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.base import Centers, EnvironmentDescriptor, KernelFunctions
from gapdesign.descriptors.covariance import Layout
from gapdesign.descriptors.environments import Environments, on_grid
from gapdesign.descriptors.pairs import PairFeatures
from gapdesign.errors import InputError
from gapdesign.families import Family
from gapdesign.inputs.batches import ordinary, refuse_unsound

if TYPE_CHECKING:
    from gapdesign.descriptors.kernel import PairShapeOptions
    from gapdesign.descriptors.options import ChosenDescriptor, DescriptorOptions
    from gapdesign.descriptors.scaling import Scaling
    from gapdesign.structures import Batch

NUMBERS = 2**18
"""Numbers of environments that are worked on at once, where structures have fewer: what a processor's cache holds."""

__all__ = [
    "DESCRIPTORS",
    "Descriptor",
    "EnvironmentDescriptor",
    "KernelFunctions",
    "differentiable",
    "environments_of",
    "layout",
]

DESCRIPTORS: Family[EnvironmentDescriptor] = Family("gapdesign.descriptors", EnvironmentDescriptor)
"""Descriptors of the environments of atoms, by name."""


class Descriptor:
    """Features of structures: environments averaged by species, composition, smeared pair distances.

    Parameters
    ----------
    options : DescriptorOptions or ChosenDescriptor
    pair : PairShapeOptions, optional
        Without it, features have no pair distances.
    species : sequence of int
        Atomic numbers that occur in the study.
    scaling : Scaling, optional
        Scale of the components of environments, unless they are raw.

    Raises
    ------
    InputError
        If components are not raw and no scale is given.
    """

    def __init__(
        self,
        options: DescriptorOptions | ChosenDescriptor,
        pair: PairShapeOptions | None,
        species: Sequence[int],
        scaling: Scaling | None = None,
    ) -> None:
        self.species = tuple(sorted(species))
        self._options = options
        self._scaling = scaling
        if options.components != "raw" and scaling is None:
            raise InputError(
                f"descriptor.components: '{options.components}' needs the scale that `gapdesign scaling` finds in the"
                " pools; give its file, or use raw components."
            )
        self._environments = options.member(options.options, self.species)
        self._pairs = PairFeatures(pair, self.species) if pair is not None else None
        self.layout = layout(options, pair, self.species)

    def features(self, batch: Batch) -> np.ndarray:
        """Compute the features of a batch of n structures.

        Returns
        -------
        (n, dimension) float32
            The parts of each species and the part of the pairs each have unit length.

        Raises
        ------
        InputError
            If something is no structure, has no neighbours within a cutoff, or has features that are not finite.
        """
        features, batch = np.zeros((len(batch), self.layout.dimension), dtype=np.float32), _prepared(batch)
        for start, stop in self._blocks(batch):
            self._describe(batch.take(np.arange(start, stop)), features[start:stop])
        return features

    def features_and_environments(self, batch: Batch) -> tuple[np.ndarray, Environments]:
        """Return the features (n, dimension) of :meth:`features`, and the environments that they average."""
        features, batch = np.zeros((len(batch), self.layout.dimension), dtype=np.float32), _prepared(batch)
        found = []
        for start, stop in self._blocks(batch):
            part = batch.take(np.arange(start, stop))
            centers, vectors = self._describe(part, features[start:stop])
            offsets = np.searchsorted(centers.structures, np.arange(len(part) + 1)).astype(np.int64)
            multiplicities, species = centers.multiplicities, part.numbers[centers.atoms]
            found.append(
                Environments(offsets, on_grid(vectors), multiplicities.astype(np.int32), species.astype(np.int32))
            )
        return features, Environments.joined(found)

    def sums(self, batch: Batch, k: int, functions: KernelFunctions | None = None) -> dict[int, np.ndarray]:
        """Sum functions of the environments of structure ``k``; see :meth:`EnvironmentDescriptor.sums`.

        Raises
        ------
        InputError
            If the descriptor has no derivatives.
        """
        return self._differentiable().sums(_prepared(batch.take([k])), 0, functions)

    def derivatives(self, batch: Batch, k: int) -> dict[int, np.ndarray]:
        """Differentiate the environments of structure ``k``; see :meth:`EnvironmentDescriptor.derivatives`.

        Raises
        ------
        InputError
            If the descriptor has no derivatives.
        """
        return self._differentiable().derivatives(_prepared(batch.take([k])), 0)

    def _differentiable(self) -> EnvironmentDescriptor:
        """Return the environments' descriptor, if they have derivatives."""
        if not self._options.member.has_derivatives:
            raise InputError(
                f"descriptor.backend: '{self._options.backend}' has no derivatives by positions; choose from"
                f" {', '.join(differentiable())}."
            )
        if self._scaling is not None:
            raise InputError(
                f"descriptor.components: there are no derivatives of '{self._options.components}' ones; use raw."
            )
        return self._environments

    @property
    def _reach(self) -> str:
        """The radius of an environment, by its key if it has one."""
        block = f"descriptor.{self._options.member.block}"
        return f"{block}.r_cut" if hasattr(self._options.options, "r_cut") else f"the reach of {block}"

    def _blocks(self, batch: Batch) -> Iterator[tuple[int, int]]:
        """Yield ranges of structures whose environments together have ``NUMBERS`` numbers, or one structure each."""
        most, start = max(1, NUMBERS // self.layout.spectrum), 0
        while start < len(batch):
            within = int(np.searchsorted(batch.offsets, batch.offsets[start] + most, side="right")) - 1
            yield start, (start := max(start + 1, within))

    def _describe(self, batch: Batch, rows: np.ndarray) -> tuple[Centers, np.ndarray]:
        """Put the features of a few structures into ``rows``, and return their environments, of unit length."""
        centers = Centers.of(batch)
        numbers = batch.numbers[centers.atoms]
        vectors = self._environments.describe(batch, centers)
        if self._scaling is not None:
            vectors = self._scaling(vectors, numbers)
        with np.errstate(invalid="ignore", divide="ignore"):
            vectors = _unit(vectors)
            for number, z in enumerate(self.species):
                mine = np.flatnonzero(numbers == z)
                have, starts = np.unique(centers.structures[mine], return_index=True)
                if len(have):
                    weighted = centers.multiplicities[mine, None] * vectors[mine]
                    rows[have, self.layout.soap[number]] = _unit(np.add.reduceat(weighted, starts))
            if self.layout.composition is not None:
                kinds = (batch.numbers[:, None] == self.species).astype(float)
                rows[:, self.layout.composition] = _unit(np.add.reduceat(kinds, batch.offsets[:-1]))
            if self._pairs is not None:
                rows[:, self.layout.pair] = _unit(self._pairs(batch, centers))
        if len(wrong := np.flatnonzero(~np.isfinite(rows).all(axis=1))):
            raise InputError(
                f"candidate {batch.candidates[wrong[0]]}: its descriptor is not a finite vector; check that its atoms"
                f" are apart, and have a neighbour within"
                f" {self._reach}{' and kernel.pair.r_cut' if self._pairs else ''}."
            )
        return centers, vectors


def differentiable() -> list[str]:
    """Return the names of the descriptors that have derivatives by positions."""
    return [name for name, member in DESCRIPTORS.items() if member.has_derivatives]


def environments_of(member: EnvironmentDescriptor, batch: Batch, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the environments (n, d) of structure ``k`` as a program gives them, and their atomic numbers (n,).

    Raises
    ------
    InputError
        If it is no structure.
    """
    one = _prepared(batch.take([k]))
    centers = np.unique(one.orbits)
    return member(one, 0, centers), one.numbers[centers]


def _prepared(batch: Batch) -> Batch:
    """Return structures as they can be described, once they are sound."""
    refuse_unsound(batch, lambda k: f"candidate {batch.candidates[k]}")
    return ordinary(batch)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors (..., d) to unit length, without linear algebra libraries, whose sums have no fixed order."""
    return vectors / np.sqrt(np.add.reduce(vectors * vectors, axis=-1, keepdims=True))


def layout(
    options: DescriptorOptions | ChosenDescriptor, pair: PairShapeOptions | None, species: Sequence[int]
) -> Layout:
    """Return the positions of the parts in a feature vector, without computing one."""
    spectrum = options.member.dimension(options.options, len(species)) + (options.components != "raw")
    pairs = PairFeatures(pair, sorted(species)).dimension if pair is not None else 0
    return Layout(len(species), spectrum, pairs)
