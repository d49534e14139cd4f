"""Supercells, strain, displacements and packing, for samplers that build one structure at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from pydantic import Field

from gapdesign import cells
from gapdesign.config.options import Options
from gapdesign.prototypes import Prototype
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared.deform import product, stretches
from gapdesign.samplers.shared.draw import Draw
from gapdesign.structures import Batch, pack


class CrystalOptions(Options):
    """Size, strain and displacements of a supercell of a prototype."""

    atoms: int = Field(
        1,
        ge=1,
        description="Smallest number of atoms; the prototype is repeated to a cell as close to a cube as possible.",
    )
    strain: float = Field(
        0.05, ge=0, lt=1, description="Bound s of uniform principal stretches in [1 - s, 1 + s]; 0 for none."
    )
    amplitude: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Largest standard deviation of the Gaussian displacements along each axis, as a fraction of the"
        " atom's covalent radius; each structure draws its own from [0, amplitude].",
    )


class OneByOneSampler(Sampler):
    """Sampler that builds each structure separately, from its own generator of random numbers."""

    @abstractmethod
    def build(self, generator: np.random.Generator) -> Atoms:
        """Build one structure, whose ``info`` may name its ``prototype``."""

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        return pack([self.build(generator) for generator in draw.generators()], names=self.names)


def pick(prototypes: Sequence[Prototype], generator: np.random.Generator) -> Prototype:
    """Return one of the prototypes, all equally likely."""
    return prototypes[int(generator.integers(len(prototypes)))]


def supercell(prototype: Prototype, atoms: int) -> Atoms:
    """Repeat the prototype to ``atoms`` atoms or more, as close to a cube as possible; its name is in ``info``."""
    crystal = cells.supercell(prototype.atoms, atoms)
    crystal.info = {"prototype": prototype.name}
    return crystal


def disturb(atoms: Atoms, options: CrystalOptions, generator: np.random.Generator) -> Atoms:
    """Strain a structure and displace its atoms, both at random, in place."""
    strain(atoms, options.strain, generator)
    width = options.amplitude * generator.random() * covalent_radii[atoms.numbers]
    atoms.positions += width[:, None] * generator.standard_normal((len(atoms), 3))
    return atoms


def strain(atoms: Atoms, largest: float, generator: np.random.Generator) -> None:
    """Deform a structure in place by random principal stretches in [1 - largest, 1 + largest]."""
    gradient = stretches(generator.random((1, 6)), largest)[0].T if largest else np.eye(3)
    atoms.set_cell(product(atoms.cell[:], gradient))
    atoms.positions = product(atoms.positions, gradient)


def places(cell: np.ndarray, radii: np.ndarray, generator: np.random.Generator, *, trials: int = 500) -> np.ndarray:
    """Draw random places in a periodic cell, one by one, where spheres do not overlap if that is possible.

    A sphere that finds no free place in ``trials`` tries takes the freest of them; the constraints decide about the
    result.

    Parameters
    ----------
    cell : (3, 3)
        Cell vectors as rows, in angstrom.
    radii : (n,)
        Radii of the spheres, in angstrom.

    Returns
    -------
    (n, 3)
    """
    taken = np.zeros((0, 3))
    images = _images(cell, 2 * radii.max())
    for number, radius in enumerate(radii):
        best, freest = None, -np.inf
        for _ in range(0, trials, 20):
            points = product(generator.random((20, 3)), cell)
            free = _clearance(points, taken, radii[:number] + radius, images)
            place = int(np.argmax(free > 0)) if (free > 0).any() else int(np.argmax(free))
            if free[place] > freest:
                best, freest = points[place], free[place]
            if freest > 0:
                break
        taken = np.vstack([taken, best])
    return taken


def emptiest(atoms: Atoms, generator: np.random.Generator, *, trials: int = 50) -> np.ndarray:
    """Return the place (3,) farthest from all atoms, by their covalent radii, of some random ones in the cell."""
    points = product(generator.random((trials, 3)), atoms.cell[:])
    images = _images(atoms.cell[:], 1e-6)
    return points[np.argmax(_clearance(points, atoms.positions, covalent_radii[atoms.numbers], images))]


def _images(cell: np.ndarray, reach: float) -> np.ndarray:
    """Return the translations (k, 3) of the cells whose atoms can be within ``reach`` of those of one cell."""
    counts = np.ceil(reach / cells.volumes_and_heights(cell[None])[1][0]).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in counts), indexing="ij"), axis=-1).reshape(-1, 3)
    return product(grid.astype(float), cell)


def _clearance(points: np.ndarray, taken: np.ndarray, contact: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the gap (n,) between each point and the nearest sphere: distance minus ``contact`` (m,)."""
    if not len(taken):
        return np.ones(len(points))
    apart = (points[:, None] - taken[None])[:, :, None] + images[None, None]
    return (np.sqrt((apart * apart).sum(axis=3)).min(axis=2) - contact).min(axis=1)
