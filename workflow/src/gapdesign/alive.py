"""Files that last as long as their writers: locks that the kernel drops with the process that holds them.

A process number says nothing in another container, whose processes are counted on their own, and nothing on another
node. A lock says the same to all processes of one kernel, so names carry the kernel's identity, and only files of the
same kernel are ever judged.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def _kernel() -> str:
    """Return eight digits that differ between kernels, and between the times that one was started."""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        started = platform.node()
    return hashlib.sha256(started.encode()).hexdigest()[:8]


KERNEL = _kernel()


def unique() -> str:
    """Return a part for the name of a temporary file: the kernel, and digits that nobody can foresee."""
    return f"{KERNEL}.{secrets.token_hex(6)}"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Create a file and hold a lock on it; whoever can take the lock knows that this process is dead.

    Raises
    ------
    FileExistsError
        If there is a file or a link of that name, which is not touched.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        # Where a file system has no locks, everybody is taken for alive.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_still(path, descriptor):
            break
        os.close(descriptor)  # somebody took it for left behind before it was locked
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def left(path: Path) -> Iterator[bool]:
    """Tell whether the process that held ``path`` is dead; if so, nobody else is told the same within the block."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield _is_still(path, descriptor)
    finally:
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    """Return whether ``path`` is the file that was opened."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False
