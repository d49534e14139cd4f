"""Maps of a pool and its designs on two principal components of the kernel, for the design page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.quality.curves import Choice
from gapdesign.quality.measures import ORTHOGONAL, OVERLAPPING, pair_distances, rounded
from gapdesign.shards import SampledPool, evenly

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.shards import FeaturePool, HeldPool

ANCHORS = 1000
"""Candidates by which the principal components of a pool's map are found, and the shares of its pairs."""


def coverage(
    choices: Sequence[Choice],
    pool: FeaturePool | HeldPool,
    sample: SampledPool,
    covariance: Covariance,
    block_rows: int,
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Project a pool and its designs on two principal components of the kernel, and describe the pool.

    The components are those of the centred covariance of ``ANCHORS`` candidates, so that distances on the map are
    at most the kernel distances D.

    Parameters
    ----------
    choices : sequence of Choice
        The designs; random draws are left out.

    Returns
    -------
    points : pandas.DataFrame
        Columns ``pool``, ``design`` and ``rank`` (both empty for the sample), ``candidate``, ``x``, ``y``.
    about : dict
        ``size``, ``sampled``, the shares of variance along the components, and of the pairs of anchors that overlap
        and that are orthogonal.
    """
    import pandas as pd

    anchors = sample.rows(evenly(sample.size, ANCHORS))
    gram = covariance.gram(anchors, anchors)
    project, shares = _components(anchors, gram, covariance)
    (name,) = {choice.pool for choice in choices}
    tables = []
    for start, block in sample.blocks(block_rows):
        candidates = sample.indices()[start : start + len(block)]
        tables.append(_points(name, "", candidates, project(block)))
    for choice in choices:
        if choice.draw is None and choice.of == pool.size:
            points = project(pool.rows(choice.candidates))
            tables.append(_points(name, choice.design, choice.candidates, points))
    pairs = pair_distances(anchors, covariance, gram)
    about = {
        "size": pool.size,
        "sampled": sample.size,
        "component_1": float(shares[0]),
        "component_2": float(shares[1]),
        "overlapping_share": float((pairs < OVERLAPPING).mean()) if len(pairs) else np.nan,
        "orthogonal_share": float((pairs > ORTHOGONAL).mean()) if len(pairs) else np.nan,
    }
    return pd.concat(tables, ignore_index=True).astype({"rank": "Int64"}), {"pool": name} | rounded(about)


def placed(features: np.ndarray, sample: SampledPool, covariance: Covariance) -> np.ndarray:
    """Project other structures, of given features (m, dimension), on the map of a pool: (m, 2)."""
    anchors = sample.rows(evenly(sample.size, ANCHORS))
    project, _ = _components(anchors, covariance.gram(anchors, anchors), covariance)
    return np.round(project(features), 6) + 0.0


def _points(pool: str, design: str, candidates: np.ndarray, points: np.ndarray) -> pd.DataFrame:
    """Return rows of the map, with six decimals, which no linear algebra library makes different."""
    import pandas as pd

    ranks = np.arange(len(candidates)) if design else None
    columns = {"pool": pool, "design": design, "rank": ranks, "candidate": candidates}
    return pd.DataFrame(columns | {"x": np.round(points[:, 0], 6) + 0.0, "y": np.round(points[:, 1], 6) + 0.0})


def _components(
    anchors: np.ndarray, gram: np.ndarray, covariance: Covariance
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Return a projection to (n, 2), the kernel's principal components (Schölkopf et al. 1998), and variance shares."""
    from scipy.linalg import eigh

    means, mean = gram.mean(axis=0), gram.mean()
    centred = gram - means - means[:, None] + mean
    n = len(anchors)
    values, vectors = eigh(centred, subset_by_index=[max(0, n - 2), n - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    largest = vectors[np.abs(np.round(vectors, 9)).argmax(axis=0), np.arange(vectors.shape[1])]
    variance = max(float(np.trace(centred)), np.finfo(float).tiny)
    kept = values > 1e-12 * n
    scale = np.where(kept, np.sign(largest) / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    axes = np.zeros((n, 2))
    axes[:, : len(values)] = vectors * scale
    shares = np.zeros(2)
    shares[: len(values)] = np.where(kept, values / variance, 0.0)

    def project(features: np.ndarray) -> np.ndarray:
        cross = covariance.gram(features, anchors)
        return (cross - cross.mean(axis=1, keepdims=True) - means + mean) @ axes

    return project, shares
