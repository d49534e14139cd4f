# The last words of a run: which jobs failed, where to look, and what happened to disk and configuration meanwhile.
import logging
import shutil

from snakemake.logging import logger

logging.raiseExceptions = False  # on a full disk Snakemake's own log is no news


class Failures(logging.Handler):
    """The scheduler's number and logs of every failed job, by the first log of its rule; the last attempt counts."""

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

FULL = f"the disk that holds {Path.cwd()} is full: make room, then type the same command again."


def is_full():
    return shutil.disk_usage(".").free < 2**20


# By whole paths: Snakemake may be in another folder when a run ends than when it began (`--directory`).
CONFIGURATION_AT_START = {
    path: path.read_bytes() for path in map(Path.absolute, map(Path, configuration_files())) if path.is_file()
}


def is_edited(path):
    return not path.is_file() or path.read_bytes() != CONFIGURATION_AT_START[path]


def about(job):
    """Lines about a job that failed for good."""
    members = sorted(job.jobs, key=str) if job.is_group() else [job]
    yield "gapdesign: Failed: " + ", then ".join(
        " ".join([member.rule.name, *(f"{name}={value}" for name, value in member.wildcards_dict.items() if value)])
        for member in members
    )
    logs = [str(member.log[0]) for member in members]
    yield from (f"    log: {log}" for log in logs if Path(log).exists())
    for number, scheduler_logs in [failures.scheduler_jobs[log] for log in logs if log in failures.scheduler_jobs][:1]:
        yield f"    job {number} of the scheduler: {slurm.ending(number) or 'ask the scheduler how it ended'}"
        yield from (f"    its own log: {log}" for log in scheduler_logs)


def say_last_words():
    for job in failed_jobs():
        print(*about(job), sep="\n", file=sys.stderr)
    if is_full():
        print(f"gapdesign: {FULL}", file=sys.stderr)
    if edited := [os.path.relpath(path) for path in CONFIGURATION_AT_START if is_edited(path)]:
        print(
            f"gapdesign: {', '.join(edited)} was edited after this run began: what was made follows the configuration"
            " as it was then. Type the same command again to bring everything up to date.",
            file=sys.stderr,
        )
