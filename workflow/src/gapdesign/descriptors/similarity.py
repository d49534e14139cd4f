"""Similarity of two vectors of unit length, as a function of their dot product alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gapdesign.descriptors.kernel import SoapKernelOptions

_HALVINGS = 10
"""Times that an exponent is halved before its exponential is a short series."""

_LEAST = -80.0
"""Exponent whose exponential is zero for every purpose here."""


@dataclass(frozen=True)
class Power:
    """(p . q)^zeta."""

    zeta: int

    @property
    def slope(self) -> float:
        """Largest derivative by the dot product, between unit vectors."""
        return float(self.zeta)

    @property
    def error(self) -> float:
        """Bound of the relative error in double precision, in units of the machine's."""
        return float(self.zeta)

    def __call__(self, dots: np.ndarray) -> np.ndarray:
        """Return the similarities of dot products, the same bits on every machine."""
        return power(dots, self.zeta)

    def folded(self, weight: float) -> float:
        """Return the factor of one of two vectors that gives their similarity a weight in :meth:`quickly`."""
        return weight ** (1 / self.zeta)

    def quickly(self, dots: np.ndarray, weight: float) -> None:
        """Replace dot products in single precision, of vectors of which one is :meth:`folded`, by similarities."""
        exponent = self.zeta
        while exponent > 1 and exponent % 2 == 0:
            np.multiply(dots, dots, out=dots)
            exponent //= 2
        if exponent > 1:
            base = dots.copy()
            for _ in range(exponent - 1):
                dots *= base


@dataclass(frozen=True)
class Gaussian:
    """exp(-|p - q|^2 / (2 l^2)), which is exp((p . q - 1) / l^2) of unit vectors."""

    length: float

    @property
    def slope(self) -> float:
        """Largest derivative by the dot product, between unit vectors."""
        return 1.001 / self.length**2

    @property
    def error(self) -> float:
        """Bound of the relative error in double precision, in units of the machine's."""
        return 2.0 ** (_HALVINGS + 2)

    def __call__(self, dots: np.ndarray) -> np.ndarray:
        """Return the similarities of dot products, the same bits on every machine: by a series and by squaring."""
        x = np.maximum((dots - 1) / self.length**2, _LEAST) / 2**_HALVINGS
        value = np.ones_like(x)
        for k in range(8, 0, -1):
            value = 1 + x * value / k
        return power(value, 2**_HALVINGS)

    def folded(self, weight: float) -> float:
        """Return 1: a factor of a vector is none of its similarity."""
        return 1.0

    def quickly(self, dots: np.ndarray, weight: float) -> None:
        """Replace dot products in single precision by their similarities times a weight."""
        dots -= np.float32(1)
        dots *= np.float32(1 / self.length**2)
        np.exp(dots, out=dots)
        dots *= np.float32(weight)


Similarity = Power | Gaussian


def similarity(options: SoapKernelOptions) -> Similarity:
    """Return the similarity that a configuration asks for."""
    return Gaussian(options.length) if options.form == "gaussian" else Power(options.zeta)


def power(base: np.ndarray, exponent: int) -> np.ndarray:
    """Return an integer power by repeated squaring; NumPy's own may differ in the last bit between machines."""
    result = None
    while exponent:
        if exponent & 1:
            result = base.copy() if result is None else result * base
        exponent >>= 1
        if exponent:
            base = base * base
    return result
