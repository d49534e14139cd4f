"""Designs by maml's DIRECT sampling: M3GNet's features, principal components, BIRCH clusters, one structure of each.

As in maml's notebook `direct/Example2_Ti-H.ipynb`: its default encoder, the M3GNet model of formation energies whose
weights are in maml's wheel; as many clusters as structures are asked for, `threshold_init=0.05`, and `k=1`, the
structure closest to the centre of its cluster. Each budget is a clustering of its own.
Qi et al., npj Comput. Mater. 10, 43 (2024).
"""

from __future__ import annotations

import logging

import numpy as np
from ase import Atoms
from exchange import Choose, main


def prepare(frames: list[Atoms]) -> dict[str, Choose]:
    """Describe all frames once; the sampler takes features in place of structures."""
    from maml.describers import M3GNetStructure
    from maml.sampling.direct import BirchClustering, DIRECTSampler, SelectKFromClusters
    from pymatgen.io.ase import AseAtomsAdaptor

    logging.disable(logging.WARNING)
    encoder = M3GNetStructure()
    features = np.array([encoder.transform_one(AseAtomsAdaptor.get_structure(atoms)) for atoms in frames])

    def choose(candidates: np.ndarray, budgets: list[int]) -> dict[int, list[int]]:
        chosen = {}
        for budget in budgets:
            sampler = DIRECTSampler(
                structure_encoder=None,
                clustering=BirchClustering(n=budget, threshold_init=0.05),
                select_k_from_clusters=SelectKFromClusters(k=1),
            )
            chosen[budget] = sampler.fit_transform(features[candidates])["selected_indexes"]
        return chosen

    return {"maml_direct": choose}


if __name__ == "__main__":
    main(prepare, __doc__)
