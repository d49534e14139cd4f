"""Verbs as jobs of the workflow: the keys that a job reads, its stage, and its request to a scheduler.

Rules, plan and command line derive from these declarations, which stand beside the verbs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gapdesign.config import reading
from gapdesign.config.part import At, Part

STAGES = {
    "candidates": 4,
    "descriptors": 2,
    "rows": 1,
    "design": 3,
    "labels": 1,
    "hyperparameters": 1,
    "models": 1,
    "rounds": 1,
    "crossval": 4,
    "properties": 1,
    "replay": 3,
    "report": 6,
}
"""The stages in the order in which they run, each with its revision. Raise a revision when a change of the library
alters the results of the stage, so that its jobs run again."""

OVERHEAD = 700
"""MiB that a job needs beyond the allowance of its verb: Snakemake twice, on a cluster, and the interpreter."""

Amount = int | Callable[[At], int]


def of_selection(at: At) -> int:
    """Return the MiB that a job of the selection may use."""
    return at.study.selection.memory


def of_labels(at: At) -> int:
    """Return the cores that a job of the labels gets."""
    return at.study.labels.cores


@dataclass(frozen=True, kw_only=True)
class Job:
    """A verb as a job.

    Attributes
    ----------
    verb, rule
        Its names on the command line and in the workflow.
    stage
        One of ``STAGES``.
    reads
        Its part of the configuration; None if it reads nothing.
    memory
        MiB at the first attempt; None for a job that runs beside Snakemake or has an allowance.
    allowance
        MiB that its verb may use (``--memory``), to which :data:`OVERHEAD` is added.
    minutes
        Time limit at the first attempt.
    threads
        Cores.
    works_on
        File whose number of structures determines its time, if there is one.
    effort
        Amount of work otherwise; by default the number of items that its wildcards say, or one.
    """

    verb: str
    rule: str
    stage: str
    reads: type[Part] | None = None
    memory: Amount | None = None
    allowance: Amount | None = None
    minutes: Amount = 0
    threads: Amount = 1
    works_on: str = ""
    effort: Callable[[At], int] | None = None

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f"{self.verb}: there is no stage '{self.stage}'")

    def part(self, at: At, contents: Mapping[str, str] | str = "") -> str:
        """Return what it is made from, as JSON; the job runs again if and only if this changes.

        Parameters
        ----------
        contents
            Digests of the user's own files that it reads (:meth:`gapdesign.contents.Contents.of`).
        """
        read = {} if self.reads is None else self.reads.of(at).model_dump(mode="json")
        own = {"revision": STAGES[self.stage]} | ({"contents": contents} if contents else {})
        return json.dumps(own | read, separators=(",", ":"))

    def load(self, source: str, *, design: str | None = None, pool: str | None = None, kind: str | None = None) -> Part:
        """Read its part from JSON, made by :meth:`part`, or from the YAML file of a whole study.

        Raises
        ------
        InputError
            If it cannot be read, is not valid, or lacks something that the job reads.
        """
        if self.reads is None:
            raise TypeError(f"{self.verb} reads nothing of the configuration")
        if source.lstrip().startswith("{"):
            given = reading.from_json(source, source="--config")
            for own in ("revision", "contents"):
                given.pop(own, None)
            return self.reads.parse(given)
        from gapdesign.config import study

        return self.reads.of(At(study.load(source), design, pool, kind))

    def megabytes(self, at: At) -> int:
        """Return the MiB at the first attempt."""
        return self.allowed(at) + OVERHEAD if self.allowance is not None else _amount(self.memory or 0, at)

    def allowed(self, at: At) -> int:
        """Return the MiB that its verb may use."""
        return _amount(self.allowance or 0, at)

    def time_limit(self, at: At) -> int:
        """Return the time limit in minutes at the first attempt."""
        return _amount(self.minutes, at)

    def cores(self, at: At) -> int:
        """Return the number of its cores."""
        return _amount(self.threads, at)


def _amount(amount: Amount, at: At) -> int:
    return amount(at) if callable(amount) else amount
