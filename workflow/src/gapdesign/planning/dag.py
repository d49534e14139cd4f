"""Jobs of a study, from Snakemake's own DAG: nothing here knows which rule runs when."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapdesign.config.study import Study
from gapdesign.errors import InputError
from gapdesign.installation import WORKFLOW

SNAKEFILE = Path(WORKFLOW)
"""The workflow, beside which the library lies."""

MANY = 2**16
"""Cores, so that no job is given fewer than it asks for."""

PLANNING = "GAPDESIGN_PLANNING"
"""Variable that is set while the DAG is built, so that rules look for neither engine nor labels."""


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """One job of Snakemake.

    Attributes
    ----------
    rule
        Name of its rule.
    wildcards
        What it is about, by name.
    threads
        Cores that it asks for.
    memory, minutes
        What it asks for at its first attempt, in MiB; None if it runs beside Snakemake.
    benchmark
        File below `benchmarks/` in which a run leaves its time; empty for jobs beside Snakemake.
    parcel
        Number of the group of jobs that is one job of a cluster; None if it is one by itself.
    """

    rule: str
    wildcards: Mapping[str, str]
    threads: int
    memory: int | None
    minutes: int | None
    benchmark: str
    parcel: int | None


def ask(study: Study, *targets: str) -> list[PlannedJob]:
    """Return all jobs that targets, by default the report, run when no results exist yet.

    Raises
    ------
    InputError
        If there is no workflow beside the library, no Snakemake, or no DAG; the message says why.
    """
    if not SNAKEFILE.is_file():
        raise InputError(f"{SNAKEFILE}: there is no workflow beside the library, so its jobs are unknown; use a clone.")
    try:
        from snakemake.exceptions import WorkflowError
    except ImportError:
        raise InputError("a plan takes its jobs from Snakemake, which is not installed here; install it.") from None
    collected = _Collector(f"results/{study.study}/benchmarks/")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream, _planning():
        json.dump(study.model_dump(mode="json", exclude_none=True), stream)
        stream.flush()
        try:
            _dry_run(Path(stream.name), targets or ("report",), collected)
        except WorkflowError as error:
            raise InputError(f"Snakemake cannot plan this study: {' '.join(str(error).split())}") from error
        except SystemExit as error:
            raise InputError(str(error.code).removeprefix("gapdesign: ")) from None
    return collected.jobs


def _dry_run(configuration: Path, targets: Collection[str], collected: logging.Handler) -> None:
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

    with SnakemakeApi(OutputSettings(dryrun=True, enable_file_logging=False)) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=MANY),
            config_settings=ConfigSettings(configfiles=[configuration]),
            snakefile=SNAKEFILE,
        )
        # Events come through Snakemake's logger; what it would print is not wanted.
        logger = logging.getLogger("snakemake.logging")
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        logger.addHandler(collected)
        # A run in progress has incomplete files, which the jobs of a whole study do not depend on.
        dag = workflow.dag(DAGSettings(targets=set(targets), forceall=True, force_incomplete=True))
        dag.execute_workflow(pseudo_executor="dryrun")


class _Collector(logging.Handler):
    """Keeps the jobs that a dry run announces (the events of Snakemake's interface for logger plugins)."""

    def __init__(self, benchmarks: str) -> None:
        super().__init__()
        self.jobs: list[PlannedJob] = []
        self._benchmarks = benchmarks
        self._parcels, self._members = 0, 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take an event; see :class:`logging.Handler`."""
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "GROUP_INFO":
            self._parcels, self._members = self._parcels + 1, len(list(record.jobs))
        elif event == "JOB_INFO":
            self.jobs.append(self._job(record))

    def _job(self, record: Any) -> PlannedJob:
        """Return a job; those of a group follow the group."""
        grouped = self._members > 0
        self._members -= grouped
        asked = dict(record.resources)
        return PlannedJob(
            rule=record.rule_name,
            wildcards=dict(record.wildcards),
            threads=int(record.threads),
            memory=asked.get("mem_mb"),
            minutes=asked.get("runtime"),
            benchmark=str(record.benchmark or "").removeprefix(self._benchmarks),
            parcel=self._parcels if grouped else None,
        )


@contextmanager
def _planning() -> Iterator[None]:
    before = os.environ.get(PLANNING)
    os.environ[PLANNING] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PLANNING]
        else:
            os.environ[PLANNING] = before
