"""The functions that a potential is linear in: covariances with fixed points (gap_fit's sparse points).

Terms follow one another as in gap_fit: distances of each pair of elements, then SOAP around each element.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.pivots import pivots as pivoted
from gapdesign.descriptors.quip import pair_string, soap_string
from gapdesign.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from gapdesign.descriptors.kernel import CovarianceOptions
    from gapdesign.descriptors.soap import SoapOptions

JOIN = "-"


@dataclass(frozen=True, kw_only=True)
class Model:
    """Kernels of the potentials, and the widths that QUIP's descriptors fade out over.

    Attributes
    ----------
    soap : SoapOptions
    kernel : CovarianceOptions
    transition : float
        Width of SOAP's cutoff function, in angstrom.
    jitter : float
        Added to the diagonal of the covariance of the points, in eV^2.
    """

    soap: SoapOptions
    kernel: CovarianceOptions
    transition: float
    jitter: float

    def soap_string(self, centre: int, elements: list[int]) -> str:
        """Return the QUIP descriptor of SOAP around an element."""
        return soap_string(self.soap, centre=centre, elements=elements, transition=self.transition)

    def pair_string(self, pair: tuple[int, int]) -> str:
        """Return the QUIP descriptor of the distances of two elements."""
        return pair_string(self.kernel.pair, elements=pair)


@dataclass(frozen=True)
class Expansion:
    """Points of the expansion.

    Attributes
    ----------
    pairs : dict of (int, int) to (p,)
        Distances in angstrom, for each pair of elements (atomic numbers, the smaller first).
    soap : dict of int to (m, d)
        SOAP vectors of unit length, for each element.
    """

    pairs: Mapping[tuple[int, int], np.ndarray]
    soap: Mapping[int, np.ndarray]

    def __len__(self) -> int:
        return sum(map(len, self.pairs.values())) + sum(map(len, self.soap.values()))

    @property
    def elements(self) -> list[int]:
        """Atomic numbers, increasing."""
        return sorted({z for pair in self.pairs for z in pair} | set(self.soap))

    def terms(self) -> Iterable[tuple[str, np.ndarray]]:
        """Yield each term in words, and its points."""
        from ase.data import chemical_symbols as symbols

        yield from ((f"distances {symbols[low]}-{symbols[high]}", points) for (low, high), points in self.pairs.items())
        yield from ((f"SOAP around {symbols[centre]}", points) for centre, points in self.soap.items())

    def columns(self) -> Iterable[tuple[tuple[int, int] | int, slice]]:
        """Yield each term, by its pair or its element, and the columns of its functions."""
        start = 0
        for key, points in [*self.pairs.items(), *self.soap.items()]:
            yield key, slice(start, start + len(points))
            start += len(points)

    def covariance(self, model: Model) -> np.ndarray:
        """Return the covariance (n, n) of the points, in eV^2, with the jitter on its diagonal."""
        whole = np.zeros((len(self), len(self)))
        for key, span in self.columns():
            if isinstance(key, tuple):
                whole[span, span] = pair_covariance(self.pairs[key], self.pairs[key], model)
            else:
                whole[span, span] = soap_covariance(self.soap[key], self.soap[key], model)
        return whole + model.jitter * np.eye(len(self))

    def write(self, path: str | Path) -> None:
        """Write the points atomically; equal ones give equal bytes."""
        arrays = {JOIN.join(map(str, pair)): points for pair, points in self.pairs.items()}
        arrays |= {str(centre): points for centre, points in self.soap.items()}
        write_arrays(path, arrays)

    @classmethod
    def read(cls, path: str | Path) -> Expansion:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or not whole.
        """

        def basis(arrays: dict[str, np.ndarray]) -> Expansion:
            keys = {name: tuple(map(int, name.split(JOIN))) for name in arrays}
            return cls(
                {key: arrays[name] for name, key in keys.items() if len(key) == 2},
                {key[0]: arrays[name] for name, key in keys.items() if len(key) == 1},
            )

        return read_arrays(path, basis, run="snakemake replay")


def pair_covariance(distances: np.ndarray, points: np.ndarray, model: Model) -> np.ndarray:
    """Return the Gaussian covariance (n, m) of distances (n,) and points (m,), in eV^2, without cutoff."""
    pair = model.kernel.pair
    return pair.scale**2 * np.exp(-((distances[:, None] - points) ** 2) / (2 * pair.length**2))


def soap_covariance(vectors: np.ndarray, points: np.ndarray, model: Model) -> np.ndarray:
    """Return the covariance (n, m) of SOAP vectors (n, d) and points (m, d) of unit length, in eV^2."""
    return model.kernel.soap.scale**2 * (vectors @ points.T) ** model.kernel.soap.zeta


def grid(low: float, kernel: CovarianceOptions, *, per_length: float) -> np.ndarray:
    """Return equidistant distances from ``low`` to the cutoff, at least ``per_length`` in a length of the kernel."""
    pair = kernel.pair
    steps = int(np.ceil((pair.r_cut - low) / (pair.length / per_length)))
    return np.linspace(low, pair.r_cut, 1 + max(1, steps))


def pivots(vectors: np.ndarray, points: int, model: Model) -> np.ndarray:
    """Return up to ``points`` of the vectors (n, d), each with the largest variance given those before.

    Ties go to the first. The search ends early where no vector has more variance left than the jitter.
    """
    scale = model.kernel.soap.scale
    return vectors[
        pivoted(
            vectors,
            points,
            lambda one, all_: soap_covariance(one, all_, model),
            variance=scale**2,
            least=model.jitter,
        )
    ]
