"""Distances from the frames of a set to the nearest of another set, and among themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gapdesign.descriptors.covariance import Covariance
    from gapdesign.notebook.description import Features

BLOCK = 1000
"""Frames whose distances from all others are held at once."""


def to_nearest(features: Features, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return D2 (n,) from every frame to the nearest of some members (m, d), and the place (n,) of that member.

    Without members, distances are infinite.
    """
    if not len(members):
        return np.full(len(features), np.inf), np.full(len(features), -1)
    least, places = [], []
    for _, squared in _blocks(features, members):
        places.append(squared.argmin(axis=1))
        least.append(np.take_along_axis(squared, places[-1][:, None], axis=1)[:, 0])
    return np.concatenate(least), np.concatenate(places)


def among(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Return D2 (n,) from every frame to the nearest other that does not coincide with it, and the place (n,) of that.

    Distances are infinite where all others coincide.
    """
    least, places = [], []
    for start, squared in _blocks(features, features.values):
        squared[squared <= features.covariance.overlap] = np.inf
        own = np.arange(len(squared))
        squared[own, start + own] = np.inf
        places.append(squared.argmin(axis=1))
        least.append(squared[own, places[-1]])
    return np.concatenate(least), np.concatenate(places)


def repeats(values: np.ndarray, covariance: Covariance) -> np.ndarray:
    """Return, for each structure, a row of features (n, d), the first one before it that coincides with it, or -1."""
    # Rows that coincide are near one another in the order of any projection.
    direction = np.cos(np.arange(values.shape[1]))
    projections = values.astype(float) @ direction
    order = np.argsort(projections, kind="stable")
    reach = np.sqrt(covariance.overlap) * np.linalg.norm(direction)
    first = np.arange(len(values))
    for step in range(1, len(values)):
        near = np.flatnonzero(projections[order[step:]] - projections[order[:-step]] <= reach)
        if not len(near):
            break
        one, other = order[near], order[near + step]
        same = covariance.distance2(values[one], values[other]) <= covariance.overlap
        np.minimum.at(first, np.maximum(one, other)[same], np.minimum(one, other)[same])
    return np.where(first < np.arange(len(values)), first, -1)


def _blocks(features: Features, members: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    from gapdesign.quality.measures import squared_distances

    for start in range(0, len(features), BLOCK):
        yield start, squared_distances(features.values[start : start + BLOCK], members, features.covariance)
