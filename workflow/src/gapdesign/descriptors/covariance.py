"""The complete covariance of two structures and the kernel distance it defines (BR 2, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gapdesign.descriptors.kernel import CovarianceOptions
from gapdesign.descriptors.similarity import similarity

EQUAL = 2.0**-20
"""Largest relative difference of squared distances that count as equal.

Features are kept in single precision, so that structures without a common element are at D2 = 2 to some 1e-7, and
two descriptions of one crystal differ as much. Such differences belong to the machine and not to the structures.
"""


def reach(largest: float | np.ndarray) -> float | np.ndarray:
    """Return the smallest value that counts as equal to the largest of some squared distances or variances."""
    return largest * (1 - np.copysign(EQUAL, largest))


def first_farthest(squared: np.ndarray) -> int:
    """Return the place of the largest squared distance or variance (n,); of equal ones, the first."""
    return int(np.argmax(squared >= reach(squared.max())))


@dataclass(frozen=True)
class Layout:
    """Positions of the parts in a feature vector.

    SOAP first, a block for each species of the central atom; then, for several species, the share of
    each; then the pair features.
    """

    n_species: int
    spectrum: int
    pairs: int
    soap: tuple[slice, ...] = field(init=False)
    composition: slice | None = field(init=False)
    pair: slice = field(init=False)
    dimension: int = field(init=False)

    def __post_init__(self) -> None:
        end = self.n_species * self.spectrum
        soap = tuple(slice(k * self.spectrum, (k + 1) * self.spectrum) for k in range(self.n_species))
        after = end + self.n_species if self.n_species > 1 else end
        object.__setattr__(self, "soap", soap)
        object.__setattr__(self, "composition", slice(end, after) if self.n_species > 1 else None)
        object.__setattr__(self, "pair", slice(after, after + self.pairs))
        object.__setattr__(self, "dimension", after + self.pairs)


class Covariance:
    """Normalised covariance k of structures and D2 = k(p,p) + k(q,q) - 2 k(p,q), from 0 to 2.

    k(p, q) = (d_soap^2 sum_s c_s(p) c_s(q) f(p_s . q_s) + d_pair^2 p_pair . q_pair) / (d_soap^2 + d_pair^2),
    where p_s is the mean SOAP vector around atoms of species s, f its power zeta or a Gaussian
    (:mod:`.similarity`), c_s the share of the species (c . c = 1) and p_pair the smeared pair distances, all of unit
    length, so that k(p, p) = 1.

    The paper does not say how the two parts are normalised against each other; this reading makes D2
    run from 0 (overlap) to 2 (orthogonal), as in its figure 4.

    Two ways to the same numbers: :meth:`gram` uses matrix products, whose last bits depend on the linear
    algebra library; :meth:`distance2` is the defining computation, slow and the same everywhere.
    """

    def __init__(self, layout: Layout, options: CovarianceOptions) -> None:
        self.layout = layout
        self.similarity = similarity(options.soap)
        total = options.soap.scale**2 + options.pair.scale**2
        self.soap_weight = options.soap.scale**2 / total
        self.pair_weight = options.pair.scale**2 / total

    @property
    def rounding(self) -> float:
        """Bound of the difference between D2 from :meth:`gram` and from :meth:`distance2`.

        A dot product of n float64 terms of unit vectors is off by at most n u, whatever the order of its
        sum; the similarity multiplies that by its slope, and has an error of its own. Both ways may be off, and D2 has
        two self terms and two cross terms.
        """
        steepest = max(1.0, self.similarity.slope)
        return 8 * max(steepest * self.layout.dimension, self.similarity.error) * np.finfo(float).eps

    @property
    def overlap(self) -> float:
        """Largest D2 that is indistinguishable from zero: such structures coincide."""
        return 4 * self.rounding

    def gram(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the covariance (n, m) of features (n, d) and (m, d)."""
        a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
        total = np.zeros((len(a), len(b)))
        for number, block in enumerate(self.layout.soap):
            part = self.similarity(a[:, block] @ b[:, block].T)
            if self.layout.composition is not None:
                share = self.layout.composition.start + number
                part *= np.outer(a[:, share], b[:, share])
            total += part
        total *= self.soap_weight
        total += self.pair_weight * (a[:, self.layout.pair] @ b[:, self.layout.pair].T)
        return total

    def diagonal(self, a: np.ndarray) -> np.ndarray:
        """Return the covariance (n,) of each row of features (n, d) with itself, by the defining computation."""
        return self._exact(a, a)

    def distance2(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return D2 (n,) of corresponding rows of features (n, d) and (n, d) or (d,), by the defining computation.

        Features are float32, so their products are exact in float64, and NumPy sums a contiguous row
        pairwise in an order that depends on its length alone.
        """
        b = np.broadcast_to(b, a.shape)
        return np.maximum(self._exact(a, a) + self._exact(b, b) - 2 * self._exact(a, b), 0.0)

    def _exact(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        total = np.zeros(len(a))
        for number, block in enumerate(self.layout.soap):
            part = self.similarity(dot(a[:, block], b[:, block]))
            if self.layout.composition is not None:
                share = self.layout.composition.start + number
                part *= a[:, share].astype(float) * b[:, share].astype(float)
            total += part
        return self.soap_weight * total + self.pair_weight * dot(a[:, self.layout.pair], b[:, self.layout.pair])


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return dot products (n,) of the rows of a and b (n, d), in float64 and in an order that depends on d alone."""
    return np.add.reduce(np.multiply(a, b, dtype=float, order="C"), axis=1)
