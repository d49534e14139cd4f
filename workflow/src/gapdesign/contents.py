"""Digests of the user's own files: a replaced input is noticed whatever its date says, also while jobs run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from gapdesign.errors import InputError
from gapdesign.files import sha256, write_text

MEMORY = Path(".snakemake", "gapdesign-contents.json")
"""File that keeps the digests of a working directory."""

MOST = 100
"""Files that a job has one by one in its command; the contents of more are one digest."""

_SETTLED = 2e9
"""Nanoseconds after which another change of a file certainly gives it another date."""


class Contents:
    """Digests of files, each read once for as long as size, dates and inode stay.

    Parameters
    ----------
    memory : path, optional
        File that keeps digests between runs.
    is_kept : bool
        Whether new digests are added to it; many jobs at once only read it.
    """

    def __init__(self, memory: Path | None = None, *, is_kept: bool = True) -> None:
        self._memory, self._is_kept = memory, is_kept
        self._known: dict[str, list] = {}
        if memory is not None:
            with suppress(OSError, ValueError, TypeError):
                self._known = dict(json.loads(memory.read_text(encoding="utf-8")))
        self._is_new = False
        self.of_one = cache(self._of_one)

    def of(self, paths: Sequence[str]) -> dict[str, str] | str:
        """Return the digest of each file by its path, or one digest of all in their order if they are many."""
        digests = {str(path): self.of_one(str(path)) for path in paths}
        if self._is_new:
            self._save()
        return digests if len(digests) <= MOST else hashlib.sha256(" ".join(digests.values()).encode()).hexdigest()

    def _of_one(self, path: str) -> str:
        """Return the digest of a file; a missing one has none, and is missed by the job that reads it."""
        try:
            stat = Path(path).stat()
            state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
            place = str(Path(path).resolve())
            match self._known.get(place):
                case [*known, str(digest)] if known == state:
                    return digest
            digest = sha256(path)
        except OSError:
            return "-"
        if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED:
            self._known[place] = [*state, digest]
            self._is_new = True
        return digest

    def _save(self) -> None:
        self._is_new = False
        if self._memory is not None and self._is_kept:
            with suppress(OSError):
                write_text(self._memory, json.dumps(self._known))


def refuse_replaced(planned: str) -> None:
    """Check that files still have the contents with which a job was planned, once it has read them.

    Parameters
    ----------
    planned : str
        JSON that the job is made from (:meth:`gapdesign.config.job.Job.part`).

    Raises
    ------
    InputError
        If one was replaced; what the job made may be of either version.
    """
    match json.loads(planned).get("contents"):
        case dict(digests):
            found = Contents(MEMORY, is_kept=False).of(list(digests))
            for path, digest in digests.items():
                if found[path] != digest:
                    raise InputError(
                        f"{path}: another file than when this run began, which needs one version of each of its inputs;"
                        " run snakemake again, and it makes anew all that depends on the file."
                    )
