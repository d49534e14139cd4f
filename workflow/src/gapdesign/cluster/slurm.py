"""Questions to Slurm about jobs: which wait or run, where one ran and how it ended.

Snakemake submits and watches jobs; this is for what it leaves behind when it is killed, and for naming the
node and state of a job that failed. Snakemake's plugin gives all jobs of a run one name, which no other run has.
Where Slurm is absent or does not answer, there are no jobs.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from gapdesign.errors import ProgramError

_PREFIX = "rule_"
"""Beginning of the comments of jobs that Snakemake submits: a person's own jobs in the folder are not touched."""


class _Job(NamedTuple):
    number: str
    name: str
    folder: str


def name_of_jobs(message: str) -> str | None:
    """Give the name of the jobs of a run, if this message of its log says it, as one does before any is submitted."""
    found = re.match(r"SLURM run ID: (\S+)", message)
    return found[1] if found else None


def jobs_of(names: Collection[str]) -> list[str] | None:
    """Give the numbers of the jobs of runs that wait or run; None if Slurm does not answer.

    Parameters
    ----------
    names
        The names that these runs gave to their jobs.
    """
    jobs = _jobs()
    return None if jobs is None else [job.number for job in jobs if job.name in names]


def jobs_in(folder: str | Path) -> dict[str, list[str]]:
    """Give the numbers of Snakemake's jobs that wait or run in ``folder``, for each name that they have."""
    here, found = Path(folder).resolve(), defaultdict(list)
    for job in _jobs() or []:
        if Path(job.folder).resolve() == here:
            found[job.name].append(job.number)
    return dict(found)


def cancel(names: Collection[str], *, seconds: float = 120) -> list[str]:
    """Cancel the jobs of runs, and wait until none of them can write any more.

    Parameters
    ----------
    names
        The names that these runs gave to their jobs.
    seconds
        How long to wait.

    Returns
    -------
    list of str
        The numbers of the cancelled jobs.

    Raises
    ------
    ProgramError
        If some are still alive after that time.
    """
    cancelled: dict[str, None] = {}  # in order; a run that was just submitting gets some more
    deadline = time.monotonic() + seconds
    while alive := jobs_of(names):
        if time.monotonic() > deadline:
            raise ProgramError(f"jobs {', '.join(alive)} did not end in {seconds:.0f} s; see `squeue --me`")
        cancelled |= dict.fromkeys(alive)
        _ask("scancel", *alive)
        time.sleep(0.5)
    return list(cancelled)


def ending(job: str) -> str:
    """Say how a job ended and on which node, such as ``TIMEOUT on node3``; empty if Slurm has forgotten it."""
    recent = _ask("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T|%N")
    kept = recent or _ask("sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={job}", "-oState,NodeList")
    if not kept or "|" not in kept:
        return ""
    state, node = kept.splitlines()[0].split("|", 1)
    return f"{state} on {node}" if node and "None" not in node else state


def _jobs() -> list[_Job] | None:
    """Give this user's jobs that Snakemake submitted and that wait or run; None if Slurm does not answer."""
    table = _ask("squeue", f"--user={os.getuid()}", "--noheader", "--format=%i|%j|%k|%Z")
    if table is None:
        return None
    rows = [line.split("|", 2) for line in table.splitlines() if line.count("|") >= 3]
    # A comment has the wildcards in it, and so any character.
    jobs = [_Job(number, name, rest.rpartition("|")[2]) for number, name, rest in rows if rest.startswith(_PREFIX)]
    return jobs


def _ask(*command: str) -> str | None:
    """Give what a program of Slurm's says; None if it fails."""
    try:
        return subprocess.run(command, text=True, capture_output=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
