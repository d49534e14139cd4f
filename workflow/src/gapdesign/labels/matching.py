"""Finding structures among many, by the rule of :func:`gapdesign.labels.identity.order_in`, in logarithmic time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell

from gapdesign.cells import vacuum
from gapdesign.labels.gate import VACUUM
from gapdesign.labels.identity import TOLERANCE, order_in

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

_PHASE = 12 * TOLERANCE
"""Bound of the shift, in angstrom, of an atom in one of two accounts of a structure, for cells that differ as well."""

_FEW = 1000
"""Structures that are compared one by one."""


class Index:
    """Structures that can be found again.

    Parameters
    ----------
    structures
        The structures.
    periodic
        Indices of those that a program treated as periodic in all directions and that therefore stand for slabs, wires
        and clusters in the same cell, too, if vacuum keeps these from their images.
    """

    def __init__(self, structures: Iterable[Atoms], periodic: Iterable[int] = ()) -> None:
        self._structures = list(structures)
        self._periodic = frozenset(periodic)
        members: dict[tuple, list[int]] = {}
        for place, atoms in enumerate(self._structures):
            members.setdefault(_kind(atoms), []).append(place)
        self._groups = {
            kind: _Group(np.array(places), [self._structures[place] for place in places])
            for kind, places in members.items()
        }

    def find(self, atoms: Atoms) -> list[tuple[int, np.ndarray]]:
        """Return all accounts of a structure, in the order of their indices.

        Returns
        -------
        list of (int, (n,) int)
            Index of each, and for each atom of ``atoms`` its index there.
        """
        group = self._groups.get(_kind(atoms))
        found = group.find(atoms) if group else []
        if self._periodic and not atoms.pbc.all() and vacuum(atoms) >= VACUUM:
            alike = Atoms(atoms.numbers, positions=atoms.positions, cell=complete_cell(atoms.cell), pbc=True)
            group = self._groups.get(_kind(alike))
            found += [each for each in (group.find(alike) if group else []) if each[0] in self._periodic]
        return sorted(found, key=lambda each: each[0])


def _kind(atoms: Atoms) -> tuple:
    """Return what is exactly equal in all accounts of a structure."""
    return (np.sort(atoms.numbers).tobytes(), *atoms.pbc.tolist())


@dataclass(frozen=True, eq=False)
class _Group:
    """Structures of one composition and periodicity.

    They are looked for by their cell and by three structure factors, for one reciprocal vector each, which depend
    neither on the order of the atoms nor on their images.
    """

    places: np.ndarray
    structures: Sequence[Atoms]

    def find(self, atoms: Atoms) -> list[tuple[int, np.ndarray]]:
        near = self._tree.query_ball_point(self._scaled(_fingerprints([atoms]))[0], 1.0, p=np.inf)
        found = self._those(atoms, sorted(near))
        if atoms.pbc.all() and (not found or len(self.places) <= _FEW):
            found += self._those(atoms, self._in_other_cells(atoms))
        return found

    def _those(self, atoms: Atoms, members: Iterable[int]) -> list[tuple[int, np.ndarray]]:
        orders = ((int(self.places[k]), order_in(atoms, self.structures[k])) for k in members)
        return [(place, order) for place, order in orders if order is not None]

    def _in_other_cells(self, atoms: Atoms) -> list[int]:
        """Return the members with another cell of the same lattice."""
        cell = atoms.cell.array
        steps = np.rint(self._cells @ np.linalg.inv(cell))
        same = np.abs(steps @ cell - self._cells).max(axis=(1, 2)) <= TOLERANCE
        other = np.abs(self._cells - cell).max(axis=(1, 2)) > TOLERANCE
        return np.flatnonzero(same & other).tolist()

    @cached_property
    def _cells(self) -> np.ndarray:
        return np.array([atoms.cell.array for atoms in self.structures])

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self._scaled(_fingerprints(self.structures)))

    @cached_property
    def _widths(self) -> np.ndarray:
        """Largest differences between two accounts of a structure, in each number of a fingerprint."""
        inverses = np.linalg.inv([complete_cell(atoms.cell) for atoms in self.structures])
        phase = 2 * np.pi * _PHASE * np.linalg.norm(inverses, axis=1).max()
        return np.r_[np.full(9, TOLERANCE), np.full(6, phase)] * (1 + 1e-9) + 1e-12

    def _scaled(self, fingerprints: np.ndarray) -> np.ndarray:
        return fingerprints / self._widths


def _fingerprints(structures: Sequence[Atoms]) -> np.ndarray:
    """Return the cell (9 numbers) and three structure factors (6) of each of n structures, shape (n, 15)."""
    found = np.empty((len(structures), 15))
    for row, atoms in zip(found, structures, strict=True):
        steps = np.linalg.solve(complete_cell(atoms.cell).T, atoms.positions.T)
        factors = np.exp(2j * np.pi * steps) @ (atoms.numbers / atoms.numbers.sum())
        row[:] = np.r_[atoms.cell.array.ravel(), factors.real, factors.imag]
    return found
