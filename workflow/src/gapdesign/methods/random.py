"""Method `random`: structures drawn blindly, representative of the pool (BR's RND, RK's SRS)."""

from __future__ import annotations

import numpy as np

from gapdesign.methods import Selection, Task
from gapdesign.methods.distance import descending, mean_descriptor
from gapdesign.streams import stream


def select(task: Task) -> Selection:
    """Draw without replacement.

    Every candidate has a random number of its own, and those with the smallest come first: a simple
    random sample whose prefixes are simple random samples too, and of which a pool that grows keeps
    what is not outbid.
    """
    lots = stream(task.seed).random_raw(task.pool.size)
    candidates = np.argsort(lots, kind="stable")[: task.budget].astype(np.int64)
    features = task.pool.rows(candidates)
    mean = mean_descriptor(task.pool, task.covariance, task.block_rows)
    first = float(np.sqrt(task.covariance.distance2(features[:1], mean)[0]))
    return Selection(candidates, descending(features, task.covariance, first))
