"""Memory and threads that a selection may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.shards import FeaturePool, HeldPool


def block_rows(memory: int, dimension: int, budget: int) -> int:
    """Rows of a pool that fit ``memory`` (MiB) beside their products with a whole design."""
    bytes_a_row = 8 * (2 * dimension + 4 * budget)
    return max(64, min(16384, memory * 2**20 // 4 // bytes_a_row))


def hold(pool: FeaturePool, memory: int) -> FeaturePool | HeldPool:
    """Keep a pool in memory if it takes less than a third of ``memory`` (MiB); else leave it in its files."""
    return pool.held() if 4 * pool.size * pool.dimension < memory * 2**20 // 3 else pool


def require(memory: int, needed: float, method: str, what: str) -> None:
    """Stop before memory is exceeded.

    Parameters
    ----------
    memory : int
        What there is, in MiB.
    needed : float
        Bytes.
    method, what : str
        Who keeps what, for the message.

    Raises
    ------
    InputError
        If ``needed`` is more than there is.
    """
    if needed > memory * 2**20:
        raise InputError(
            f"selection.memory: {method} keeps {what}, and {memory} MiB do not hold that;"
            f" give it {int(needed / 2**20) + 1}, or make the pool or the budget smaller."
        )


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Where blocks are worked on side by side, keep each product in the thread of its block."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
