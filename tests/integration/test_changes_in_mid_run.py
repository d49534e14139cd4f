"""Runs whose disk fills up, or whose configuration is edited, while they run."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Workflow
from holding import HeldWorkflow, wait_until

FULL = "is full: make room, then type the same command again."


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(tmp_path)]
    mounted = subprocess.run(command, text=True, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill(path: Path) -> None:
    for size in (2**16, 1):
        with path.open("ab", buffering=0) as stream, pytest.raises(OSError) as caught:
            while True:
                stream.write(bytes(size))
        assert caught.value.errno == errno.ENOSPC


def assert_the_files_of(finished: Workflow, study: Workflow) -> None:
    """That a run to the designs made what the same study has that ran to its end."""
    assert study.results()
    for name, path in study.results().items():
        assert path.read_bytes() == finished.results()[name].read_bytes(), name


def test_a_full_disk_gives_one_sentence_and_the_rerun_works(small_disk, configuration, finished):
    study = HeldWorkflow(small_disk)
    study.configure(configuration)
    study.hold("descriptors")
    process = study.start("design")
    wait_until(lambda: study.held("descriptors"), "the descriptors are being computed", process)
    fill(small_disk / "filler")
    study.release("descriptors")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert output.count(FULL) == 1
    assert output.splitlines()[-1] == f"gapdesign: the disk that holds {small_disk} {FULL}"

    output = study.run("design", status=1)
    assert output.splitlines()[-1].endswith(FULL)
    assert "Traceback" not in output

    (small_disk / "filler").unlink()
    study.run("design")
    assert_the_files_of(finished, study)
    assert [path for path in (small_disk / "results").rglob(".*") if path.is_file()] == []


def test_an_edited_configuration_is_noticed(tmp_path, configuration, finished):
    study = HeldWorkflow(tmp_path)
    study.configure(configuration)
    study.hold("candidates")
    process = study.start("design")
    wait_until(lambda: study.held("candidates"), "candidates are being made", process)
    study.configure(configuration | {"budget": 8})
    study.release("candidates")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    sentence = output.splitlines()[-1]
    assert sentence.startswith("gapdesign: config.yaml was edited after this run began")
    assert_the_files_of(finished, study)
    assert "design_select" in study.plan("design")
