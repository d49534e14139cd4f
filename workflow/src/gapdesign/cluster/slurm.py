"""What Slurm knows of the jobs of a folder: which are alive, where one ran and how it ended.

Snakemake submits and watches jobs; this is for what it leaves behind when it is killed, and for naming the
node and state of a job that failed. Where Slurm is absent or does not answer, there are no jobs.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection
from pathlib import Path

from gapdesign.errors import ProgramError

_PREFIX = "rule_"
"""How the comments of jobs begin that Snakemake submits: a person's own jobs in the folder are not touched."""


def jobs_in(folder: str | Path) -> list[str]:
    """Give the numbers of Snakemake's jobs that wait or run in ``folder``, and are this user's."""
    table = _ask("squeue", f"--user={os.getuid()}", "--noheader", "--format=%i|%k|%Z")
    rows = [line.split("|", 2) for line in table.splitlines() if line.count("|") >= 2]
    here = Path(folder).resolve()
    return [job for job, comment, where in rows if comment.startswith(_PREFIX) and Path(where).resolve() == here]


def cancel(folder: str | Path, *, seconds: float = 120) -> list[str]:
    """Cancel Snakemake's jobs in ``folder``, and wait until none of them can write any more.

    Parameters
    ----------
    folder
        Where they run.
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
    cancelled = jobs_in(folder)
    alive: Collection[str] = cancelled
    deadline = time.monotonic() + seconds
    while alive:
        if time.monotonic() > deadline:
            raise ProgramError(f"jobs {', '.join(alive)} did not end in {seconds:.0f} s; see `squeue --me`")
        _ask("scancel", *alive)
        time.sleep(0.5)
        alive = jobs_in(folder)
    return cancelled


def ending(job: str) -> str:
    """Say how a job ended and on which node, such as ``TIMEOUT on node3``; empty if Slurm has forgotten it."""
    recent = _ask("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T|%N")
    kept = recent or _ask("sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={job}", "-oState,NodeList")
    if "|" not in kept:
        return ""
    state, node = kept.splitlines()[0].split("|", 1)
    return f"{state} on {node}" if node and "None" not in node else state


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, text=True, capture_output=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
