"""The crystal in a file that a prototype names."""

from __future__ import annotations

import warnings
from itertools import islice
from pathlib import Path

from ase import Atoms

from gapdesign.errors import InputError
from gapdesign.inputs.frames import read
from gapdesign.inputs.kinds import is_poscar
from gapdesign.inputs.sanity import mistake
from gapdesign.inputs.unpacked import plain_name, reason, unpacked


def read_crystal(path: str, key: str) -> Atoms:
    """Read the one structure of a file, periodic in all directions.

    Files that ASE does not read are left to pymatgen.

    Raises
    ------
    InputError
        If the file cannot be read, or holds several structures or none that is a crystal.
    """
    if not Path(path).is_file():
        raise InputError(f"{key}: no file '{path}'; paths are relative to where snakemake is called.")
    try:
        frames = list(islice(read(path, key), 2))
    except InputError as first:
        atoms = _by_pymatgen(path, key, first)
    else:
        if len(frames) > 1:
            raise InputError(f"{key}: '{path}' holds several structures; keep the one that is the prototype.")
        atoms = frames[0].atoms
    if atoms.cell.rank < 3 or abs(atoms.cell.volume) < 1e-6:
        named = key.removesuffix(".file")
        raise InputError(f"{named}: the structure has no cell of non-zero volume; give a periodic crystal.")
    if not atoms.pbc.all():
        repeats = " ".join("T" if periodic else "F" for periodic in atoms.pbc)
        raise InputError(
            f"{key}: '{path}' is no crystal, its pbc is {repeats}; set pbc to T T T if it is meant as bulk (with vacuum"
            " in the cell of a slab), or give it to a pool of the sampler `file`."
        )
    if problem := mistake(atoms):
        raise InputError(f"{key}: '{path}' {problem}.")
    return atoms


def _by_pymatgen(path: str, key: str, first: InputError) -> Atoms:
    """Read a file that ASE failed to read, unless it is one that pymatgen would guess elements for."""
    # What the reader understood and refused stays refused.
    if not isinstance(first.__cause__, Exception) or is_poscar(plain_name(path)):
        raise first
    from pymatgen.core import Structure
    from pymatgen.io.ase import AseAtomsAdaptor

    try:
        with unpacked(path, key) as place, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            structure = Structure.from_file(place)
        if not structure.is_ordered:
            raise InputError(
                f"{key}: '{path}' has a site occupied in part, which no single structure has; make an ordered structure"
                " of it, for instance a supercell."
            )
        return AseAtomsAdaptor.get_atoms(structure, msonable=False)
    except InputError:
        raise
    except Exception as second:
        raise InputError(
            f"{key}: neither ASE nor pymatgen reads '{path}' ({reason(first.__cause__)}; {reason(second)}); convert it"
            " to CIF, POSCAR or extended XYZ."
        ) from second
