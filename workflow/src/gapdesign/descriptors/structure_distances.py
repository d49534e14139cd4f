"""Distances between structures with many environments: by their match (REMatch), or by the farthest environment.

A distance measures a structure p against another q in one or more numbers, ``distance2(p, q)``. The squared distance
of p from a design takes the smallest of each number over the design, and then the largest of these:
max over k of min over q of distance2(p, q)[k].

Both are the same on every machine: dot products of environments are exact (see :data:`environments.GRID`), and all
that follows works element by element and sums in a fixed order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from gapdesign.descriptors.covariance import Covariance, dot
from gapdesign.descriptors.environments import EnvironmentPool, Environments
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.rematch import match
from gapdesign.descriptors.similarity import Similarity
from gapdesign.errors import InputError
from gapdesign.shards import FeaturePool, HeldPool

STEADY = 2.0**40
"""Matches are rounded to multiples of 1 / STEADY: the last bits of an exponential differ between processors."""


@dataclass(frozen=True)
class Structure:
    """Structure as distances need it.

    Attributes
    ----------
    vectors : (n, d) float32
        SOAP vectors of its environments, on the grid.
    shares : (n,)
        Share of its atoms in each environment.
    species : (n,) int32
        Atomic numbers of the central atoms.
    pairs : (p,) float32
        Its pair features.
    own : (n,) or (1,) or None
        Values that the distance precomputed.
    """

    vectors: np.ndarray
    shares: np.ndarray
    species: np.ndarray
    pairs: np.ndarray
    own: np.ndarray | None = None


class StructureDistance(Protocol):
    """A squared distance between structures, from 0 to 2."""

    overlap: float
    """Largest squared distance that is indistinguishable from zero."""

    def own(self, structure: Structure) -> np.ndarray:
        """Return the values that depend on one structure alone, to compute them once."""

    def distance2(self, p: Structure, q: Structure) -> np.ndarray:
        """Return the squared distances (k,) of p from q."""


class FarthestEnvironment:
    """Distance by the environment of a structure that is farthest from all in the design (BR, section 3.1).

    D2(x, x') = f(x . x) + f(x' . x') - 2 f(x . x') with the similarity f (:mod:`.similarity`), which is
    2 - 2 f(x . x') for unit vectors, and 2 if the central atoms are of different species. A structure's numbers are
    those of its environments. Pair distances belong to structures and not to environments, and are left out.
    """

    def __init__(self, covariance: Covariance, options: KernelOptions) -> None:
        self._similarity = covariance.similarity
        self.overlap = _rounding(self._similarity, covariance.layout.spectrum)

    def own(self, structure: Structure) -> np.ndarray:
        """Return f(x . x) of every environment: (n,)."""
        return self._similarity(dot(structure.vectors, structure.vectors))

    def distance2(self, p: Structure, q: Structure) -> np.ndarray:
        """Return the squared distance of each environment of p from the nearest of q: (n,)."""
        nearest = (q.own - 2 * similarities(p, q, self._similarity)).min(axis=1)
        return np.maximum(p.own + nearest, 0.0)


class Rematch:
    """Regularised-entropy match of environments (:mod:`gapdesign.descriptors.rematch`).

    K(p, q) = Tr P'C with C_ij = f(x_i . x_j) for central atoms of one species and 0 for others, and P the plan
    that gives every atom its equal share and maximises Tr P'C + gamma E(P), E its entropy; normalised to K(p, p) = 1.
    The pairs are added as in :class:`Covariance`. An environment counts as many times as there are atoms that have
    it, so that a supercell has the distances of its cell.
    """

    def __init__(self, covariance: Covariance, options: KernelOptions) -> None:
        self._similarity, self._options = covariance.similarity, options.rematch
        self._soap_weight, self._pair_weight = covariance.soap_weight, covariance.pair_weight
        # The error of a match is about its tolerance, and larger where its modes are slow.
        self.overlap = 100 * options.rematch.tolerance + _rounding(self._similarity, covariance.layout.spectrum)

    def own(self, structure: Structure) -> np.ndarray:
        """Return K(p, p) before normalisation: (1,)."""
        return np.array([self._match(structure, structure)])

    def distance2(self, p: Structure, q: Structure) -> np.ndarray:
        """Return the squared distance of p from q: (1,)."""
        soap = 1 - self._match(p, q) / np.sqrt(p.own * q.own)
        a, b = p.pairs[None], q.pairs[None]
        pairs = dot(a, a) + dot(b, b) - 2 * dot(a, b)
        return np.maximum(2 * self._soap_weight * soap + self._pair_weight * pairs, 0.0)

    def _match(self, p: Structure, q: Structure) -> float:
        c = similarities(p, q, self._similarity)
        value = match(c, p.shares, q.shares, gamma=self._options.gamma, tolerance=self._options.tolerance)
        return float(np.rint(value * STEADY) / STEADY)


def _rounding(similarity: Similarity, dimension: int) -> float:
    """Return the bound of D2 between vectors that were equal before rounding, each component by 2^-25 and 2^-27."""
    return 2 * similarity.slope * (similarity.slope + 1) * dimension * 2.0**-48


def similarities(p: Structure, q: Structure, similarity: Similarity) -> np.ndarray:
    """Return C (n, m): f(x_i . x_j) between the environments of two structures, 0 if their species differ."""
    cross = similarity(p.vectors.astype(float) @ q.vectors.astype(float).T)
    return np.where(p.species[:, None] == q.species, cross, 0.0)


class Recent(Mapping[int, np.ndarray]):
    """Small arrays by candidate, within a limit of memory; the least recently used go first, and the last one stays.

    Parameters
    ----------
    limit : float
        Bytes that they may take, with the overhead of Python.
    """

    ENTRY = 400
    """Bytes that an array takes besides its numbers."""

    def __init__(self, limit: float) -> None:
        self._limit, self._held, self._bytes = limit, OrderedDict[int, np.ndarray](), 0

    def __getitem__(self, candidate: int) -> np.ndarray:
        self._held.move_to_end(candidate)
        return self._held[candidate]

    def __iter__(self) -> Iterator[int]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def put(self, candidate: int, array: np.ndarray) -> list[int]:
        """Keep an array, and return the candidates whose arrays had to go."""
        self.drop(candidate)
        self._held[candidate] = array
        self._bytes += self.ENTRY + array.nbytes
        gone = []
        while self._bytes > self._limit and len(self) > 1:
            gone.append(next(iter(self._held)))
            self.drop(gone[-1])
        return gone

    def drop(self, candidate: int) -> None:
        """Forget an array, if it is held."""
        if candidate in self._held:
            self._bytes -= self.ENTRY + self._held.pop(candidate).nbytes


DISTANCES: dict[str, type[StructureDistance]] = {"rematch": Rematch, "environment": FarthestEnvironment}
"""Distances for the values of `kernel.structure` other than `average`."""


def structure(
    environments: Environments, pairs: np.ndarray, distance: StructureDistance, own: np.ndarray | None = None
) -> Structure:
    """Prepare one structure, from its environments and pair features (p,), for a distance; give ``own`` if known."""
    shares = environments.multiplicities / environments.multiplicities.sum()
    bare = Structure(environments.vectors, shares, environments.species, pairs)
    return replace(bare, own=distance.own(bare) if own is None else own)


class StructurePool:
    """Candidates of a pool, and existing structures, as a distance needs them.

    Parameters
    ----------
    features : FeaturePool
    environments : EnvironmentPool or Environments
    covariance : Covariance
    options : KernelOptions
        Its ``structure`` is not ``average``.
    existing : tuple of features (m, dimension) and their Environments, optional
    memory : int
        In MiB; an eighth of it is for precomputed values of candidates.
    """

    def __init__(
        self,
        features: FeaturePool | HeldPool,
        environments: EnvironmentPool | Environments,
        covariance: Covariance,
        options: KernelOptions,
        existing: tuple[np.ndarray, Environments] | None = None,
        *,
        memory: int = 1024,
    ) -> None:
        self._features, self._environments, self._part = features, environments, covariance.layout.pair
        self.distance = DISTANCES[options.structure](covariance, options)
        self.size = features.size
        if len(environments) != self.size:
            raise InputError(
                f"--environments: there are {len(environments)} candidates with environments and {self.size} with"
                " features; give those of the same shards."
            )
        rows, others = existing if existing is not None else ((), None)
        self.existing: Sequence[Structure] = [
            structure(others.one(k), row[self._part], self.distance) for k, row in enumerate(rows)
        ]
        self._limit, self._places = memory * 2**20 / 8, None
        self._own = Recent(self._limit)

    def among(self, candidates: np.ndarray) -> StructurePool:
        """Return a pool of some candidates (n,), numbered from 0."""
        part = copy(self)
        part._places, part.size, part._own = candidates, len(candidates), Recent(self._limit)
        return part

    def beside(self, candidates: np.ndarray) -> StructurePool:
        """Return the same pool with some of its candidates (n,) among the existing structures."""
        part = copy(self)
        part.existing = [*self.existing, *(self[int(candidate)] for candidate in candidates)]
        return part

    @property
    def bytes_each(self) -> float:
        """Bytes that a structure takes while it is held, on average."""
        numbers = 4 * self._environments.dimension + 20
        return numbers * self._environments.count / len(self._environments) + 4 * self._features.dimension

    def __getitem__(self, candidate: int) -> Structure:
        place = candidate if self._places is None else int(self._places[candidate])
        environments = self._environments.one(place)
        pairs = self._features.rows([place])[0, self._part]
        found = structure(environments, pairs, self.distance, self._own.get(candidate))
        self._own.put(candidate, found.own)
        return found

    def distance2(self, p: Structure, q: Structure) -> np.ndarray:
        """Return the squared distances (k,) of p from q."""
        return self.distance.distance2(p, q)

    def psi(self, p: Structure, others: Sequence[Structure]) -> float:
        """Return the squared distance of p from some structures, at least one."""
        return float(np.min([self.distance2(p, other) for other in others], axis=0).max())
