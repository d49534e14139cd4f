"""Runs a program for a job, and ends it with the job: ``python launcher.py GRACE COMMAND ...``.

The job holds the other end of standard input, which the kernel closes with the job, however that dies. Then, or when
the job closes it, the program and all processes of its session get SIGTERM, so that mpirun can stop other nodes, and
after some seconds SIGKILL. The launcher ends as the program does. It stands alone, so that it starts quickly.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def members(session: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = status.read_text(errors="replace").rpartition(")")[2].split()[:4]
        except (OSError, ValueError):  # it has just ended
            continue
        if int(of) == session and state != "Z":
            found.append(int(status.parent.name))
    return found


def stop(session: int, grace: float) -> None:
    """End all processes of a session."""
    deadline = time.monotonic() + grace
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in members(session):
            try:
                os.kill(process, number)
            except OSError:
                continue
        while members(session) and time.monotonic() < deadline:
            time.sleep(0.05)


def main(grace: float, command: list[str]) -> None:
    """Run a command until it ends or standard input does."""
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")

    stopped = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        stopped.set()
        stop(program.pid, grace)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    status = program.wait()
    if stopped.is_set():
        watching.join()  # others of its session may live
    if status < 0:
        end_by(-status)
    os._exit(status)  # the thread may still be reading


def end_by(number: int) -> None:
    """End as a program does that a signal ended, without another core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
