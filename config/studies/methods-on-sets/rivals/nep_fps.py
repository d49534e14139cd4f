"""Designs by farthest points on the features of NEP89, a foundation model of 89 elements.

As PyNEP does it: the mean over the atoms of a structure's descriptors, unscaled, and farthest points by Euclidean
distance from the first candidate. Features by nep-adapters, selection by scikit-matter's FPS. The model is `nep89.txt`,
which `make nep` fetches, in the folder where the program runs. Liang et al., arXiv:2504.21286 (2025).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from exchange import Choose, main, prefixes


def prepare(frames: list[Atoms]) -> dict[str, Choose]:
    """Describe all frames once."""
    from nep_adapters import NEPCalculator
    from skmatter.sample_selection import FPS

    calculator = NEPCalculator("nep89.txt")
    features = np.array([np.mean(calculator.predict_descriptors([atoms]), axis=0) for atoms in frames])

    def choose(candidates: np.ndarray, budgets: list[int]) -> dict[int, list[int]]:
        return prefixes(FPS(n_to_select=max(budgets)).fit(features[candidates]).selected_idx_, budgets)

    return {"nep_fps": choose}


if __name__ == "__main__":
    main(prepare, __doc__)
