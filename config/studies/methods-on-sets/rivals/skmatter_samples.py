"""Designs by scikit-matter: farthest points (`FPS`) and CUR, on averages of dscribe's SOAP vectors.

Both selectors with their default options, features centred and scaled by StandardFlexibleScaler. FPS starts from the
first candidate. Both are greedy, so smaller budgets are the beginnings of the largest.
Goscinski et al., Open Research Europe 3, 81 (2023).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from exchange import Choose, main, prefixes


def prepare(frames: list[Atoms]) -> dict[str, Choose]:
    """Describe all frames once, by the mean over the atoms of their power spectra."""
    from dscribe.descriptors import SOAP
    from skmatter.preprocessing import StandardFlexibleScaler
    from skmatter.sample_selection import CUR, FPS

    species = sorted({symbol for atoms in frames for symbol in atoms.get_chemical_symbols()})
    soap = SOAP(species=species, r_cut=5.0, n_max=8, l_max=6, sigma=0.5, periodic=True, average="outer")
    features = np.array([soap.create(atoms) for atoms in frames])

    def chooser(selector: type) -> Choose:
        def choose(candidates: np.ndarray, budgets: list[int]) -> dict[int, list[int]]:
            scaled = StandardFlexibleScaler().fit_transform(features[candidates])
            return prefixes(selector(n_to_select=max(budgets)).fit(scaled).selected_idx_, budgets)

        return choose

    return {"skmatter_fps": chooser(FPS), "skmatter_cur": chooser(CUR)}


if __name__ == "__main__":
    main(prepare, __doc__)
