"""Structures, packed into batches, and what can be said of each from its positions and its deformation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from ase import Atoms

from gapdesign.inputs.sanity import reduced

REASONS = ("distance", "strain", "density", "shape")
"""Reasons for refusing a draw of a candidate, in the order in which they are checked."""


@dataclass(frozen=True)
class Batch:
    """Structures packed into flat arrays, so that a million structures are a few arrays instead of a million objects.

    Attributes
    ----------
    candidates : (n,) int64
        Index of each structure in its pool.
    refusals : (n, 4) int32
        Draws that were refused before this one, for each of ``REASONS``.
    prototypes : (n,) int32
        Position of each structure's prototype in ``names``; -1 if it was made from none.
    deformations : (n, 3, 3)
        Deformation gradient F from the prototype; NaN if a structure is not a deformed prototype.
    cells : (n, 3, 3)
        Cell vectors as rows, in angstrom.
    pbc : (n, 3) bool
    offsets : (n + 1,) int64
        Atoms of structure i are ``offsets[i]:offsets[i + 1]`` of the next three.
    numbers : (m,) int32
        Atomic numbers.
    positions : (m, 3)
        Cartesian positions, in angstrom.
    orbits : (m,) int32
        For each atom, the first atom of its structure that has the same environment by symmetry.
    names : tuple of str
        Names of the prototypes.
    notes : (n,) bytes
        What each structure's frame in a file carried (see :mod:`gapdesign.inputs.carried`); empty if it is from none.
    """

    candidates: np.ndarray
    refusals: np.ndarray
    prototypes: np.ndarray
    deformations: np.ndarray
    cells: np.ndarray
    pbc: np.ndarray
    offsets: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    orbits: np.ndarray
    names: tuple[str, ...]
    notes: np.ndarray = field(default_factory=lambda: np.zeros(0, "S1"))

    def __post_init__(self) -> None:
        # As narrow as the longest, so that equal batches have equal bytes however they were put together.
        width = max(1, int(np.strings.str_len(self.notes).max(initial=0)))
        notes = self.notes if len(self.notes) else np.zeros(len(self), "S1")
        object.__setattr__(self, "notes", notes.astype(f"S{width}"))

    def __len__(self) -> int:
        return len(self.candidates)

    @property
    def attempts(self) -> np.ndarray:
        """Number of draws (n,) refused before each accepted one."""
        return self.refusals.sum(axis=1)

    def atoms(self, k: int) -> Atoms:
        """Return structure ``k``, with ``candidate``, ``prototype`` and ``deformation`` in its ``info``."""
        span = slice(self.offsets[k], self.offsets[k + 1])
        atoms = Atoms(numbers=self.numbers[span], positions=self.positions[span], cell=self.cells[k], pbc=self.pbc[k])
        atoms.info["candidate"] = int(self.candidates[k])
        if self.prototypes[k] >= 0:
            atoms.info["prototype"] = self.names[self.prototypes[k]]
        if np.isfinite(self.deformations[k]).all():
            atoms.info["deformation"] = self.deformations[k].ravel()
        return atoms

    def annotated(self, k: int) -> Atoms:
        """Return structure ``k`` with, besides, what its frame in the user's file carried."""
        from gapdesign.inputs.carried import annotate

        atoms = self.atoms(k)
        if self.notes[k]:
            annotate(atoms, bytes(self.notes[k]))
        return atoms

    def groups(self) -> list[str]:
        """Return the group of each structure: the `config_type` of its frame, its prototype, or nothing."""
        from gapdesign.inputs.carried import config_type

        of = [self.names[k] if k >= 0 else "" for k in self.prototypes.tolist()]
        return [config_type(bytes(note)) or name if note else name for note, name in zip(self.notes, of, strict=True)]

    def take(self, rows: Iterable[int]) -> Batch:
        """Return the structures at ``rows``, in that order."""
        rows = np.asarray(rows if isinstance(rows, np.ndarray) else list(rows), dtype=np.int64)
        sizes = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        picked = np.repeat(self.offsets[rows] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return Batch(
            **{name: getattr(self, name)[rows] for name in _PER_STRUCTURE},
            **{name: getattr(self, name)[picked] for name in _PER_ATOM},
            offsets=offsets,
            names=self.names,
        )


_PER_STRUCTURE = ("candidates", "refusals", "prototypes", "deformations", "cells", "pbc", "notes")
_PER_ATOM = ("numbers", "positions", "orbits")


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Join batches, which must share their prototypes, into one, keeping the order."""
    sizes = np.concatenate([np.diff(batch.offsets) for batch in batches])
    return Batch(
        **{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in (*_PER_STRUCTURE, *_PER_ATOM)},
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        names=batches[0].names,
    )


def pack(
    structures: Sequence[Atoms],
    *,
    orbits: Sequence[np.ndarray] | None = None,
    names: Sequence[str] | None = None,
    notes: Sequence[bytes] = (),
) -> Batch:
    """Pack any structures; by default every atom is its own orbit, and ``names`` are the prototypes found."""
    sizes = [len(atoms) for atoms in structures]
    of = [str(atoms.info.get("prototype", "")) for atoms in structures]
    names = tuple(dict.fromkeys(filter(None, of)) if names is None else names)
    nothing = np.full((3, 3), np.nan)
    orbits = orbits if orbits is not None else [np.arange(size) for size in sizes]
    return Batch(
        candidates=np.array([atoms.info.get("candidate", k) for k, atoms in enumerate(structures)], dtype=np.int64),
        refusals=np.zeros((len(structures), len(REASONS)), dtype=np.int32),
        prototypes=np.array([names.index(name) if name else -1 for name in of], dtype=np.int32),
        deformations=np.array(
            [np.reshape(atoms.info.get("deformation", nothing), (3, 3)) for atoms in structures], dtype=float
        ).reshape(-1, 3, 3),
        cells=np.array([atoms.cell[:] for atoms in structures], dtype=float).reshape(-1, 3, 3),
        pbc=np.array([atoms.pbc for atoms in structures], dtype=bool).reshape(-1, 3),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        numbers=np.concatenate([[], *(atoms.numbers for atoms in structures)]).astype(np.int32),
        positions=np.concatenate([np.zeros((0, 3)), *(atoms.positions for atoms in structures)]),
        orbits=np.concatenate([[], *orbits]).astype(np.int32),
        names=names,
        notes=np.array(notes, dtype=np.bytes_) if notes else np.zeros(0, "S1"),
    )


def write_batch(path: str | Path, batch: Batch) -> None:
    """Write a batch atomically; equal batches give equal bytes."""
    from gapdesign.files import write_arrays

    arrays = {entry.name: getattr(batch, entry.name) for entry in fields(batch)}
    if not batch.notes.any():
        del arrays["notes"]
    write_arrays(path, arrays | {"names": np.array(batch.names, dtype=str)})


def read_batch(path: str | Path) -> Batch:
    """Read a batch.

    Raises
    ------
    InputError
        If the file is missing, cut off or damaged.
    """
    from gapdesign.files import read_arrays

    def batch(arrays: dict[str, np.ndarray]) -> Batch:
        return Batch(**arrays | {"names": tuple(str(name) for name in arrays["names"])})

    return read_arrays(path, batch, run="snakemake candidates")


def read_structures(
    paths: Sequence[str | Path], tell: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Atoms]:
    """Yield the structures of several batch files in turn, calling ``tell`` after every file."""
    for done, path in enumerate(paths, 1):
        batch = read_batch(path)
        yield from map(batch.atoms, range(len(batch)))
        tell(done, len(paths))


def nearest_neighbour(atoms: Atoms) -> float:
    """Return the smallest distance between two atoms of a periodic structure, images included, in angstrom."""
    from matscipy.neighbours import neighbour_list

    atoms = atoms.copy()
    atoms.set_cell(reduced(atoms.cell.array, atoms.pbc)[0])
    cutoff = 1.1 * (atoms.cell.volume / len(atoms)) ** (1 / 3)
    while True:
        distances = neighbour_list("d", atoms, cutoff)
        if len(distances):
            return float(distances.min())
        cutoff *= 1.5


def strain_magnitudes(frames: Iterable[Atoms]) -> np.ndarray:
    """Return the l2 (Frobenius) norm of F - I of every structure with a known deformation F (BR figure 4b).

    Parameters
    ----------
    frames
        Structures, with ``info["deformation"]`` (nine numbers, or 3 x 3) where their sampler deformed them.

    Returns
    -------
    (m,) float64
        Norms, dimensionless; structures without a deformation are left out.
    """
    # Extended XYZ returns nine numbers as a transposed 3 x 3 matrix, which has the same norm.
    tensors = [atoms.info["deformation"] for atoms in frames if "deformation" in atoms.info]
    return np.array([np.linalg.norm(np.reshape(tensor, (3, 3)) - np.eye(3)) for tensor in tensors])
