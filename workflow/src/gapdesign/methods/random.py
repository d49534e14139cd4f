"""Method `random`: structures drawn blindly, representative of the pool (BR's RND, RK's SRS)."""

from __future__ import annotations

from gapdesign.methods.base import Method, Selection, Task
from gapdesign.methods.shared.chance import drawn
from gapdesign.methods.shared.distance import down_the_design


class RandomMethod(Method):
    """Simple random samples."""

    name = "random"
    summary = "drawn blindly"
    is_prefix = True
    by_chance = True
    is_baseline = True
    is_light = True

    @classmethod
    def select(cls, task: Task) -> Selection:
        """Draw without replacement.

        Every candidate has a random number of its own, and those with the smallest come first: a simple random sample
        whose prefixes are simple random samples too, and of which a pool that grows keeps what is not outbid.
        Candidates that coincide with an existing structure are passed over.
        """
        candidates = drawn(task, task.budget)
        return Selection(candidates, down_the_design(task, candidates))
