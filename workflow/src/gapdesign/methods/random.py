"""Method `random`: structures drawn blindly, representative of the pool (BR's RND, RK's SRS)."""

from __future__ import annotations

import hashlib

import numpy as np

from gapdesign.methods import Selection, Task
from gapdesign.methods.distance import descending, mean_descriptor


def select(task: Task) -> Selection:
    """Draw without replacement.

    Every candidate has a random number of its own, and those with the smallest come first: a simple
    random sample whose prefixes are simple random samples too, and of which a pool that grows keeps
    what is not outbid.
    """
    key = np.frombuffer(hashlib.sha256(task.seed.encode()).digest()[:16], dtype="<u8")
    lots = np.random.Philox(key=key).random_raw(task.pool.size)
    candidates = np.argsort(lots, kind="stable")[: task.budget].astype(np.int64)
    features = task.pool.rows(candidates)
    mean = mean_descriptor(task.pool, task.covariance, task.block_rows)
    first = float(np.sqrt(task.covariance.distance2(features[:1], mean)[0]))
    return Selection(candidates, descending(features, task.covariance, first))
