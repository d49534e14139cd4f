"""Functions of environments that energies are sums of, of unit variance before any label.

A structure's energy is a sum over its atoms of f(v), where v is the vector of an environment, of unit length. Before
any label f is a Gaussian process with the covariance (v . v')^zeta. It is expanded in its covariances with points p,
environments of the pools: f(v) = k(v) . R^-1 w, with k_m(v) = (v . p_m)^zeta, R'R the covariance of the points, and
weights w, independent and of unit variance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from gapdesign.descriptors import KernelFunctions
from gapdesign.descriptors.pivots import pivots
from gapdesign.descriptors.similarity import power
from gapdesign.errors import InputError
from gapdesign.files import read_arrays, write_arrays
from gapdesign.voigt import OFFSET

if TYPE_CHECKING:
    from gapdesign.descriptors import Descriptor
    from gapdesign.structures import Batch

LEAST = 1e-8
"""Variance, of 1, that is left of an environment which the points before it span; also added to the diagonal of R'R."""


@dataclass(frozen=True)
class RowFunctions:
    """Functions of environments, a set for each element of the central atom.

    Attributes
    ----------
    points : dict of int to (m, d)
        Vectors of unit length, by atomic number.
    zeta : int
    """

    points: Mapping[int, np.ndarray]
    zeta: int

    def __len__(self) -> int:
        return sum(map(len, self.points.values()))

    @classmethod
    def chosen(
        cls, environments: Iterable[tuple[np.ndarray, np.ndarray]], species: Sequence[int], zeta: int, count: int
    ) -> RowFunctions:
        """Choose points among the environments of a sample.

        Parameters
        ----------
        environments
            Of each structure its vectors (n, d) and the atomic numbers (n,) of their central atoms.
        species
            Atomic numbers of the study; one without an environment in the sample has no functions.
        zeta : int
        count : int
            Largest number of functions, shared evenly among the elements.
        """
        parts = list(environments)
        vectors = np.concatenate([part[0] for part in parts]).astype(float)
        vectors /= np.sqrt(np.add.reduce(vectors * vectors, axis=1))[:, None]
        numbers = np.concatenate([part[1] for part in parts])
        shares = {z: len(part) for z, part in zip(species, np.array_split(np.arange(count), len(species)), strict=True)}
        points = {}
        for z in species:
            own = np.unique(vectors[numbers == z], axis=0)
            if len(own) and shares[z]:
                found = pivots(own, shares[z], lambda a, b: power(a @ b.T, zeta), variance=1.0, least=LEAST)
                points[int(z)] = own[found]
        return cls(points, zeta)

    def rows(self, descriptor: Descriptor, batch: Batch, k: int) -> np.ndarray:
        """Return the rows of a structure of n atoms.

        Returns
        -------
        (7 + 3 n, m) float32
            Of its energy; of the components xx, yy, zz, yz, xz and xy of its virial (minus the stress times the
            volume); and of x, y and z of each force. Weights of unit variance in eV give eV and eV/angstrom.

        Raises
        ------
        InputError
            If it has an element without functions.
        """
        self._refuse_unknown(batch, k)
        sums = descriptor.sums(batch, k, KernelFunctions(self.points, self.zeta))
        count = OFFSET + 3 * int(batch.offsets[k + 1] - batch.offsets[k])
        found = np.zeros((count, len(self)), np.float32)
        for z, columns in self._columns():
            if z in sums:
                found[:, columns] = solve_triangular(self._roots[z], sums[z].T, trans="T").T
        found[1:] *= -1
        return found

    def _refuse_unknown(self, batch: Batch, k: int) -> None:
        there = set(batch.numbers[batch.offsets[k] : batch.offsets[k + 1]].tolist())
        if missing := there - set(self.points):
            from ase.data import chemical_symbols

            raise InputError(
                f"rows.sample: no environment of {chemical_symbols[min(missing)]} is among those sampled; raise it."
            )

    def values(self, vectors: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the functions (n, m) of environments (n, d), of unit length, around atoms of some elements (n,)."""
        found = np.zeros((len(vectors), len(self)))
        for z, columns in self._columns():
            mine = numbers == z
            products = power(vectors[mine].astype(float) @ self.points[z].T, self.zeta)
            found[mine, columns] = solve_triangular(self._roots[z], products.T, trans="T").T
        return found

    def _columns(self) -> Iterable[tuple[int, slice]]:
        start = 0
        for z, points in self.points.items():
            yield z, slice(start, start + len(points))
            start += len(points)

    @cached_property
    def _roots(self) -> dict[int, np.ndarray]:
        """Upper triangular R (m, m) of each element, where R'R is the covariance of its points."""
        return {
            z: cholesky(power(points @ points.T, self.zeta) + LEAST * np.eye(len(points)))
            for z, points in self.points.items()
        }

    def write(self, path: str | Path) -> None:
        """Write the points; equal ones give equal bytes."""
        points = {f"points_{z}": own for z, own in self.points.items()}
        write_arrays(path, points | {"zeta": np.array(self.zeta)})

    @classmethod
    def read(cls, path: str | Path) -> RowFunctions:
        """Read what :meth:`write` wrote.

        Raises
        ------
        InputError
            If the file is missing or damaged.
        """

        def functions(arrays: dict[str, np.ndarray]) -> RowFunctions:
            zeta = int(arrays.pop("zeta"))
            return cls({int(name.removeprefix("points_")): own for name, own in arrays.items()}, zeta)

        return read_arrays(path, functions, run="gapdesign row-functions")
