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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import ROOT, Workflow

CONFIGURATION = Path("/etc/slurm/slurm.conf")
"""Where jobs look for it: Snakemake's plugin drops the variable SLURM_CONF on the way."""

DAEMONS = ("munged", "slurmctld", "slurmd")
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


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Poll until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.1)


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

    def running(self, rule: str = "") -> list[dict[str, str]]:
        return [job for job in self.jobs("running") if rule in job["comment"]]

    def unfinished(self) -> list[dict[str, str]]:
        return self.jobs("pending,running,suspended,completing,configuring")

    def kill_node(self, node: str) -> None:
        """A node that dies: its daemon and all that it runs, at once."""
        daemon = int((self.folder / f"slurmd-{node}.pid").read_text())
        os.kill(daemon, signal.SIGKILL)
        for pid in below(self.steps(node)):
            kill(pid, signal.SIGKILL)
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=down", "reason=test"], check=True)

    def steps(self, node: str) -> list[int]:
        """Processes of Slurm that watch over the jobs of a node."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes()
                    environment = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if b"slurmstepd" in command and str(self.folder).encode() in command + environment:
                    found.append(int(entry.name))
        return found

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


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int, blow: signal.Signals) -> None:
    try:
        os.kill(pid, blow)
    except ProcessLookupError:
        pass
