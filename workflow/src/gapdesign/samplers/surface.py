"""Sampler `surface`: slabs of the prototypes with vacuum between them, cut by pymatgen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps

import numpy as np
from ase import Atoms
from pydantic import Field, model_validator

from gapdesign.cells import repeats
from gapdesign.prototypes import Prototype
from gapdesign.samplers.shared.crystals import CrystalOptions, OneByOneSampler, disturb


class SurfaceOptions(CrystalOptions):
    """Options of the sampler `surface`: slabs, with every face and termination equally likely."""

    max_index: int = Field(2, ge=1, le=4, description="Largest Miller index.")
    thickness: tuple[float, float] = Field((6.0, 12.0), description="Thinnest and thickest slab, in angstrom.")
    vacuum: tuple[float, float] = Field((8.0, 12.0), description="Smallest and largest gap, in angstrom.")

    @model_validator(mode="after")
    def _ordered(self) -> SurfaceOptions:
        for key in ("thickness", "vacuum"):
            low, high = getattr(self, key)
            if not 0 < low <= high:
                raise ValueError(f"`{key}` must be [smallest, largest], both above 0 and the second one not smaller")
        return self


class SurfaceSampler(OneByOneSampler):
    """Slabs of the prototypes; the cuts of a face are cached."""

    name = "surface"
    summary = "a slab of any distinct face and termination"
    Options = SurfaceOptions

    def __init__(self, options: SurfaceOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        self._faces = lru_cache(maxsize=None)(_quiet(self._faces))
        self._cuts = lru_cache(maxsize=256)(_quiet(self._cuts))

    def build(self, generator: np.random.Generator) -> Atoms:
        """Cut one slab between whole layers of the lattice, and so a little thicker than requested."""
        options = self.options
        which = int(generator.integers(len(self.prototypes)))
        faces = self._faces(which)
        face = faces[int(generator.integers(len(faces)))]
        # In steps of an angstrom, so that slabs repeat and need not be cut again.
        thickness = round(generator.uniform(*options.thickness))
        cuts = self._cuts(which, face, max(1, thickness))
        atoms = cuts[int(generator.integers(len(cuts)))].copy()
        atoms.center(vacuum=generator.uniform(*options.vacuum) / 2, axis=2)
        atoms.set_cell(np.round(atoms.cell[:], 9))
        atoms.positions = np.round(atoms.positions, 9)
        info = atoms.info
        atoms = atoms.repeat((*repeats(atoms.cell.lengths()[:2], len(atoms), options.atoms), 1))
        atoms.info = info
        return disturb(atoms, options, generator)

    def _faces(self, which: int) -> list[tuple[int, int, int]]:
        from pymatgen.core.surface import get_symmetrically_distinct_miller_indices

        return sorted(get_symmetrically_distinct_miller_indices(self._conventional(which), self.options.max_index))

    def _cuts(self, which: int, face: tuple[int, int, int], thickness: int) -> list[Atoms]:
        from pymatgen.core.surface import SlabGenerator
        from pymatgen.io.ase import AseAtomsAdaptor

        slabs = SlabGenerator(
            self._conventional(which), face, thickness, 10.0, center_slab=True, primitive=True, lll_reduce=False
        ).get_slabs()
        cuts = []
        for slab in slabs:
            atoms = AseAtomsAdaptor.get_atoms(slab.get_orthogonal_c_slab(), msonable=False)
            # Linear algebra libraries differ in the last bits.
            atoms = Atoms(
                numbers=atoms.numbers, positions=np.round(atoms.positions, 9), cell=np.round(atoms.cell[:], 9), pbc=True
            )
            atoms.info = {"prototype": self.prototypes[which].name}
            cuts.append(atoms)
        return cuts

    def _conventional(self, which: int):
        from pymatgen.io.ase import AseAtomsAdaptor
        from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

        structure = AseAtomsAdaptor.get_structure(self.prototypes[which].atoms)
        return SpacegroupAnalyzer(structure).get_conventional_standard_structure()


def _quiet(call: Callable) -> Callable:
    """Silence the deprecation warnings of pymatgen's own use of spglib."""

    @wraps(call)
    def quiet(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return call(*arguments)

    return quiet
