"""Pools compared before any label: what a model that learns from one does not know of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.descriptors.covariance import Covariance
from gapdesign.errors import InputError
from gapdesign.files import FeaturePool
from gapdesign.quality import squared_distances
from gapdesign.streams import stream

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 2000
"""Candidates of a pool that are learnt from, and as many others that are asked about."""


def samples(pools: Mapping[str, FeaturePool], seed: int, *, most: int = SAMPLE) -> dict[str, np.ndarray]:
    """Features (2 n, dimension) of as many random candidates of every pool.

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


def nearest(features: Mapping[str, np.ndarray], covariance: Covariance) -> dict[tuple[str, str], np.ndarray]:
    """Kernel distance D from each of n test candidates of a pool to the nearest of n training candidates.

    Parameters
    ----------
    features : mapping of str to (2 n, dimension)
        The first half of each pool's is for training, the second for testing.

    Returns
    -------
    dict
        (training pool, test pool) to (n,).
    """
    half = {name: len(rows) // 2 for name, rows in features.items()}
    return {
        (train, test): np.sqrt(
            squared_distances(features[test][half[test] :], features[train][: half[train]], covariance).min(axis=1)
        )
        for train in features
        for test in features
    }


def compare(features: Mapping[str, np.ndarray], covariance: Covariance) -> pd.DataFrame:
    """KP's tables I to III as a general report, a row a pair of pools.

    Returns
    -------
    DataFrame
        ``train``, ``test``, ``n``; ``mean``, ``median``, ``q99`` and ``max`` of the distance D from a test candidate to
        the nearest training candidate; ``entropy`` of the training candidates, (1/n) sum_j ln(n min_l D_jl) (KP
        equation 2, of structures in place of atoms).
    """
    import pandas as pd

    rows = []
    for (train, test), distance in nearest(features, covariance).items():
        half = len(features[train]) // 2
        rows.append({
            "train": train, "test": test, "n": half,
            "mean": distance.mean(), "median": np.median(distance), "q99": np.quantile(distance, 0.99),
            "max": distance.max(), "entropy": _entropy(features[train][:half], covariance),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _entropy(features: np.ndarray, covariance: Covariance) -> float:
    squared = squared_distances(features, features, covariance)
    np.fill_diagonal(squared, np.inf)
    least = np.maximum(squared.min(axis=1), 1e-12)
    return float(np.log(len(features) * np.sqrt(least)).mean()) if len(features) > 1 else float("nan")


def figure(distances: Mapping[tuple[str, str], np.ndarray], labels: Mapping[str, str]) -> str:
    """Draw the distances of :func:`nearest` as shares of the test candidates that are farther (SVG).

    Parameters
    ----------
    distances
        As :func:`nearest` gives them.
    labels
        What each pool is called in the figure.
    """
    from matplotlib.figure import Figure

    from gapdesign.report.style import PALETTE, house_style, svg_text

    with house_style():
        drawn = Figure(figsize=(3.6 * len(labels), 3.2), layout="constrained")
        axes = drawn.subplots(1, len(labels), sharex=True, sharey=True, squeeze=False)[0]
        for panel, test in zip(axes, labels, strict=True):
            for colour, train in zip(PALETTE * len(labels), labels, strict=False):
                values = np.sort(distances[train, test])
                share = 1 - np.arange(len(values)) / len(values)
                panel.plot(values, share, color=colour, label=f"trained on {labels[train]}")
            panel.set(
                yscale="log", title=f"tested on {labels[test]}", xlabel="distance D to the nearest training candidate"
            )
        axes[0].set_ylabel("share of test candidates that are farther")
        axes[0].legend()
        return svg_text(drawn)
