"""Method `greedy_medoids`: typical structures first, each the one that brings the pool nearest to the design.

The mean distance of the pool from the nearest structure of a design falls with every structure, and by less the more
are there. That fall is the score; it makes the greedy choice an order in which every beginning is a design, exact by
looking at few candidates again (:mod:`.shared.submodular`), with at least 63 % of the fall that any design of its size
has. It is the first part, BUILD, of the algorithm that finds medoids (Kaufman and Rousseeuw 1990), and the choice by
facility location of others.

Distances D are rounded to multiples of 2^-22, so that their sums are exact in any order.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.methods.base import Harm, Method, Selection, Task, Wrong
from gapdesign.methods.shared import distance, submodular
from gapdesign.methods.shared.resources import one_blas_thread, require
from gapdesign.methods.shared.rows import TransformedRows

UNIT = 2.0**22
"""Distances are multiples of 1 / UNIT: in single precision these are exact up to :data:`FARTHEST`."""

FARTHEST = 2.0
"""Largest distance that two structures can have; the pool's from a design of none."""

POWER = 0.5
"""Power of its cost by which the score of a structure is divided, with a budget of core-hours.

With 1, cells of few atoms win everywhere, and designs of tungsten were up to 1.7 times worse than random ones for the
same core-hours; with 0, they are few structures. docs/information.md has the comparison.
"""

CHUNK = 256
"""Candidates that are scored between two looks at the bounds of the others."""


class GreedyMedoidsOptions(Options):
    """Options of the method `greedy_medoids`."""

    sample: int = Field(
        5000,
        ge=2,
        description="Candidates, evenly spaced, whose mean distance counts where the pool has more; all can be chosen."
        " The method needs so many distances for each candidate.",
    )


class GreedyMedoidsMethod(Method):
    """Greedy medoids of the pool."""

    name = "greedy_medoids"
    summary = "each next structure is the one that lowers the mean distance of the pool from the nearest chosen most"
    Options = GreedyMedoidsOptions
    title = "greedy-medoids"
    reference = submodular.REFERENCE
    is_prefix = True
    is_certified = True
    is_default_of_frames = True
    by_average_only = True
    spends = True
    harmed = Harm(averages=3, core_hours=3)

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Choose one by one; the score of a structure is by how much it lowered the mean distance D.

        The first lowers it from 2, the largest that a distance can be. Scores that differ by less than a millionth
        count as equal, and the first of equal ones wins. Copies of existing structures and of one another are left out.
        With a budget of core-hours, scores are divided by the square roots of costs.
        """
        with one_blas_thread():
            scorer = _Nearest(task, task.options or cls.Options())
            found = submodular.choose(task, scorer.anew, is_monotone=True)
        task.progress(f"mean distance from the nearest structure {scorer.mean - found.scores.sum():.6g}")
        return found.selection(task)

    @classmethod
    def first_wrong_rank(cls, task: Task, design: Selection) -> Wrong | None:
        """Check a design against every candidate of the pool, by the distances that it was chosen by."""
        with one_blas_thread():
            return submodular.first_wrong_rank(task, _Nearest(task, task.options or cls.Options()), design)


def places(size: int, sample: int) -> np.ndarray:
    """Return the candidates (n,) whose mean distance counts: all of a pool, or evenly spaced ones."""
    count = min(size, sample)
    return np.arange(count) * size // count


class _Nearest:
    """By how much each candidate lowers the mean distance of others from the nearest structure chosen.

    Parameters
    ----------
    task : Task
    options : GreedyMedoidsOptions
    """

    only_falls, chunk, power = True, CHUNK, POWER

    def __init__(self, task: Task, options: GreedyMedoidsOptions) -> None:
        rows = TransformedRows(task.pool, memory=task.memory // 3, threads=task.threads)
        self._rows, self._covariance = rows, task.covariance
        self._others = rows.take(places(rows.size, options.sample))
        what = f"distances from {len(self._others)} candidates"
        require(task.memory, 40.0 * CHUNK * len(self._others), GreedyMedoidsMethod.name, what)
        existing = rows.of(distance.existing_features(task)).astype(float)
        self._start = np.full(len(self._others), FARTHEST, np.float32)
        for start in range(0, len(existing), CHUNK):
            self._start = np.minimum(self._start, self._distances(existing[start : start + CHUNK]).min(axis=0))
        self._near = self._start
        held = 4 * rows.size * len(self._others) < task.memory * 2**20 // 3
        self._held = np.empty((rows.size, len(self._others)), np.float32) if held else None
        if held:
            rows.each(self._keep)

    @property
    def mean(self) -> float:
        """Mean distance from the nearest existing structure; :data:`FARTHEST` if there is none."""
        return float(self._start.mean(dtype=float))

    def anew(self) -> _Nearest:
        """Return scores before any choice."""
        self._near = self._start
        return self

    def choose(self, candidate: int) -> None:
        """Count a candidate as chosen."""
        self._near = np.minimum(self._near, self._of(np.array([candidate]))[0])

    def scores(self, some: np.ndarray) -> np.ndarray:
        """Return by how much each of some candidates (n,) lowers the mean distance."""
        nearer = np.maximum(self._near - self._of(some), 0.0)
        return nearer.sum(axis=1, dtype=float) / len(self._others)

    def _keep(self, span: slice, vectors: np.ndarray) -> None:
        for start in range(0, len(vectors), CHUNK):
            part = vectors[start : start + CHUNK]
            self._held[span.start + start : span.start + start + len(part)] = self._distances(part)

    def _of(self, some: np.ndarray) -> np.ndarray:
        return self._distances(self._rows.take(some)) if self._held is None else self._held[some]

    def _distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return distances (n, m) float32 of vectors (n, dimension) from those whose mean counts."""
        found = distance.between(vectors, self._others, self._covariance)
        return np.rint(found * np.float32(UNIT)) / np.float32(UNIT)
