# The last words of a run: which jobs failed, where to look, and whether the configuration is still the same.
import logging
import shutil

from snakemake.logging import logger

FULL = 2**20
"""Bytes: a disk with less left than this is full."""


class Failures(logging.Handler):
    """What Snakemake says of every failed job, by the first log of its rule, the last attempt last."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.scheduler_jobs = {}

    def emit(self, record):
        jobs = getattr(record, "job_error_info", [vars(record)])  # of a group, or the one job
        number = getattr(record, "external_jobid", None) or getattr(record, "aux", {}).get("external_jobid")
        scheduler_logs = list(getattr(record, "aux_logs", []))
        for job in jobs:
            if number and job.get("log"):
                self.scheduler_jobs[job["log"][0]] = (number, [*job["log"][1:], *scheduler_logs])


failures = Failures()
logger.addHandler(failures)


def content_of_configuration():
    return {name: Path(name).read_bytes() for name in workflow.configfiles if Path(name).is_file()}


CONFIGURATION_AT_START = content_of_configuration()


def last_words():
    """Lines about what went wrong; none if nothing did."""
    for job in sorted(workflow.scheduler.failed, key=str):
        members = sorted(job.jobs, key=str) if job.is_group() else [job]
        yield "Failed: " + ", then ".join(
            " ".join([member.rule.name, *(f"{name}={value}" for name, value in member.wildcards_dict.items())])
            for member in members
        )
        logs = [str(member.log[0]) for member in members]
        yield from (f"    log: {log}" for log in logs if Path(log).exists())
        number, scheduler_logs = next(
            (failures.scheduler_jobs[l] for l in logs if l in failures.scheduler_jobs), (None, [])
        )
        if number:
            yield f"    job {number} of the scheduler: {slurm.ending(number) or 'its state is not known any more'}"
            yield from (f"    its own log: {log}" for log in scheduler_logs)
    if shutil.disk_usage(".").free < FULL:
        yield f"The disk that holds {Path.cwd()} is full: make room, then type the same command again."
    if content_of_configuration() != CONFIGURATION_AT_START:
        yield (
            f"{', '.join(map(str, CONFIGURATION_AT_START))} was edited after this run began: what was made follows the configuration"
            " as it was then. Type the same command again to bring everything up to date."
        )


def say_last_words():
    for line in last_words():
        logger.error(f"gapdesign: {line}" if line[0] != " " else line)


onsuccess:
    say_last_words()


onerror:
    say_last_words()
