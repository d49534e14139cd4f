"""Pools compared before any label: what a model that learns from one does not know of another (KP, tables I to III)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from gapdesign.config.options import Identifier, Options
from gapdesign.descriptors.covariance import Covariance
from gapdesign.errors import InputError
from gapdesign.quality.measures import squared_distances
from gapdesign.samplers.shared.differentiable import DifferentiableOptions
from gapdesign.shards import Blocks, FeaturePool
from gapdesign.streams import stream

if TYPE_CHECKING:
    import pandas as pd

Distances = Mapping[tuple[str, str], Sequence[np.ndarray]]
"""By (pool learnt from, pool asked about): distances from each asked to the nearest learnt, an array per split."""

SAMPLE = 2000
"""Candidates of a pool that are learnt from, and as many others that are asked about."""

_QUANTILES = np.linspace(0, 1, 201)


class ComparisonOptions(Options):
    """Comparison of pools before any label."""

    of: Literal["structures", "environments"] = Field(
        "structures",
        description="What `snakemake pools` compares: structures by their kernel distance, or, as KP do, the"
        " environments of single atoms by the descriptor below. `snakemake environments` always compares environments.",
    )
    descriptor: DifferentiableOptions = Field(DifferentiableOptions(), description="Descriptor of an environment.")
    components: int = Field(
        6,
        ge=1,
        description="Number of components, from the first, that distances are computed from; others are only shown.",
    )
    cube_root: bool = Field(
        False,
        description="Whether distances are computed from cube roots: a component of the bispectrum is a product of"
        " three densities, and its root grows as the density does.",
    )
    scaled_by: Identifier | None = Field(
        None,
        description="The pool in which each component has mean 0 and variance 1; `none` for all pools together.",
    )
    learnt: tuple[int, ...] = Field(
        (2000,),
        min_length=1,
        description="Number of environments learnt from; half as many others are asked about. Pools with too few are"
        " left out.",
    )
    splits: int = Field(
        100, ge=1, description="Number of random divisions into learnt and asked that are averaged over."
    )
    unions: dict[Identifier, tuple[Identifier, ...]] = Field(
        {},
        description="Unions of designs, each under its own name, such as `{BOTH: [OPT1, OPT2]}`. A union takes equally"
        " many first ranks of each design, so that it is as large as one design.",
    )
    within: float = Field(1.0, gt=0, description="Distance within which an environment counts as covered by a design.")


def samples(pools: Mapping[str, FeaturePool], seed: int, *, most: int = SAMPLE) -> dict[str, np.ndarray]:
    """Return features (2 n, dimension) of equally many random candidates of every pool.

    Raises
    ------
    InputError
        If a pool has fewer than two candidates.
    """
    size = min(most, *(pool.size // 2 for pool in pools.values()))
    if size < 1:
        raise InputError("pools.size: a pool of one candidate cannot be compared; give it two or more.")
    return {
        name: pool.rows(np.random.Generator(stream(f"{seed}/pools/{name}")).permutation(pool.size)[: 2 * size])
        for name, pool in pools.items()
    }


def nearest(features: Mapping[str, np.ndarray], covariance: Covariance) -> Distances:
    """Return the kernel distance D from each of n candidates of a pool to the nearest of n candidates learnt from.

    Parameters
    ----------
    features : mapping of str to (2 n, dimension)
        The first half of each pool's is learnt from, the second asked about.
    """
    half = {name: len(rows) // 2 for name, rows in features.items()}
    return {
        (train, test): [
            np.sqrt(
                squared_distances(features[test][half[test] :], features[train][: half[train]], covariance).min(axis=1)
            )
        ]
        for train in features
        for test in features
    }


def nearest_environments(
    environments: Mapping[str, Blocks],
    learnt: int,
    splits: int,
    seed: int,
    *,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Distances:
    """Return the distance from each of n/2 environments of a pool to the nearest of n learnt from, for many divisions.

    Parameters
    ----------
    environments : mapping of str to Blocks (N, m)
        Standardised descriptors; pools with fewer than n + n/2 are left out.
    learnt : int
        n.
    splits : int
        Number of random divisions, each drawn anew in every pool.
    seed : int
    tell : callable, optional
        Called with the numbers of divisions done and in total.

    Raises
    ------
    InputError
        If no pool is large enough.
    """
    from scipy.spatial import KDTree

    asked = _asked(learnt)
    large = {name: q for name, q in environments.items() if is_large(q.size, learnt)}
    if not large:
        raise InputError(
            f"comparison.learnt: {learnt} environments to learn from, and half as many to ask about, are more than any"
            f" pool has (at most {max(q.size for q in environments.values())}); lower it, or make the pools larger."
        )
    distances: dict[tuple[str, str], list[np.ndarray]] = {(train, test): [] for train in large for test in large}
    for split in range(splits):
        drawn = {
            name: q.rows(_order(q.size, f"{seed}/environments/{name}/{split}")[: learnt + asked])
            for name, q in large.items()
        }
        for train, q in drawn.items():
            tree = KDTree(q[:learnt])
            for test, other in drawn.items():
                distances[train, test].append(tree.query(other[learnt:])[0])
        tell(split + 1, splits)
    return distances


def _order(size: int, seed: str) -> np.ndarray:
    return np.random.Generator(stream(seed)).permutation(size)


def is_large(size: int, learnt: int) -> bool:
    """Return whether a pool has enough environments to learn from some and to ask about half as many others."""
    return size >= learnt + _asked(learnt)


def _asked(learnt: int) -> int:
    return max(1, learnt // 2)


def compare(distances: Distances, entropies: Mapping[str, float], *, learnt: int) -> pd.DataFrame:
    """Return KP's tables I to III for any pools, a row per pair of pools.

    Parameters
    ----------
    distances : mapping of (str, str) to sequence of (n,)
        From :func:`nearest` or :func:`nearest_environments`.
    entropies : mapping of str to float
        Of each pool that is learnt from.
    learnt : int
        Number of structures or environments learnt from.

    Returns
    -------
    DataFrame
        ``train``, ``test``, ``learnt``, ``asked``; ``mean``, ``median``, ``q99`` and ``max`` of the distances, each
        averaged over the splits; ``entropy`` of what is learnt from.
    """
    import pandas as pd

    measures = {"mean": np.mean, "median": np.median, "q99": lambda values: np.quantile(values, 0.99), "max": np.max}
    return pd.DataFrame([
        {"train": train, "test": test, "learnt": learnt, "asked": len(splits[0])}
        | {name: float(np.mean([measure(values) for values in splits])) for name, measure in measures.items()}
        | {"entropy": entropies[train]}
        for (train, test), splits in distances.items()
    ])  # fmt: skip


def quantiles(distances: Distances, *, learnt: int) -> pd.DataFrame:
    """Return the data of the figure: ``train``, ``test``, ``learnt``, ``share`` that is nearer, ``distance``."""
    import pandas as pd

    return pd.concat([
        pd.DataFrame({
            "train": train, "test": test, "learnt": learnt, "share": _QUANTILES,
            "distance": np.mean([np.quantile(values, _QUANTILES) for values in splits], axis=0),
        })
        for (train, test), splits in distances.items()
    ], ignore_index=True)  # fmt: skip


def structure_entropy(features: np.ndarray, covariance: Covariance) -> float:
    """Return the entropy (1/n) sum_j ln(n min_l D_jl) of structures: KP equation 2 with D; NaN of one alone."""
    squared = squared_distances(features, features, covariance)
    np.fill_diagonal(squared, np.inf)
    least = np.maximum(squared.min(axis=1), 1e-12)
    return float(np.log(len(features) * np.sqrt(least)).mean()) if len(features) > 1 else float("nan")
