"""From structures to features, and from features to the distance between structures.

SOAP backends are a family: a module with ``make(options, species)``, which returns a :class:`SoapBackend`,
and ``dimension(options, n_species)``, which tells the length of its vectors without computing one.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gapdesign.descriptors.covariance import Layout
from gapdesign.descriptors.environments import Environments, on_grid
from gapdesign.descriptors.options import DescriptorOptions, PairShapeOptions
from gapdesign.descriptors.pairs import PairFeatures
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch

BACKENDS = {"dscribe": "gapdesign.descriptors.dscribe", "quippy": "gapdesign.descriptors.quippy"}


class SoapBackend(Protocol):
    """Computes SOAP power spectra."""

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Power spectra (n, dimension) of the atoms ``centers`` (n,) of structure ``k``, not normalised."""


class Descriptor:
    """Features of structures: averaged SOAP vectors a species, composition, smeared pair distances.

    Parameters
    ----------
    options : DescriptorOptions
    pair : PairShapeOptions
        Of these only what shapes the features counts: cutoff, length, transition.
    species : sequence of int
        Atomic numbers that occur in the study.
    """

    def __init__(self, options: DescriptorOptions, pair: PairShapeOptions, species: Sequence[int]) -> None:
        self.species = tuple(sorted(species))
        self._soap: SoapBackend = import_module(BACKENDS[options.backend]).make(options.soap, self.species)
        self._pairs = PairFeatures(pair, self.species)
        self.layout = layout(options, pair, self.species)

    def features(self, batch: Batch) -> np.ndarray:
        """Features of a batch of n structures.

        Returns
        -------
        (n, dimension) float32
            SOAP and pair parts each of unit length.

        Raises
        ------
        InputError
            If a structure has no neighbours within a cutoff, or its features are not finite.
        """
        features = np.empty((len(batch), self.layout.dimension), dtype=np.float32)
        for k in range(len(batch)):
            self._describe(batch, k, features[k])
        return features

    def features_and_environments(self, batch: Batch) -> tuple[np.ndarray, Environments]:
        """Features (n, dimension) as :meth:`features` gives them, and the environments that they average."""
        features = np.empty((len(batch), self.layout.dimension), dtype=np.float32)
        return features, Environments.joined([self._describe(batch, k, features[k]) for k in range(len(batch))])

    def derivatives(self, batch: Batch, k: int) -> dict[int, np.ndarray]:
        """Derivatives (3 n, dimension) of the summed environments of each species of structure ``k``, in 1/angstrom.

        Raises
        ------
        InputError
            If the backend has none.
        """
        if not hasattr(self._soap, "derivatives"):
            raise InputError("descriptor.backend: only 'quippy' gives derivatives of periodic structures; set that.")
        return self._soap.derivatives(batch, k)

    def _describe(self, batch: Batch, k: int, row: np.ndarray) -> Environments:
        """Put the features of structure ``k`` into ``row``; its environments are what they were made from."""
        span = slice(batch.offsets[k], batch.offsets[k + 1])
        numbers, orbits = batch.numbers[span], batch.orbits[span]
        centers, multiplicity = np.unique(orbits, return_counts=True)
        spectra = self._soap(batch, k, centers)
        with np.errstate(invalid="ignore", divide="ignore"):
            spectra = _unit(spectra)
            for number, z in enumerate(self.species):
                mine = numbers[centers] == z
                mean = np.add.reduce(multiplicity[mine, None] * spectra[mine])
                row[self.layout.soap[number]] = _unit(mean) if mine.any() else 0
            if self.layout.composition is not None:
                counts = np.array([(numbers == z).sum() for z in self.species], dtype=float)
                row[self.layout.composition] = _unit(counts)
            row[self.layout.pair] = _unit(self._pairs(batch, k, centers, multiplicity))
        if not np.isfinite(row).all():
            raise InputError(
                f"candidate {batch.candidates[k]}: its descriptor is not a finite vector; are its atoms apart, and"
                " is a neighbour within descriptor.soap.r_cut and kernel.pair.r_cut?"
            )
        offsets = np.array([0, len(centers)], np.int64)
        return Environments(offsets, on_grid(spectra), multiplicity.astype(np.int32), numbers[centers].astype(np.int32))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., d) scaled to unit length, without the linear algebra library, whose sums have no fixed order."""
    return vectors / np.sqrt(np.add.reduce(vectors * vectors, axis=-1, keepdims=True))


def layout(options: DescriptorOptions, pair: PairShapeOptions, species: Sequence[int]) -> Layout:
    """Where the parts of a feature vector lie, without computing one."""
    spectrum = import_module(BACKENDS[options.backend]).dimension(options.soap, len(species))
    return Layout(len(species), spectrum, PairFeatures(pair, sorted(species)).dimension)
