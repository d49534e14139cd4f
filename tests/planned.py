"""The jobs of a study as its plan has them, for tests: asked of Snakemake in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from gapdesign import cli
from gapdesign.config.study import Study
from gapdesign.planning.dag import PlannedJob
from gapdesign.planning.jobs import Jobs, by_rule

ASK = """
import json, sys
from dataclasses import asdict
from gapdesign.config.study import parse
from gapdesign.planning.dag import ask
print(json.dumps([asdict(job) for job in ask(parse(json.load(sys.stdin)))]))
"""


def declared() -> dict:
    """Every job by its rule."""
    return {job.rule: job for job in cli.jobs().values()}


def planned_jobs(study: Study) -> list[PlannedJob]:
    """Every job of a study of which nothing is there yet."""
    return _asked(study.model_dump_json(exclude_none=True))


def all_jobs(study: Study) -> list[Jobs]:
    """Return the same by rule."""
    return by_rule(planned_jobs(study), declared(), study)


@cache
def _asked(configuration: str) -> list[PlannedJob]:
    study = Study.model_validate_json(configuration)
    files = [study.pools.of(pool).file.path for pool in study.pools.names]
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file).touch()
        answer = subprocess.run(
            [sys.executable, "-c", ASK], input=configuration, cwd=folder, capture_output=True, text=True, check=False
        )
    assert answer.returncode == 0, answer.stderr
    return [PlannedJob(**job) for job in json.loads(answer.stdout)]
