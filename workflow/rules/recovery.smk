# A killed run leaves Snakemake's lock behind. The kernel drops a file lock with the process that held it, so
# whoever can take ours knows that no other run is alive here, and that a lock found is a dead one's.
import fcntl

if workflow.is_main_process:
    head = Path(".snakemake/gapdesign.lock")
    head.parent.mkdir(exist_ok=True)
    head_lock = head.open("w")
    try:
        fcntl.flock(head_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for stale in Path(".snakemake/locks").glob("*.lock"):
            stale.unlink()
    except BlockingIOError:
        pass
