"""Memory and threads that a selection may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.shards import FeaturePool, HeldPool


def block_rows(memory: int, dimension: int, budget: int) -> int:
    """Return the number of rows of a pool that fit ``memory`` (MiB) with their products with a whole design."""
    bytes_a_row = 8 * (2 * dimension + 4 * budget)
    return max(64, min(16384, memory * 2**20 // 4 // bytes_a_row))


def hold(pool: FeaturePool | HeldPool, memory: int) -> FeaturePool | HeldPool:
    """Keep a pool in memory if it takes less than a third of ``memory`` (MiB); else leave it in its files."""
    return pool.held() if pool.dtype.itemsize * pool.size * pool.dimension < memory * 2**20 // 3 else pool


def require(memory: int, needed: float, method: str, what: str) -> None:
    """Stop before a method exceeds its memory.

    Parameters
    ----------
    memory : int
        Available memory, in MiB.
    needed : float
        Bytes.
    method, what : str
        The method and the data that it keeps, for the message.

    Raises
    ------
    InputError
        If ``needed`` exceeds it.
    """
    if needed > memory * 2**20:
        raise InputError(
            f"selection.memory: {method} keeps {what}, and {memory} MiB do not hold that;"
            f" give it {int(needed / 2**20) + 1}, or make the pool or the budget smaller."
        )


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep each product in the thread of its block, for blocks in parallel threads."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
