"""Runs that wait in the middle of a stage, so that a test can strike there without racing against them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from conftest import ROOT, Workflow

HOLD = ROOT / "tests" / "hold"


def wait_until(
    condition: Callable[[], object], what: str, process: subprocess.Popen[str] | None = None, seconds: float = 300
) -> None:
    """Poll until ``condition`` holds, for as long as ``process`` lives."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.1)


@dataclass
class HeldWorkflow(Workflow):
    """A folder in which a study runs, and whose jobs wait when they are told to."""

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(HOLD), *filter(None, [os.environ.get("PYTHONPATH")])])
        return super().start(*arguments, PYTHONPATH=path, **environment)

    def hold(self, verb: str, having: str = "") -> None:
        """Make jobs of a verb wait, those whose command has ``having`` in it."""
        (self.folder / f"hold-{verb}").write_text(having)

    def release(self, verb: str) -> None:
        (self.folder / f"hold-{verb}").unlink()

    def held(self, verb: str) -> list[str]:
        """The jobs that wait, or waited: Slurm's numbers, or those of processes."""
        return sorted((path.name.rsplit("-", 1)[1] for path in self.folder.glob(f"held-{verb}-*")), key=int)
