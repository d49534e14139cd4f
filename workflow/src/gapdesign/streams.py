"""Streams of random numbers, each with a name of its own."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(name: str, *, counter: int = 0) -> np.random.Philox:
    """Return the counter-based generator Philox, keyed by a name such as ``2025/candidates/A/0``.

    Parameters
    ----------
    name : str
        Streams of different names are independent.
    counter : int
        Start of the counter; each step of it gives four 64-bit numbers.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.Philox(key=np.frombuffer(digest[:16], dtype="<u8"), counter=counter)
