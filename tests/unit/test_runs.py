"""Runs of programs: what is kept of them, and what is left of one whose job was killed."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from gapdesign import alive
from gapdesign.engines.shared import programs
from gapdesign.labels.runs import Runs

POTCAR = "  PAW_PBE Zr\n   VRHFIN =Zr: s2\n   TITEL  = PAW_PBE Zr\n   local part\n  0.1 0.2\n   End of Dataset\n"


def test_no_copy_of_a_potcar_is_kept_whatever_its_name_or_place(tmp_path):
    folder, runs = tmp_path / "run", Runs(kept=tmp_path / "kept", keep="all")
    (folder / "sub").mkdir(parents=True)
    for name in ("POTCAR", "POTCAR.orig", "backup.txt", "sub/copy"):
        (folder / name).write_text(POTCAR)
    (folder / "POTCAR.orig.gz").write_bytes(gzip.compress(POTCAR.encode()))
    for name in ("error.1.tar", "error.2.tar.gz"):
        with tarfile.open(folder / name, "w:gz" if name.endswith("gz") else "w") as archive:
            archive.add(folder / "POTCAR", "a")
    (folder / "OUTCAR").write_text(" VRHFIN =Zr: s2\n TITEL  = PAW_PBE Zr\n local pseudopotential read in\n")
    (folder / "linked").symlink_to("POTCAR")
    runs.stow(folder, "D/0", failed=True)
    assert [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()] == ["OUTCAR"]


JOB = """
import sys
from pathlib import Path
from gapdesign.engines.shared import programs
from gapdesign.labels.runs import Runs
programs._GRACE_SECONDS = 0.1
with Runs(scratch=Path(sys.argv[1])).folder() as folder:
    script = "trap '' TERM; sleep 1000 & echo $$ $! > ../started.new; mv ../started.new ../started; wait"
    programs.run(["bash", "-c", script], folder, "log", results=[])
"""


def alive_of(processes: list[int]) -> list[int]:
    """Those that live: a zombie whose parent has not asked for it does not."""
    stats = [(process, Path(f"/proc/{process}/stat")) for process in processes]
    return [
        process for process, path in stats if path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"
    ]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_takes_its_program_along_and_the_next_clears_its_scratch(tmp_path, end):
    with subprocess.Popen([sys.executable, "-c", JOB, str(tmp_path)]) as job:
        deadline = time.monotonic() + 60
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        processes = [int(number) for number in (tmp_path / "started").read_text().split()]
        assert alive_of(processes) == processes
        with Runs(scratch=tmp_path).folder():  # that of a living job stays
            assert len(list(tmp_path.glob("gapdesign-*.lock"))) == 2
        job.send_signal(end)
    while alive_of(processes) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert alive_of(processes) == []
    assert len(list(tmp_path.glob("gapdesign-*"))) == 2
    foreign = tmp_path / f"gapdesign-{'0' * 8}.1.lock"
    foreign.touch()
    with Runs(scratch=tmp_path).folder() as folder:
        assert sorted(tmp_path.glob("gapdesign-*")) == sorted([folder, Path(f"{folder}.lock"), foreign])
        assert alive.KERNEL in folder.name
    assert sorted(os.listdir(tmp_path)) == [foreign.name, "started"]


@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("kill -SEGV $$", -11), ("kill -KILL $$", -9)])
def test_the_status_of_a_program_is_reported(tmp_path, script, status):
    assert programs.run(["bash", "-c", f"echo said; {script}"], tmp_path, "log", results=[]) == status
    assert (tmp_path / "log").read_text() == "said\n"
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        programs.run(["no-such-program"], tmp_path, "log", results=[])
