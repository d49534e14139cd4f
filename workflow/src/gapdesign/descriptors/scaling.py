"""Components of environments on a common scale, where those of a descriptor differ by orders of magnitude."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from gapdesign.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from gapdesign.structures import Batch

Components = Literal["raw", "standardised", "whitened"]

SAMPLE = 2000
"""Structures whose environments set the scale."""

_NEGLIGIBLE = 1e-8
"""Variance of a component or direction, in units of the largest, that is rounding and counts as none."""


@dataclass(frozen=True)
class Scaling:
    """Means and scales of the components of environments, for each element of the central atom.

    A vector x becomes (z / sqrt(d), 1), with z = (x - mean) / deviation in each component or, whitened, in each
    principal direction. The last component keeps the size of z in the direction of the vector, which alone counts in
    similarities: the mean environment is no special case, and opposite deviations of usual size are orthogonal.

    Attributes
    ----------
    means : dict of int to (d,)
    matrices : dict of int to (d,) or (d, d)
        Inverse deviations of components, or principal directions as columns over their deviations; by atomic number.
    """

    means: Mapping[int, np.ndarray]
    matrices: Mapping[int, np.ndarray]

    def __call__(self, vectors: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return scaled vectors (n, d + 1) of environments (n, d) around atoms of atomic numbers (n,)."""
        scaled = np.ones((len(vectors), vectors.shape[1] + 1))
        for z in np.unique(numbers):
            mine = numbers == z
            centred, matrix = vectors[mine] - self.means[int(z)], self.matrices[int(z)]
            if matrix.ndim == 1:
                scaled[mine, :-1] = centred * matrix
            else:  # a row at a time, so that no bit depends on the others
                scaled[mine, :-1] = [np.add.reduce(row[:, None] * matrix, axis=0) for row in centred]
        scaled[:, :-1] /= np.sqrt(vectors.shape[1])
        return scaled

    def write(self, path: str | Path) -> None:
        """Write means and scales."""
        means = {f"mean_{z}": mean for z, mean in self.means.items()}
        write_arrays(path, means | {f"matrix_{z}": matrix for z, matrix in self.matrices.items()})

    @classmethod
    def read(cls, path: str | Path) -> Scaling:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or damaged.
        """

        def parts(arrays: Mapping[str, np.ndarray], kind: str) -> dict[int, np.ndarray]:
            return {int(name.partition("_")[2]): array for name, array in arrays.items() if name.startswith(kind)}

        return read_arrays(
            path, lambda arrays: cls(parts(arrays, "mean_"), parts(arrays, "matrix_")), run="gapdesign scaling"
        )


def scaling_of(
    environments: Iterable[tuple[np.ndarray, np.ndarray]], species: Iterable[int], components: Components
) -> Scaling:
    """Find the scales of the environments of a sample.

    Parameters
    ----------
    environments
        Of each structure its vectors (n, d) and the atomic numbers (n,) of their central atoms.
    species
        Atomic numbers of the study. One without an environment in the sample has the scales of all others.
    components
        `standardised` or `whitened`.
    """
    parts = [(np.asarray(vectors, dtype=float), np.asarray(numbers)) for vectors, numbers in environments]
    vectors, numbers = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    means, matrices = {}, {}
    for z in species:
        own = vectors[numbers == z] if (numbers == z).any() else vectors
        means[z] = own.mean(axis=0)
        centred = own - means[z]
        if components == "standardised":
            matrices[z] = _inverse(centred.var(axis=0))
        else:
            variances, directions = np.linalg.eigh(centred.T @ centred / len(own))
            matrices[z] = directions * _inverse(variances)
    return Scaling(means, matrices)


def evenly(batches: Iterable[Batch], size: int, count: int = SAMPLE) -> Iterable[tuple[Batch, int]]:
    """Yield up to about ``count`` of ``size`` structures in batches, evenly spaced, as batch and place."""
    step, number = max(1, -(-size // count)), 0
    for batch in batches:
        for k in range(len(batch)):
            if number % step == 0:
                yield batch, k
            number += 1


def _inverse(variances: np.ndarray) -> np.ndarray:
    """Return inverse deviations; 0 of what does not vary."""
    counts = variances > _NEGLIGIBLE * variances.max(initial=0.0)
    return np.where(counts, 1 / np.sqrt(np.where(counts, variances, 1.0)), 0.0)
