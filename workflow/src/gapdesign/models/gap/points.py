"""The points in which a potential is expanded: all environments of a design, or those that span them best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gapdesign.models.gap.environments import ROUNDING, GapStructures, merge
from gapdesign.models.gap.expansion import Expansion, Model, grid, pivots

if TYPE_CHECKING:
    from gapdesign.descriptors.kernel import CovarianceOptions
    from gapdesign.descriptors.soap import SoapOptions
    from gapdesign.models.gap.hyperparameters import Hyperparameters
    from gapdesign.models.gap.options import GapOptions, SparseOptions


def model_of(found: Hyperparameters, *, soap: SoapOptions, kernel: CovarianceOptions, options: GapOptions) -> Model:
    """Return the kernels with the scales and the length that were found."""
    pair = kernel.pair.model_copy(update={"scale": found.pair_scale, "length": found.pair_length})
    scaled = kernel.soap.model_copy(update={"scale": found.soap_scale})
    return Model(
        soap=soap,
        kernel=kernel.model_copy(update={"pair": pair, "soap": scaled}),
        transition=options.soap_transition,
        jitter=options.sparse.jitter,
    )


def expand(seen: GapStructures, model: Model, sparse: SparseOptions) -> Expansion:
    """Return the points for the structures of a design.

    Distances lie on a uniform grid from the smallest that occurs to the cutoff. Distinct environments of an element are
    points, every one where there are no more than ``sparse.most``, and the pivots of :func:`chosen` otherwise.
    """
    return Expansion(
        {
            pair: grid(block.distances.min(), model.kernel, per_length=sparse.points_per_length)
            for pair, block in seen.pairs.items()
        },
        {centre: chosen(block.vectors, model, most=sparse.most) for centre, block in seen.soap.items()},
    )


def chosen(vectors: np.ndarray, model: Model, *, most: int | None) -> np.ndarray:
    """Return the points among SOAP vectors (n, d), up to ``most``.

    If there are more distinct vectors, each point has the largest variance given those before it, and the search ends
    where none has more than the jitter. The order of the structures changes nothing then.
    """
    distinct, _ = merge(vectors)
    if most is None or len(distinct) <= most:
        return distinct
    order = np.lexsort(np.round(distinct, ROUNDING).T[::-1])
    return pivots(distinct[order], most, model)


def distinct_environments(seen: GapStructures) -> int:
    """Return the number of distinct environments, over all elements."""
    return sum(len(merge(block.vectors)[0]) for block in seen.soap.values())
