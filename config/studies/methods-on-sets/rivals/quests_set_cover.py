"""Designs by QUESTS: its minimum set cover (`msc`), as its README and its command `quests compress` call it.

Descriptor, bandwidth and batch are the program's defaults; they do not see elements, as in its command line. `msc` is
greedy, so smaller budgets are the beginnings of the largest. Schwalbe-Koda et al., Nat. Commun. 16, 4014 (2025).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from exchange import Choose, main, prefixes


def prepare(frames: list[Atoms]) -> dict[str, Choose]:
    """Describe all frames once; the compressor of each split looks its own up."""
    from quests.compression import DatasetCompressor
    from quests.descriptor import get_descriptors

    described = [get_descriptors([atoms]) for atoms in frames]
    for place, atoms in enumerate(frames):
        atoms.info["place"] = place

    def choose(candidates: np.ndarray, budgets: list[int]) -> dict[int, list[int]]:
        structures = [frames[place] for place in candidates]
        compressor = DatasetCompressor(structures, descriptor_fn=lambda atoms: described[atoms.info["place"]])
        return prefixes(compressor.get_indices(method="msc", size=max(budgets)), budgets)

    return {"quests_set_cover": choose}


if __name__ == "__main__":
    main(prepare, __doc__)
