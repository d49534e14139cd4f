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

        Every candidate has its own random number, and those with the smallest come first. The result is a simple
        random sample, as are its prefixes, and a larger pool replaces only members whose numbers are no longer among
        the smallest. Candidates that coincide with an existing structure are left out.
        """
        candidates = drawn(task, task.budget)
        return Selection(candidates, down_the_design(task, candidates))
