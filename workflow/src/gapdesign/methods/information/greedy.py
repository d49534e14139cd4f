"""The greedy choice: scores of candidates, by what was learnt from those chosen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from gapdesign.methods.information.scores import Pool, Posterior, only_falls, score
from gapdesign.methods.shared import submodular

if TYPE_CHECKING:
    from gapdesign.methods.base import Task
    from gapdesign.methods.information import InformationOptions

CHUNK = 32
"""Candidates that are scored between two looks at the bounds of the others."""


def choose(task: Task, options: InformationOptions) -> submodular.Chosen:
    """Choose structures, and say how much of the information that any design could have they have."""
    pool, is_information = Pool(task, options), set(options.scores) == {"entropy"}
    threads = ThreadPoolExecutor(task.threads) if task.threads > 1 else nullcontext()
    with threads as executor:
        found = submodular.choose(task, lambda: _Learnt(options, pool, executor), is_monotone=is_information)
    if is_information and len(found.candidates):
        has, most = (sum_ / options.scores["entropy"] for sum_ in (found.scores.sum(), found.most))
        task.progress(f"{has:.6g} nats of information, {has / most:.1%} or more of the most that any such design has")
    return found


class _Learnt:
    """Scores of candidates, by the model that has learnt the labels of those chosen."""

    def __init__(self, options: InformationOptions, pool: Pool, executor: ThreadPoolExecutor | None) -> None:
        self._options, self._pool, self._executor = options, pool, executor
        self.only_falls, self.chunk, self.power = only_falls(options), CHUNK, 1.0
        self._posterior = Posterior(pool.dimension)
        for labels in pool.existing():
            self._posterior.learn(labels.learnt)

    def choose(self, candidate: int) -> None:
        """Learn the labels of a candidate."""
        self._posterior.learn(self._pool.one(candidate).learnt)

    def scores(self, some: np.ndarray) -> np.ndarray:
        """Return the scores (n,) of some candidates (n,)."""
        labels = [self._pool.one(int(candidate)) for candidate in some]
        run = map if self._executor is None else self._executor.map
        return np.array(list(run(lambda one: score(one, self._posterior, self._options), labels)))
