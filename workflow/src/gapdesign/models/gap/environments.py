"""Labelled structures as gap_fit treats them: SOAP vectors, pair distances, energies above isolated atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from gapdesign.descriptors.pairs import fade
from gapdesign.descriptors.quip import soap_string
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.descriptors.kernel import CovarianceOptions
    from gapdesign.descriptors.soap import SoapOptions

ROUNDING = 10


@dataclass(frozen=True)
class SoapBlock:
    """The distinct environments around one element in a list of structures.

    Attributes
    ----------
    vectors
        Normalised SOAP vectors, shape (m, d).
    counts
        Number of times each vector occurs in each structure, shape (n, m).
    """

    vectors: np.ndarray
    counts: csr_array


@dataclass(frozen=True)
class PairBlock:
    """The distances between two elements in a list of structures, every pair in both directions.

    Attributes
    ----------
    distances
        In angstrom, shape (p,).
    weights
        QUIP's cutoff function at the distances, shape (p,).
    structures
        Index of the structure that each distance belongs to, shape (p,).
    """

    distances: np.ndarray
    weights: np.ndarray
    structures: np.ndarray


@dataclass(frozen=True)
class GapStructures:
    """The data of n structures that the covariance of total energies depends on.

    Attributes
    ----------
    sizes
        Numbers of atoms, shape (n,).
    soap
        One block per central element (atomic number).
    pairs
        One block per pair of elements (atomic numbers, ascending).
    """

    sizes: np.ndarray
    soap: dict[int, SoapBlock]
    pairs: dict[tuple[int, int], PairBlock]


def boxed(isolated: Sequence[Atoms], *, cutoff: float) -> list[Atoms]:
    """Put each isolated atom into a periodic box large enough that it does not see its images.

    Parameters
    ----------
    isolated
        One frame of a single atom per element, with ``REF_energy`` in ``info``.
    cutoff
        The largest cutoff of the model in angstrom.

    Raises
    ------
    InputError
        If a frame is not a single atom, has no energy, or its element occurs twice.
    """
    from ase import Atoms

    frames = []
    for atom in isolated:
        if len(atom) != 1 or "REF_energy" not in atom.info:
            raise InputError(
                f"isolated atoms: found {atom.get_chemical_formula()} with keys {sorted(atom.info)}; "
                "every frame must be one atom with REF_energy."
            )
        box = Atoms(atom.symbols, positions=[[0.0, 0.0, 0.0]], cell=[4.0 * cutoff] * 3, pbc=True)
        box.info = {"REF_energy": float(atom.info["REF_energy"]), "config_type": "isolated_atom"}
        frames.append(box)
    symbols = [str(box.symbols) for box in frames]
    if len(set(symbols)) < len(symbols):
        raise InputError(f"isolated atoms: {', '.join(symbols)} names an element twice; give one frame per element.")
    return frames


def energies_above_atoms(frames: Sequence[Atoms], isolated: Sequence[Atoms]) -> np.ndarray:
    """Return total energies minus those of the isolated atoms, in eV, shape (n,).

    Raises
    ------
    InputError
        If a structure has no ``REF_energy``, or one of its elements has no isolated atom.
    """
    reference = {int(atom.numbers[0]): float(atom.info["REF_energy"]) for atom in isolated}
    values = []
    for index, atoms in enumerate(frames):
        if "REF_energy" not in atoms.info:
            raise InputError(f"structure {index} ({atoms.get_chemical_formula()}): no REF_energy; label it first.")
        missing = sorted(set(atoms.numbers.tolist()) - set(reference))
        if missing:
            raise InputError(
                f"isolated atoms: none for atomic numbers {missing} of structure {index}; "
                "give one frame for every element."
            )
        values.append(float(atoms.info["REF_energy"]) - sum(reference[z] for z in atoms.numbers.tolist()))
    return np.array(values)


def environments(
    frames: Sequence[Atoms], *, soap: SoapOptions, kernel: CovarianceOptions, transition: float
) -> GapStructures:
    """Compute QUIP's descriptors of a list of structures.

    A part whose scale in ``kernel`` is 0 is left out.

    Parameters
    ----------
    frames
        n structures, of one or several elements.
    soap, kernel
        Sizes and cutoffs of the two descriptors.
    transition
        Width of SOAP's cutoff function in angstrom.
    """
    elements = sorted({int(z) for atoms in frames for z in atoms.numbers})
    sizes = np.array([len(atoms) for atoms in frames])
    soap_blocks = {}
    if kernel.soap.scale > 0:
        for centre in elements:
            soap_blocks[centre] = _soap_block(
                frames, centre, soap_string(soap, centre=centre, elements=elements, transition=transition)
            )
    pair_blocks = _pair_blocks(frames, elements, kernel) if kernel.pair.scale > 0 else {}
    return GapStructures(sizes=sizes, soap=soap_blocks, pairs=pair_blocks)


def _soap_block(frames: Sequence[Atoms], centre: int, string: str) -> SoapBlock:
    """Compute the environments of one element, merging equal ones within a structure."""
    from ase import Atoms
    from quippy.descriptors import Descriptor

    descriptor = Descriptor(string)
    vectors, counts, rows = [], [], []
    for row, atoms in enumerate(frames):
        if centre not in atoms.numbers:
            continue
        # QUIP takes all arrays along, and stops at text and truth values.
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        merged, multiplicity = merge(np.asarray(descriptor.calc(bare)["data"]))
        vectors.append(merged)
        counts.append(multiplicity)
        rows.append(np.full(len(merged), row))
    stacked = np.concatenate(vectors)
    columns = np.arange(len(stacked))
    return SoapBlock(
        vectors=stacked,
        counts=csr_array(
            (np.concatenate(counts).astype(float), (np.concatenate(rows), columns)),
            shape=(len(frames), len(stacked)),
        ),
    )


def merge(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge rows that agree to 10 decimals; return the first of each kind, in order, and its count.

    Symmetry-equivalent atoms differ by 1e-15; rows on either side of a rounding edge stay
    separate, which costs a row and changes nothing.
    """
    _, first, inverse = np.unique(np.round(vectors, ROUNDING) + 0.0, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return vectors[first[order]], np.bincount(inverse.ravel())[order]


def _pair_blocks(
    frames: Sequence[Atoms], elements: Sequence[int], kernel: CovarianceOptions
) -> dict[tuple[int, int], PairBlock]:
    """Gather the distances of every pair of elements."""
    from matscipy.neighbours import neighbour_list

    parts = {pair: ([], []) for pair in combinations_with_replacement(elements, 2)}
    for row, atoms in enumerate(frames):
        first, second, distance = neighbour_list("ijd", atoms, kernel.pair.r_cut)
        low = np.minimum(atoms.numbers[first], atoms.numbers[second])
        high = np.maximum(atoms.numbers[first], atoms.numbers[second])
        for pair, (distances, structures) in parts.items():
            chosen = distance[(low == pair[0]) & (high == pair[1])]
            distances.append(chosen)
            structures.append(np.full(len(chosen), row))
    blocks = {}
    for pair, (distances, structures) in parts.items():
        merged = np.concatenate(distances)
        if len(merged):
            weights = fade(merged, kernel.pair.r_cut, kernel.pair.transition)
            blocks[pair] = PairBlock(distances=merged, weights=weights, structures=np.concatenate(structures))
    return blocks
