# What a killed run left behind: Snakemake's locks, and jobs that still run on a cluster. Other runs that are alive in
# this folder keep theirs.
import atexit

from gapdesign.cluster import heads, places, slurm


class JobName(logging.Handler):
    """Notes the name of this run's jobs at the scheduler before the first is submitted."""

    def emit(self, record):
        if name := slurm.name_of_jobs(record.getMessage()):
            HEAD.jobs = name


if is_head():
    if is_full():
        sys.exit(f"gapdesign: {FULL}")
    try:
        places.check_temporary()
        HEAD = heads.Head.begin(Path.cwd(), STUDY.study)
    except InputError as error:
        sys.exit(f"gapdesign: {error}")
    atexit.register(HEAD.end)
    heads.settle_locks(Path.cwd(), HEAD)
    logger.addHandler(JobName())


# Not asked of a dry run.
onstart:
    refuse_missing_programs()
    HEAD.claim(lock_files())
    if orphans := heads.sweep("."):
        sys.exit(
            f"gapdesign: {len(orphans)} Slurm jobs of a run that was killed are still alive here ({', '.join(orphans)})"
            " and would write the same files: type `gapdesign cancel`, then the same command again."
        )
    atexit.register(say_last_words)
    # Whatever ends this run short of kill -9: a job that was just being submitted is not left behind.
    atexit.register(HEAD.cancel_jobs)
