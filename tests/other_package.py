"""A package of somebody else's, with a sampler and a descriptor, as pip would install it."""

from __future__ import annotations

from pathlib import Path

MODULE = '''
"""A sampler and a descriptor."""

import numpy as np
from ase.neighborlist import neighbor_list
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors import EnvironmentDescriptor
from gapdesign.samplers.shared.deform import DeformingSampler


class ShearOptions(Options):
    """Options of the sampler `shear`."""

    max: float = Field(0.1, gt=0, lt=1, description="Largest shear of one plane against the next.")


class Shear(DeformingSampler):
    """Simple shear along one axis."""

    name = "shear"
    summary = "a prototype sheared along one axis"
    Options = ShearOptions
    draws = 1
    seconds = 1e-5

    def deformations(self, uniforms):
        shear = np.zeros((len(uniforms), 3, 3))
        shear[:, 0, 1] = self.options.max * uniforms[:, 0]
        return np.eye(3) + shear


class RadialOptions(Options):
    """Options of the descriptor `radial`."""

    reach: float = Field(5.0, gt=0, description="Radius of an environment, in angstrom.")
    bins: int = Field(6, ge=1, description="Gaussians between 0 and the radius.")


class Radial(EnvironmentDescriptor):
    """Neighbours of each species by their distance."""

    name = "radial"
    summary = "a histogram of distances to neighbours"
    Options = RadialOptions

    @classmethod
    def dimension(cls, options, n_species):
        return n_species * options.bins

    def __call__(self, batch, k, centers):
        atoms, options = batch.atoms(k), self.options
        i, j, distance = neighbor_list("ijd", atoms, options.reach)
        places = np.linspace(0, options.reach, options.bins)
        weights = np.exp(-(((distance[:, None] - places) / places[1]) ** 2)) * (1 - distance[:, None] / options.reach)
        found = np.zeros((len(atoms), len(self.species), options.bins))
        np.add.at(found, (i, np.searchsorted(self.species, atoms.numbers[j])), weights)
        return found.reshape(len(atoms), -1)[centers]
'''

ENTRIES = {"gapdesign.samplers": {"shear": "Shear"}, "gapdesign.descriptors": {"radial": "Radial"}}


def install(folder: Path, entries: dict[str, dict[str, str]] = ENTRIES) -> Path:
    """Write the package into a folder, which is then to be on the path of Python."""
    metadata = folder / "their_package-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "their_module.py").write_text(MODULE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    lines = []
    for group, names in entries.items():
        lines += [f"[{group}]", *(f"{name} = their_module:{member}" for name, member in names.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder
