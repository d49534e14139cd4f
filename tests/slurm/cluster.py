"""A real Slurm on this machine: four virtual nodes on the loopback, for as long as a test needs them."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT
from holding import HeldWorkflow, wait_until

CONFIGURATION = Path("/etc/slurm/slurm.conf")
"""The place where jobs look for it: Snakemake's plugin drops the variable SLURM_CONF on the way."""

DAEMONS = ("munged", "slurmctld", "slurmd")
PREFIX = "gapdesign-slurm-"
NODES = ("node1", "node2", "node3", "node4")

TEMPLATE = """\
# Written by the tests of gapdesign.
ClusterName=gapdesign
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MinJobAge=3600
KillWait=2
InactiveLimit=0
OverTimeLimit=0
SlurmdTimeout=10
SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
{nodes}
PartitionName=main Nodes=node[1-4] Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Cluster:
    """Slurm's daemons in an empty folder; stops only what it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> None:
        host, folder = socket.gethostname().split(".")[0], self.folder
        ports = free_ports(2 + len(NODES))
        nodes = "\n".join(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=4000"
            for name, port in zip(NODES, ports[2:], strict=True)
        )
        text = TEMPLATE.format(host=host, ports=ports, folder=folder, nodes=nodes)
        (folder / "state").mkdir()
        (folder / "slurm.conf").write_text(text)
        CONFIGURATION.parent.mkdir(exist_ok=True)
        CONFIGURATION.unlink(missing_ok=True)
        CONFIGURATION.symlink_to(folder / "slurm.conf")
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        subprocess.run(
            [
                *("munged", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}"),
                *(f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"),
                f"--seed-file={folder}/munged.seed",
            ],
            check=True,
            capture_output=True,
        )
        subprocess.run(["slurmctld", "-c"], check=True, capture_output=True)
        for node in NODES:
            self.start_node(node)
        wait_until(lambda: self.states() == {"idle"}, "all nodes are idle")

    def start_node(self, node: str) -> None:
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        subprocess.run(["slurmd", "-N", node], check=True, capture_output=True)

    def states(self) -> set[str]:
        return set(self.ask("sinfo", "--noheader", "--Node", "--format=%T").split())

    def ask(self, *command: str) -> str:
        result = subprocess.run(command, text=True, capture_output=True)
        return result.stdout if result.returncode == 0 else ""

    def jobs(self, states: str = "all") -> list[dict[str, str]]:
        """Jobs that Slurm remembers, the oldest first."""
        names = ("id", "state", "node", "memory", "comment", "name", "limit")
        table = self.ask("squeue", "--noheader", f"--states={states}", "--sort=i", "--format=%i|%T|%N|%m|%k|%j|%l")
        return [dict(zip(names, line.split("|"), strict=True)) for line in table.splitlines()]

    def unfinished(self) -> list[dict[str, str]]:
        return self.jobs("pending,running,suspended,completing,configuring")

    def kill_node(self, node: str) -> None:
        """A node that dies: its daemon and all that it runs, at once."""
        kill(int((self.folder / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)
        jobs = {job["id"] for job in self.jobs("running") if job["node"] == node}
        for pid in processes():
            if job_of(pid) in jobs or any(f"slurmstepd: [{job}." in command_of(pid) for job in jobs):
                kill(pid, signal.SIGKILL)
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=down", "reason=test"], check=True)

    def stop(self) -> None:
        self.ask("scancel", "--user=root")
        deadline = time.monotonic() + 20
        while self.unfinished() and time.monotonic() < deadline:
            time.sleep(0.1)
        pids = [int(path.read_text()) for path in self.folder.glob("*.pid") if path.read_text().strip()]
        for pid in pids:
            kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(alive(pid) for pid in pids), "Slurm has stopped")
        if CONFIGURATION.is_symlink() and CONFIGURATION.readlink() == self.folder / "slurm.conf":
            CONFIGURATION.unlink()


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def job_of(pid: int) -> str | None:
    """The Slurm job that a process belongs to."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((line.split(b"=")[1].decode() for line in environment if line.startswith(b"SLURM_JOB_ID=")), None)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int, blow: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, blow)


def why_not() -> str | None:
    """Return the reason why no Slurm can be started here; None if one can."""
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (packages slurm-wlm and munge)"
    if os.geteuid() != 0:
        return "only root can start Slurm's daemons"
    ours = CONFIGURATION.is_symlink() and CONFIGURATION.readlink().parent.name.startswith(PREFIX)
    if CONFIGURATION.exists() and not ours:
        return f"this machine has a Slurm of its own ({CONFIGURATION})"
    return None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A Slurm of one's own; another that wants one meanwhile waits."""
    if reason := why_not():
        pytest.skip(reason)
    with (Path(tempfile.gettempdir()) / f"{PREFIX}lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
            started = Cluster(Path(folder))
            try:
                started.start()
                yield started
            finally:
                started.stop()


@dataclass
class OnSlurm(HeldWorkflow):
    """A folder in which a study runs on Slurm, as `snakemake --profile slurm` does, but more impatiently."""

    def command(self, *arguments: str) -> list[str]:
        impatient = ("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "20")
        return super().command("--profile", str(ROOT / "profiles" / "slurm"), *impatient, *arguments)
