"""Method `random`: structures drawn blindly, representative of the pool (BR's RND, RK's SRS)."""

from __future__ import annotations

import numpy as np

from gapdesign.methods import Selection, Task
from gapdesign.methods.distance import down_the_design, is_there
from gapdesign.streams import stream


def select(task: Task) -> Selection:
    """Draw without replacement.

    Every candidate has a random number of its own, and those with the smallest come first: a simple
    random sample whose prefixes are simple random samples too, and of which a pool that grows keeps
    what is not outbid. Candidates that coincide with an existing structure are passed over.
    """
    lots = stream(task.seed).random_raw(task.pool.size)
    order = np.argsort(lots, kind="stable").astype(np.int64)
    candidates: list[int] = []
    for candidate in order:
        if len(candidates) == task.budget:
            break
        if not is_there(task, candidate):
            candidates.append(int(candidate))
    return Selection(np.array(candidates, np.int64), down_the_design(task, candidates))
