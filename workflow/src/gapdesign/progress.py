"""Lines of progress, not more often than every few seconds."""

from __future__ import annotations

import time

EVERY = 10.0
"""Seconds between lines of progress."""


class Pace:
    """Says when it is time for a line of progress.

    >>> Pace().is_due()
    False
    """

    def __init__(self) -> None:
        self._told = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last line, or the beginning, is ``EVERY`` seconds ago; if so, the next one counts from now."""
        now = time.monotonic()
        if now - self._told < EVERY:
            return False
        self._told = now
        return True
