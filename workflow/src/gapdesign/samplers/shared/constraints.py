"""Conditions that the candidates of every sampler must satisfy, checked for whole batches at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase.data import atomic_masses, covalent_radii
from pydantic import Field, model_validator

from gapdesign.cells import faces, lengths, volumes_and_heights
from gapdesign.config.options import Options
from gapdesign.inputs.batches import ordinary
from gapdesign.structures import REASONS, Batch, read_batch

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

SMALL, IMAGES = 8, 125
"""Largest numbers of atoms and images in reach for comparison in bulk; larger structures use neighbour lists."""

_BLOCK = 4096
_GRAMS = 1.66053906892  # an atomic mass unit per cubic angstrom, in g/cm3


class ConstraintOptions(Options):
    """Conditions on candidates; one that breaks a condition is drawn again, and counted by its first reason."""

    min_distance: float = Field(
        0.6,
        ge=0,
        lt=2,
        description="Smallest distance between two atoms, as a fraction of the sum of their covalent radii.",
    )
    max_strain: float | None = Field(
        None,
        gt=0,
        description="Largest principal strain |lambda - 1| of a deformed prototype; by default only the sampler's own.",
    )
    density: tuple[float, float] | None = Field(
        None, description="Lowest and highest mass density, in g/cm3; by default any."
    )
    max_aspect: float | None = Field(
        None,
        ge=1,
        description="Largest ratio of the longest cell vector to the smallest distance between opposite faces;"
        " by default any.",
    )
    redraws: int = Field(100, ge=1, description="Draws per candidate before the sampler gives up.")

    @model_validator(mode="after")
    def _ordered(self) -> ConstraintOptions:
        if self.density is not None and not 0 <= self.density[0] < self.density[1]:
            raise ValueError("`density` must be [lowest, highest], both of them 0 or more and the second one larger")
        return self


KEYS = dict(zip(REASONS, ("min_distance", "max_strain", "density", "max_aspect"), strict=True))
"""The key of the configuration that each reason comes from."""


def refusals(batch: Batch, options: ConstraintOptions) -> np.ndarray:
    """Return the first reason why each structure is refused.

    Returns
    -------
    (n,) int8
        Index in ``REASONS``; -1 for structures that are accepted.
    """
    volumes, heights = volumes_and_heights(batch.cells)
    first = np.full(len(batch), -1, dtype=np.int8)
    tests = {
        "distance": lambda: too_close(batch, options.min_distance),
        "strain": lambda: _strained(batch.deformations, options.max_strain),
        "density": lambda: _off_density(batch, volumes, options.density),
        "shape": lambda: lengths(batch.cells).max(axis=1) > (options.max_aspect or np.inf) * heights.min(axis=1),
    }
    for place, reason in enumerate(REASONS):
        if getattr(options, KEYS[reason]):
            first[(first < 0) & tests[reason]()] = place
    return first


def count(shards: Sequence[str | Path]) -> pd.DataFrame:
    """Count draws and refusals, one row per pool.

    Parameters
    ----------
    shards : sequence of path
        Shards of candidates, in folders named after their pools.

    Returns
    -------
    DataFrame
        ``pool``, ``candidates``, ``draws``, and the refused draws by reason.
    """
    import pandas as pd

    counts: dict[str, np.ndarray] = {}
    for path in map(Path, shards):
        refused = read_batch(path).refusals
        counts[path.parent.name] = counts.get(path.parent.name, 0) + np.append(len(refused), refused.sum(axis=0))
    rows = [{"pool": pool, "candidates": n[0], "draws": n.sum(), **dict(zip(REASONS, n[1:], strict=True))}
            for pool, n in counts.items()]  # fmt: skip
    return pd.DataFrame(rows)


def _strained(deformations: np.ndarray, largest: float) -> np.ndarray:
    known = np.isfinite(deformations).all(axis=(1, 2))
    stretches = np.linalg.svd(deformations[known], compute_uv=False)
    strained = np.zeros(len(deformations), dtype=bool)
    strained[known] = np.abs(stretches - 1).max(axis=1) > largest
    return strained


def _off_density(batch: Batch, volumes: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    mass = np.add.reduceat(atomic_masses[batch.numbers], batch.offsets[:-1])
    density = _GRAMS * mass / volumes
    return (density < bounds[0]) | (density > bounds[1])


def too_close(batch: Batch, fraction: float) -> np.ndarray:
    """Return whether two atoms, or images, are nearer than ``fraction`` of the sum of their covalent radii.

    Radii are those of Cordero et al. 2008, as tabulated by ASE.

    Parameters
    ----------
    batch : Batch
        n structures, whose cells have a volume.
    fraction : float

    Returns
    -------
    (n,) bool
    """
    batch = ordinary(batch)
    sizes = np.diff(batch.offsets)
    radii = fraction * covalent_radii[batch.numbers]
    volumes, heights = volumes_and_heights(batch.cells)
    close = batch.pbc.all(axis=1) & (volumes < least_volumes(batch, fraction) * (1 - 1e-9))
    # Atoms at most half a cell apart meet within this many cells.
    largest = np.maximum.reduceat(radii, batch.offsets[:-1])
    reach = np.where(batch.pbc, np.floor(2 * largest[:, None] / heights + 0.5), 0)
    alone = (sizes > SMALL) | (np.prod(2 * reach + 1, axis=1) > IMAGES)
    for k in np.flatnonzero(alone & ~close):
        pair = closest_pair(batch.atoms(k), fraction)
        close[k] = pair is not None and pair.share < fraction
    for size in np.unique(sizes[~alone]):
        rows = np.flatnonzero((sizes == size) & ~alone & ~close)
        for block in np.split(rows, range(_BLOCK, len(rows), _BLOCK)):
            atoms = batch.offsets[block][:, None] + np.arange(size)
            close[block] = _images_close(
                batch.cells[block], batch.pbc[block], batch.positions[atoms], radii[atoms], reach[block].astype(int)
            )
    return close


def least_volumes(batch: Batch, fraction: float) -> np.ndarray:
    """Return volumes (n,), in cubic angstrom, below which a periodic cell cannot hold its atoms in any arrangement.

    Spheres of one size fill at most pi/sqrt(18) of space (Kepler), so the images of smaller cells, of which there may
    be very many, need no check.
    """
    smallest = np.minimum.reduceat(covalent_radii[batch.numbers], batch.offsets[:-1])
    return np.diff(batch.offsets) * (2 * fraction * smallest) ** 3 / np.sqrt(2)


class Pair(NamedTuple):
    """Two atoms of a structure, or an atom and an image: their distance, in angstrom and of the sum of their radii."""

    first: int
    second: int
    distance: float
    share: float


def closest_pair(atoms: Atoms, fraction: float) -> Pair | None:
    """Return the pair closest for its covalent radii; None if no two atoms come near ``fraction`` of their sum."""
    from matscipy.neighbours import neighbour_list

    radii = covalent_radii[atoms.numbers]
    # The search divides space into boxes as wide as its reach, and a tiny reach would fill the memory.
    i, j, distance = neighbour_list("ijd", atoms, max(2 * fraction * radii.max() + 1e-9, 1.0))
    if not len(distance):
        return None
    share = distance / (radii[i] + radii[j])
    closest = share.argmin()
    return Pair(int(i[closest]), int(j[closest]), float(distance[closest]), float(share[closest]))


def _images_close(
    cells: np.ndarray, pbc: np.ndarray, positions: np.ndarray, radii: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """Return whether spheres overlap in n structures of m atoms each.

    Parameters
    ----------
    cells : (n, 3, 3)
    pbc : (n, 3) bool
    positions : (n, m, 3)
    radii : (n, m)
    reach : (n, 3) int
        Cells to check in each direction, on both sides.
    """
    signed = (cells[:, 0] * faces(cells)[:, 0]).sum(axis=1)
    first, second = np.triu_indices(positions.shape[1], 1)
    apart = positions[:, second] - positions[:, first]
    scaled = (apart[:, :, None, :] * (faces(cells) / signed[:, None, None])[:, None]).sum(axis=3)
    apart = apart - (np.rint(scaled * pbc[:, None])[..., None] * cells[:, None]).sum(axis=2)
    close = np.zeros(len(cells), dtype=bool)
    kinds, kind_of = np.unique(reach, axis=0, return_inverse=True)
    for number, (na, nb, nc) in enumerate(kinds):
        mine = np.flatnonzero(kind_of.ravel() == number)
        grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in (na, nb, nc)), indexing="ij"), axis=-1)
        images = grid.reshape(-1, 3)
        moves = (images[None, :, :, None] * cells[mine][:, None]).sum(axis=2)
        half = moves[:, len(images) // 2 + 1 :]  # the rest are their opposites
        if half.shape[1]:
            close[mine] = lengths(half).min(axis=1) < 2 * radii[mine].max(axis=1)
        if len(first):
            distance = lengths(apart[mine][:, :, None] + moves[:, None]).min(axis=2)
            close[mine] |= (distance < radii[mine][:, first] + radii[mine][:, second]).any(axis=1)
    return close
