"""Heads: the processes of Snakemake that steer runs in a folder, and what belongs to each of them.

Several may run side by side, each with a study of its own. A head keeps a record for as long as it lives, with a
file lock on it that the kernel drops with the process: whoever can take that lock knows that the head is dead, and
that its jobs are nobody's and its locks of Snakemake's stale. The record holds

- ``head``, who it is;
- ``jobs``, the name that all its jobs have at the scheduler;
- ``locks/``, copies of its locks of Snakemake's.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import IO

from gapdesign.cluster import slurm
from gapdesign.cluster.places import refusal
from gapdesign.files import write_text

RECORDS = Path(".snakemake", "gapdesign", "heads")
"""Folder of the records, relative to the folder in which Snakemake was started."""

LOCKS = Path(".snakemake", "locks")
"""Folder of Snakemake's own records: files that list what a run reads and what it makes."""


class Head:
    """A process of Snakemake that steers a run, alive or dead.

    Parameters
    ----------
    record
        The folder of its record.
    stream
        The file that is locked, where this is the process itself.
    """

    def __init__(self, record: Path, stream: IO[str] | None = None) -> None:
        self.record = record
        self._stream = stream

    @classmethod
    def begin(cls, folder: str | Path, study: str) -> Head:
        """Enter this process, which is going to run ``study`` in ``folder``.

        Raises
        ------
        InputError
            If the folder of Snakemake's records cannot be written.
        """
        try:
            return cls._begin(folder, study)
        except OSError as error:
            raise refusal(folder, error) from error

    @classmethod
    def _begin(cls, folder: str | Path, study: str) -> Head:
        host, process = socket.gethostname(), os.getpid()
        record = Path(folder).resolve() / RECORDS / f"{host}-{process}-{uuid.uuid4().hex[:8]}"
        record.mkdir(parents=True)
        stream = (record / "head.new").open("w", encoding="utf-8")
        # Where a file system has no locks, every head is taken for alive, and nothing of anybody's is touched.
        with suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        about = {"study": study, "host": host, "process": process, "since": time.strftime("%Y-%m-%d %H:%M")}
        json.dump(about, stream)
        stream.flush()
        (record / "head.new").rename(record / "head")  # others see it only with its lock on
        return cls(record, stream)

    def __str__(self) -> str:
        with suppress(OSError, ValueError):
            about = json.loads((self.record / "head").read_text(encoding="utf-8"))
            return "the run of {study} (process {process} on {host}, since {since})".format(**about)
        return "a run that has just ended"

    def is_alive(self) -> bool:
        """True if the process lives, or cannot be proved dead."""
        try:
            with (self.record / "head").open(encoding="utf-8") as stream:
                # Shared, so that two that ask at once do not take each other for the head.
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    @property
    def jobs(self) -> str | None:
        """Name of its jobs at the scheduler; None as long as it can have none."""
        with suppress(OSError):
            return (self.record / "jobs").read_text(encoding="utf-8")
        return None

    @jobs.setter
    def jobs(self, name: str) -> None:
        write_text(self.record / "jobs", name)

    @property
    def is_starting(self) -> bool:
        """True if it may have locks that it has not claimed yet."""
        return not (self.record / "locks").is_dir()

    def claim(self, locks: Iterable[str | Path]) -> None:
        """Note which locks of Snakemake's are this process's."""
        copies = self.record / "locks.new"
        copies.mkdir()
        for lock in locks:
            shutil.copyfile(lock, copies / Path(lock).name)
        copies.rename(self.record / "locks")

    @cached_property
    def claims(self) -> set[tuple[str, str]]:
        """The locks that it has claimed, each by its kind and its text."""
        return {_claim(path) for path in (self.record / "locks").glob("*.lock")}

    def cancel_jobs(self) -> None:
        """Cancel its jobs, and wait until they have ended."""
        if self.jobs:
            slurm.cancel([self.jobs])

    def end(self) -> None:
        """Strike this process off, unless it leaves jobs behind; the locks of others stay, or are put back."""
        if not self.jobs or slurm.jobs_of([self.jobs]) == []:
            shutil.rmtree(self.record, ignore_errors=True)
        if self._stream:
            self._stream.close()
        settle_locks(self.record.parents[len(RECORDS.parts)])


def heads(folder: str | Path) -> list[Head]:
    """Give all heads that have a record in ``folder``, alive or dead, by name."""
    return [Head(path.parent) for path in sorted((Path(folder) / RECORDS).glob("*/head"))]


def sweep(folder: str | Path) -> list[str]:
    """Give the numbers of jobs that dead heads left in ``folder``; the records of those that left none are removed."""
    orphans = []
    for head in [head for head in heads(folder) if not head.is_alive()]:
        left = slurm.jobs_of([head.jobs]) if head.jobs else []
        if left == []:
            shutil.rmtree(head.record, ignore_errors=True)
        orphans += left or []
    return orphans


def cancel(folder: str | Path, *, everything: bool = False) -> list[str]:
    """Cancel the jobs that dead heads left in ``folder``, and wait until they have ended.

    Parameters
    ----------
    folder
        Where Snakemake was started.
    everything
        Cancel all jobs of Snakemake's there: of living heads, and of runs that have no record, too.

    Returns
    -------
    list of str
        What was done and what was left alone, in sentences.
    """
    runs = {head.jobs: head for head in heads(folder) if head.jobs}
    living = {name: str(head) for name, head in runs.items() if head.is_alive()}
    dead, here = runs.keys() - living.keys(), slurm.jobs_in(folder)
    cancelled = slurm.cancel(dead | here.keys() if everything else dead)
    said = [f"cancelled {len(cancelled)} jobs: {', '.join(cancelled)}" if cancelled else "no jobs to cancel"]
    for name, jobs in here.items():
        if name in living and everything:
            said.append(f"{living[name]} is alive and may submit its {len(jobs)} jobs again: press Ctrl-C there")
        elif name in living:
            said.append(
                f"left alone: {len(jobs)} jobs of {living[name]}, which is alive: to stop it, press Ctrl-C there; to"
                " cancel just its jobs, type `gapdesign cancel --all`"
            )
        elif name not in dead and not everything:
            said.append(
                f"left alone: {len(jobs)} jobs of a run that is not known here; to cancel them, type"
                " `gapdesign cancel --all`"
            )
    settle_locks(folder)
    sweep(folder)
    return said


def settle_locks(folder: str | Path, mine: Head | None = None) -> None:
    """Make the locks of Snakemake's in ``folder`` those of living heads.

    A killed run leaves its locks, which would keep the next from making the same files; and a run that ends well
    takes the locks of all others with it (Snakemake removes the whole folder), so that two could make the same files.

    Parameters
    ----------
    folder
        Where Snakemake was started.
    mine
        This process, which has no locks yet.
    """
    others = [head for head in heads(folder) if mine is None or head.record != mine.record]
    living = [head for head in others if head.is_alive()]
    claimed = set().union(*(head.claims for head in living))
    stale = set().union(*(head.claims for head in others if head not in living)) - claimed
    unclaimed_may_be_needed = any(head.is_starting for head in living)
    locks = Path(folder) / LOCKS
    there = set()
    for path in locks.glob("*.lock"):
        with suppress(FileNotFoundError):  # its run has just ended
            claim = _claim(path)
            if claim in stale or (claim not in claimed and not unclaimed_may_be_needed):
                path.unlink()
            else:
                there.add(claim)
    if living:
        locks.mkdir(parents=True, exist_ok=True)  # a run that is starting counts on it
    for kind, text in sorted(claimed - there):
        _put(locks, kind, text)


def _claim(path: Path) -> tuple[str, str]:
    """Give kind and text of a lock, which is all that makes it: its number means nothing."""
    return path.name.split(".", 1)[1], path.read_text(encoding="utf-8")


def _put(locks: Path, kind: str, text: str) -> None:
    """Write a lock under the first free number."""
    for number in count():
        with suppress(FileExistsError):
            with (locks / f"{number}.{kind}").open("x", encoding="utf-8") as stream:
                stream.write(text)
            return
