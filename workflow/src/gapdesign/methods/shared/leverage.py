"""Statistical leverage, and draws by it, for the CUR methods (Mahoney and Drineas 2009)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.methods.shared import distance
from gapdesign.methods.shared.rows import principal, steady
from gapdesign.streams import stream

if TYPE_CHECKING:
    from gapdesign.methods.base import Selection, Task


class LeverageOptions(Options):
    """Options of methods that choose by leverage."""

    features: int | None = Field(
        None,
        ge=1,
        description="Number of leading singular vectors in the scores; by default the number of structures to choose.",
    )
    draw: Literal["random", "largest"] = Field(
        "random",
        description="`random`: structures are drawn, each in proportion to its score. `largest`: those with the largest"
        " scores are taken, though they may be alike.",
    )


class Leverage:
    """Leverage scores by the k leading right singular vectors of a matrix whose rows are the vectors of a pool.

    Mahoney and Drineas's score of row x is |V' x / s|^2 / k, with V and s the leading directions and singular values:
    the share of the row in the k leading left singular vectors. It needs no more than V and s, which a sample of the
    rows gives: exactly if the sample is all of them.

    Existing structures are projected out first: at most k of their leading directions are removed from every row, as
    if their rows had been picked.

    Parameters
    ----------
    sample : (n, d)
        Rows of the matrix.
    count : int
        Singular vectors k.
    existing : (m, d)
        Rows of the existing structures.
    """

    def __init__(self, sample: np.ndarray, count: int, existing: np.ndarray) -> None:
        if len(existing):
            known, _ = principal(existing, count)
            sample = sample - (sample @ known) @ known.T
        # The remainder has no part along the known directions, and neither have its own directions.
        self._directions, self._shares = principal(sample, count)

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Return the scores of rows (n, d), times their number: (n,), with a mean of 1 over the sample."""
        along = vectors @ self._directions
        return np.add.reduce(along * along / self._shares, axis=1) / len(self._shares)


def draw(scores: np.ndarray, seed: str) -> np.ndarray:
    """Return all candidates in the order of a random draw without replacement, in proportion to their scores.

    Each has its own exponential waiting time, with its score as the rate, and the shortest come first (Efraimidis
    and Spirakis 2006): prefixes are draws too, and a pool that grows keeps each candidate's random number.

    Parameters
    ----------
    scores : (n,)
        Not negative; zeros come last.
    seed : str
        Name of the stream of random numbers.
    """
    uniform = (stream(seed).random_raw(len(scores)) >> np.uint64(11)) * 2.0**-53
    with np.errstate(divide="ignore"):
        waiting = -np.log1p(-uniform) / np.maximum(steady(scores), 0.0)
    return np.argsort(np.where(np.isnan(waiting), np.inf, waiting), kind="stable")


def largest(scores: np.ndarray) -> np.ndarray:
    """Return all candidates by falling score; of equal ones, the first comes first."""
    return np.argsort(-steady(scores), kind="stable")


def chosen_by(task: Task, scores: np.ndarray, options: LeverageOptions) -> Selection:
    """Choose a design by scores (N,), without copies of existing structures."""
    order = draw(scores, task.seed) if options.draw == "random" else largest(scores)
    candidates = order[distance.free(task)[order]][: task.budget]
    return distance.selection(task, candidates.tolist(), scores[candidates].tolist(), passes=2)
