"""Random numbers that belong to candidates, whichever others are asked for with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gapdesign.streams import stream


@dataclass(frozen=True)
class Draw:
    """What a sampler is asked for, and the random numbers it may use.

    Attributes
    ----------
    seed, pool
        Seed of the study and name of the pool; each pair is a stream of its own.
    indices : (n,) int64
        Candidates to make, increasing.
    attempt : int
        How often these candidates were refused before.
    scratch : Path, optional
        Folder for what an interrupted job continues from.
    frames : Path, optional
        Index of the frames of the user's file, if it has been made.
    """

    seed: int
    pool: str
    indices: np.ndarray
    attempt: int = 0
    scratch: Path | None = None
    frames: Path | None = None

    @property
    def name(self) -> str:
        """Name of the stream of random numbers."""
        return f"{self.seed}/candidates/{self.pool}/{self.attempt}"

    def uniforms(self, draws: int) -> np.ndarray:
        """Uniform numbers in [0, 1), shape (n, ``draws``)."""
        return uniforms(self.name, self.indices, draws)

    def generators(self) -> Iterator[np.random.Generator]:
        """One generator a candidate, for samplers that cannot say how many numbers they need."""
        for index in self.indices:
            yield np.random.Generator(stream(f"{self.name}/{index}"))

    def at(self, rows: np.ndarray) -> Draw:
        """The same draw of some of the candidates."""
        return replace(self, indices=self.indices[rows])


def uniforms(name: str, indices: np.ndarray, draws: int) -> np.ndarray:
    """Uniform numbers in [0, 1) of a named stream.

    The counter-based generator Philox is keyed by the name, and the candidate's index is its counter: any
    candidate's numbers are reached without making those before it.

    Parameters
    ----------
    name : str
        Streams of different names are independent.
    indices : (n,) int array
        Increasing indices.
    draws : int
        Numbers a candidate.

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
