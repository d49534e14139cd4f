"""Random numbers that belong to a candidate, whatever other candidates are made with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gapdesign.streams import stream


@dataclass(frozen=True)
class Draw:
    """Request to a sampler: candidates to make, with their random numbers.

    Attributes
    ----------
    seed, pool
        Seed of the study and name of the pool; each pair is a stream of its own.
    indices : (n,) int64
        Candidates to make, increasing.
    attempt : int
        Number of times that these candidates were refused before.
    broken : str
        Key of the constraint that the first of them broke at the last attempt.
    scratch : Path, optional
        Folder for checkpoints, from which an interrupted job continues.
    frames : Path, optional
        Index of the frames of the user's file, if it exists.
    """

    seed: int
    pool: str
    indices: np.ndarray
    attempt: int = 0
    broken: str = ""
    scratch: Path | None = None
    frames: Path | None = None

    @property
    def name(self) -> str:
        """Name of the stream of random numbers."""
        return f"{self.seed}/candidates/{self.pool}/{self.attempt}"

    def uniforms(self, draws: int) -> np.ndarray:
        """Return uniform numbers in [0, 1), shape (n, ``draws``)."""
        return uniforms(self.name, self.indices, draws)

    def generators(self) -> Iterator[np.random.Generator]:
        """Yield one generator per candidate, for samplers that need an unknown amount of numbers."""
        for index in self.indices:
            yield np.random.Generator(stream(f"{self.name}/{index}"))

    def at(self, rows: np.ndarray) -> Draw:
        """Return the same draw for some of the candidates."""
        return replace(self, indices=self.indices[rows])


def uniforms(name: str, indices: np.ndarray, draws: int) -> np.ndarray:
    """Return uniform numbers in [0, 1) of a named stream.

    The name is the key of the counter-based generator Philox, and the candidate's index is its counter: the numbers
    of any candidate are available without those before it.

    Parameters
    ----------
    name : str
        Streams of different names are independent.
    indices : (n,) int array
        Increasing indices.
    draws : int
        Numbers per candidate.

    Returns
    -------
    (n, draws) float64
    """
    blocks = -(-draws // 4)  # one step of the counter gives four numbers
    values = np.empty((len(indices), 4 * blocks))
    runs = np.split(np.arange(len(indices)), np.flatnonzero(np.diff(indices) != 1) + 1)
    for run in runs:
        if len(run):
            start = stream(name, counter=int(indices[run[0]]) * blocks)
            values[run] = np.random.Generator(start).random((len(run), 4 * blocks))
    return values[:, :draws]
