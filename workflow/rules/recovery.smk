# What a killed run left behind: Snakemake's lock, and jobs that still run on a cluster.
#
# The kernel drops a file lock with the process that held it, so whoever can take ours knows that no other run is
# alive here, and that a lock or a job found is a dead one's.
import atexit
import fcntl

from gapdesign.cluster import slurm

if workflow.is_main_process:
    if is_full():
        sys.exit(f"gapdesign: {FULL}")
    head = Path(".snakemake/gapdesign.lock")
    head.parent.mkdir(exist_ok=True)
    head_lock = head.open("w")
    try:
        fcntl.flock(head_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ALONE = True
        for stale in Path(".snakemake/locks").glob("*.lock"):
            stale.unlink()
    except BlockingIOError:
        ALONE = False


# Not asked of a dry run.
onstart:
    if ALONE:
        if orphans := slurm.jobs_in("."):
            sys.exit(
                f"gapdesign: {len(orphans)} Slurm jobs of a run that was killed are still alive here ({', '.join(orphans)})"
                " and would write the same files: type `gapdesign cancel`, then the same command again."
            )
        atexit.register(say_last_words)
        # Whatever ends this run short of kill -9: a job that was just being submitted is not left behind.
        atexit.register(slurm.cancel, Path.cwd())
