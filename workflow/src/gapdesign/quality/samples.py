"""The order in which candidates of a pool make up the parts that stand for it."""

from __future__ import annotations

import numpy as np

from gapdesign.methods.shared.chance import shuffled


def order_of(seed: int, pool: str, size: int, *, is_ordered: bool) -> np.ndarray | None:
    """Return the candidates of a pool in random order, or None where their own order is random.

    Candidates that are drawn one by one are exchangeable, so that the first of them are a sample. Frames of a file or
    of a trajectory are not: the first half of a file may be another kind of structure than the second.

    Parameters
    ----------
    seed : int
        Of the study.
    pool : str
        Its name.
    size : int
        Candidates in it.
    is_ordered : bool
        Whether candidates with neighbouring indices are more alike than others.
    """
    return shuffled(f"{seed}/quality/{pool}/order", size) if is_ordered else None
