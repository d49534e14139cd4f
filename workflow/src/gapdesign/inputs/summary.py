"""Summary of the structures that a study is given, for a person to check before any job runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ase import Atoms

from gapdesign.errors import InputError
from gapdesign.inputs.filters import FilterOptions
from gapdesign.inputs.frames import Frame, read, refuse_undescribed
from gapdesign.inputs.survey import is_candidate
from gapdesign.samplers.shared import frames
from gapdesign.structures import nearest_neighbour

if TYPE_CHECKING:
    from gapdesign.config.study import Study

MOST = 10_000
"""Frames that are read of a file; larger files of extended XYZ are counted without being read."""

MOST_FILES = 10
"""Files of a pool that have lines of their own."""

NOTHING = FilterOptions()
"""A filter that lets every frame pass."""


def lines(study: Study) -> Iterator[str]:
    """Yield a line for every prototype and every file of structures, and for some frames of each file.

    Raises
    ------
    InputError
        If a file cannot be used: a frame is no structure, holds an element without a prototype, or too few frames are
        there.
    """
    from gapdesign.prototypes import prototypes

    for prototype in prototypes(study.prototypes):
        yield f"  prototype {prototype.name}: {described(prototype.atoms)}"
    species = set(study.species())
    pools: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for name in study.pools.names:
        pool = study.pools.of(name)
        if pool.structures:
            pools.setdefault((pool.structures, pool.filter.model_dump_json()), []).append(name)
    for (paths, _), names in pools.items():
        keep = study.pools.of(names[0]).filter
        counted = {path: _count(path, frames.KEY, keep) for path in paths}
        pure = [study.pools.of(name).most for name in names if not study.pools.of(name).is_mixture]
        if not any(more for _, more in counted.values()) and pure:
            frames.enough(paths, sum(count for count, _ in counted.values()), max(pure), keep)
        for path in paths[:MOST_FILES]:
            yield from _file(path, f"pool {', '.join(names)}", frames.KEY, species, counted[path], keep)
        if len(paths) > MOST_FILES:
            rest = sum(counted[path][0] for path in paths[MOST_FILES:])
            yield f"  pool {', '.join(names)}: {rest} structures in {len(paths) - MOST_FILES} other files"
    existing: dict[str, list[str]] = {}
    for name, design in study.designs.items():
        if design.existing is not None:
            existing.setdefault(design.existing, []).append(name)
    for path, names in existing.items():
        key = f"designs.{names[0]}.existing"
        yield from _file(path, f"existing of {', '.join(names)}", key, species, _count(path, key, NOTHING), NOTHING)


def described(atoms: Atoms) -> str:
    """Return formula, number of atoms, volume and nearest distance of a structure, and where it does not repeat."""
    repeats = "" if atoms.pbc.all() else f", pbc {' '.join('T' if periodic else 'F' for periodic in atoms.pbc)}"
    atom = "atom" if len(atoms) == 1 else "atoms"
    return (
        f"{atoms.get_chemical_formula()}, {len(atoms)} {atom} in {abs(atoms.cell.volume):.2f} cubic angstrom, nearest"
        f" {nearest_neighbour(atoms):.3f} angstrom apart{repeats}"
    )


def _file(
    path: str, role: str, key: str, species: Collection[int], counted: tuple[int, bool], keep: FilterOptions
) -> Iterator[str]:
    count, more = counted
    isolated = left_out = 0
    sample: dict[int, Frame] = {}
    wanted = {0, count // 2, count - 1}
    place = 0
    for frame in islice(read(path, key), MOST):
        if frame.is_isolated:
            isolated += 1
            continue
        if not is_candidate(frame, keep):
            left_out += 1
            continue
        refuse_undescribed(frame, key, species)
        if place in wanted:
            sample[place] = frame
        place += 1
    atoms = "atom" if isolated == 1 else "atoms"
    besides = [f"{isolated} isolated {atoms} besides"] if isolated else []
    besides += [f"{left_out} left out"] if left_out else []
    yield (
        f"  {role}: {'more than ' if more else ''}{count} structures in '{path}'"
        f"{' (' + ', '.join(besides) + ')' if besides else ''}"
    )
    for frame in sample.values():
        yield f"    frame {frame.number}: {described(frame.atoms)}"


def _count(path: str, key: str, keep: FilterOptions) -> tuple[int, bool]:
    """Return the number of structures in a file, others left out, and whether there are more than counted."""
    if frames.is_extended_xyz(path) and Path(path).stat().st_size:
        return len(frames.index(path, keep)), False
    found = list(islice((is_candidate(frame, keep) for frame in read(path, key)), MOST + 1))
    count = found[:MOST].count(True)
    if not count and keep.is_open:
        raise InputError(f"{key}: '{path}' holds isolated atoms only; name a file of structures.")
    return count, len(found) > MOST
