"""Timing of progress lines, at most one every few seconds."""

from __future__ import annotations

import time

EVERY = 10.0
"""Seconds between lines of progress."""


class Pace:
    """A clock that says when the next progress line is due.

    >>> Pace().is_due()
    False
    """

    def __init__(self) -> None:
        self._told = time.monotonic()

    def is_due(self) -> bool:
        """Return whether ``EVERY`` seconds have passed since the last line or the start; if so, restart the clock."""
        now = time.monotonic()
        if now - self._told < EVERY:
            return False
        self._told = now
        return True
