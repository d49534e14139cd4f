"""Loops compiled by numba for the processor of the machine, when they first run, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def _compiler(**options: Any) -> Callable[[Callable], Any]:
    def compiled(function: Callable) -> Any:
        try:
            return njit(cache=True, nogil=True, error_model="numpy", **options)(function)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written
            return njit(nogil=True, error_model="numpy", **options)(function)

    return compiled


compiled = _compiler()
"""Compile a function whose operations stay in the order of its text, so that all processors give the same bits."""

fused = _compiler(fastmath={"contract"})
"""Compile one whose products and sums may become one instruction: the last bits depend on the processor."""

reordered = _compiler(fastmath={"reassoc", "contract"})
"""Compile one whose sums become vector instructions: their last bits depend on the processor."""
