"""Points of the basis that all potentials of a replay share, chosen from the structures alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.models.gap.expansion import Expansion, Model, grid, pivots

if TYPE_CHECKING:
    from ase import Atoms


def choose(
    structures: Callable[[], Iterable[Atoms]],
    elements: list[int],
    model: Model,
    *,
    points: int,
    sample: int,
    per_length: float,
    rng: np.random.Generator,
) -> Expansion:
    """Choose the points from structures alone.

    Distances lie on a uniform grid from the smallest that occurs to the cutoff. SOAP vectors are the pivots of a
    partial Cholesky factorisation: each has the largest variance, given those before it.

    The structures are read twice: to count environments, and to describe those that are drawn. Only these are held in
    memory, and eight bytes for each environment during the draw.

    Parameters
    ----------
    structures
        Returns all structures, in the same order each time it is called.
    elements
        Atomic numbers in the study, increasing.
    points
        Number of SOAP vectors per element.
    sample
        Number of environments per element that they are chosen from.
    per_length
        Number of distances on the grid per length of the kernel.
    rng
        Draws the sample.
    """
    kernel = model.kernel
    counts = dict.fromkeys(elements if kernel.soap.scale > 0 else [], 0)
    least: dict[tuple[int, int], float] = {}
    for atoms in structures():
        for z in counts:
            counts[z] += int((atoms.numbers == z).sum())
        if kernel.pair.scale > 0:
            _shorter(least, atoms, kernel.pair.r_cut)
    pairs = {
        pair: grid(least[pair], kernel, per_length=per_length)
        for pair in combinations_with_replacement(elements, 2)
        if pair in least
    }
    drawn = {z: np.sort(rng.permutation(count)[:sample]) for z, count in counts.items() if count}
    vectors = _described(structures(), elements, model, drawn) if drawn else {}
    return Expansion(pairs, {z: pivots(own, points, model) for z, own in vectors.items()})


def _described(
    structures: Iterable[Atoms], elements: list[int], model: Model, drawn: Mapping[int, np.ndarray]
) -> dict[int, np.ndarray]:
    """Return SOAP vectors (n, d) of the environments of each element whose increasing numbers ``drawn`` (n,) gives."""
    from quippy.descriptors import Descriptor

    describe = {z: Descriptor(model.soap_string(z, elements)) for z in drawn}
    found: dict[int, list[np.ndarray]] = {z: [] for z in drawn}
    begin = dict.fromkeys(drawn, 0)
    for atoms in structures:
        for z, numbers in drawn.items():
            end = begin[z] + int((atoms.numbers == z).sum())
            mine = numbers[slice(*np.searchsorted(numbers, [begin[z], end]))] - begin[z]
            if len(mine):
                found[z].append(np.asarray(describe[z].calc_descriptor(atoms), dtype=np.float32)[mine])
            begin[z] = end
    return {z: np.concatenate(parts).astype(float) for z, parts in found.items()}


def _shorter(least: dict[tuple[int, int], float], atoms: Atoms, r_cut: float) -> None:
    """Lower the smallest distances where those of a structure are smaller."""
    from matscipy.neighbours import neighbour_list

    first, second, distance = neighbour_list("ijd", atoms, r_cut)
    low, high = np.sort(atoms.numbers[np.stack([first, second])], axis=0)
    for pair in set(zip(low.tolist(), high.tolist(), strict=True)):
        smallest = float(distance[(low == pair[0]) & (high == pair[1])].min())
        least[pair] = min(smallest, least.get(pair, np.inf))
