"""Prototypes: the crystals that candidates are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from pydantic import Field, model_validator

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.inputs.sanity import mistake


class PrototypeOptions(Options):
    """A crystal that candidates are made from: an element or compound on a lattice, or a file."""

    element: str | None = Field(
        None,
        description="Chemical symbol, or the formula of a compound such as `CuZr`, in the order of its sites.",
    )
    lattice: str | None = Field(
        None,
        description="Lattice as ASE names it: `hcp`, `bcc`, `fcc`, `diamond`, `cesiumchloride`, `rocksalt`, ...",
    )
    a: float | None = Field(None, gt=0, le=1000, description="Lattice constant a, in angstrom.")
    c: float | None = Field(
        None, gt=0, le=1000, description="Lattice constant c, in angstrom, where the lattice has one."
    )
    file: str | None = Field(
        None,
        description="A file of one crystal that ASE or pymatgen reads (CIF, POSCAR, extended XYZ, ...), instead of the"
        " keys above.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> PrototypeOptions:
        named = [key for key in ("element", "lattice", "a", "c") if getattr(self, key) is not None]
        if self.file is not None and named:
            raise ValueError(f"`file` stands alone, without {', '.join(f'`{key}`' for key in named)}")
        if self.file is None and not {"element", "lattice", "a"} <= set(named):
            raise ValueError("give `element`, `lattice` and `a`, or else `file`")
        return self


@dataclass(frozen=True)
class Prototype:
    """A crystal, and which of its atoms stay equivalent under every homogeneous deformation."""

    name: str
    atoms: Atoms
    orbits: np.ndarray


def prototypes(options: Mapping[str, PrototypeOptions]) -> list[Prototype]:
    """Build the prototypes of a study, in the order of the configuration.

    Raises
    ------
    InputError
        If an element, lattice or file cannot be used; the message names the key.
    """
    return [_prototype(name, entry) for name, entry in options.items()]


def _prototype(name: str, options: PrototypeOptions) -> Prototype:
    key = f"prototypes.{name}"
    if options.file is not None:
        from gapdesign.inputs.crystal import read_crystal

        atoms = read_crystal(options.file, f"{key}.file")
    else:
        atoms = _from_lattice(key, options)
        if problem := mistake(atoms):
            raise InputError(f"{key}: the crystal {problem}.")
    # ASE builds with the linear algebra library, whose last bits differ between machines.
    cell, positions = (np.round(lengths, 12) + 0.0 for lengths in (atoms.cell[:], atoms.positions))
    atoms = Atoms(numbers=atoms.numbers, positions=positions, cell=cell, pbc=True)
    return Prototype(name, atoms, deformation_orbits(atoms))


def _from_lattice(key: str, options: PrototypeOptions) -> Atoms:
    from ase.build import bulk
    from ase.symbols import string2symbols

    try:
        symbols = string2symbols(options.element) or [options.element]
    except Exception:
        symbols = [options.element]
    for symbol in symbols:
        if symbol not in atomic_numbers or symbol == "X":
            raise InputError(f"{key}.element: '{symbol}' is not a chemical element; write a symbol such as 'Zr'.")
    try:
        return bulk(options.element, options.lattice, a=options.a, c=options.c)
    except Exception as error:
        raise InputError(
            f"{key}.lattice: ASE cannot build '{options.element}' on the lattice '{options.lattice}' ({error});"
            " use a lattice of ase.build.bulk, or `file`."
        ) from error


def deformation_orbits(atoms: Atoms, tolerance: float = 1e-5) -> np.ndarray:
    """Find the atoms of a crystal whose environments stay equal under every homogeneous deformation.

    A deformation preserves translations and inversions, whatever else it breaks, so two atoms stay equal if
    a translation or an inversion of the crystal maps one onto the other.

    Parameters
    ----------
    atoms : Atoms
        Crystal of n atoms.
    tolerance : float
        Largest distance between an atom and its image, in angstrom.

    Returns
    -------
    (n,) int32
        For each atom, the first atom equal to it.
    """
    scaled = atoms.get_scaled_positions()
    orbits = np.arange(len(atoms), dtype=np.int32)
    same_kind = atoms.numbers[:, None] == atoms.numbers[None, :]
    for sign in (1, -1):
        images = sign * scaled
        for j in np.flatnonzero(atoms.numbers == atoms.numbers[0]):
            shift = scaled[j] - images[0]
            difference = images[:, None] + shift - scaled[None, :]
            difference -= np.rint(difference)
            near = (np.linalg.norm(difference @ atoms.cell[:], axis=2) < tolerance) & same_kind
            if near.any(axis=1).all():
                for first, second in enumerate(near.argmax(axis=1)):
                    low, high = sorted((int(orbits[first]), int(orbits[second])))
                    orbits[orbits == high] = low
    return orbits
