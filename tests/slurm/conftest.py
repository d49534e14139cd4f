"""Fixtures of the tests that need Slurm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slurm.cluster import Cluster, OnSlurm, cluster


@pytest.fixture
def slurm() -> Iterator[Cluster]:
    """Four idle nodes."""
    with cluster() as started:
        yield started


@pytest.fixture
def study(tmp_path: Path, configuration: dict[str, Any]) -> OnSlurm:
    """The small study, not yet run."""
    workflow = OnSlurm(tmp_path)
    workflow.configure(configuration)
    return workflow
